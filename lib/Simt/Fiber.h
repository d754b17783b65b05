// Stacks of simulated threads, and the switch between them. x86-64 only.
#ifndef ECF8_SIMT_FIBER_H
#define ECF8_SIMT_FIBER_H

#include <cstddef>
#include <cstdint>

namespace ecf8::simt {

/// Each stack lies in a slot of this size, aligned to it: compiled code finds its thread's context from its own stack
/// address. A page that cannot be touched is at the lower end, the context at the upper.
constexpr size_t kStackSlotBytes = 128 << 10;
constexpr size_t kStackGuardBytes = 4096;
/// The room of contexts at the upper end of a slot. Contexts of neighbouring slots lie at different offsets in it,
/// since equal ones would fall into one set of the first-level cache.
constexpr size_t kContextAreaBytes = 8192;
constexpr size_t kContextBytes = 256;
constexpr size_t kNumContextOffsets = kContextAreaBytes / kContextBytes;

/// Address of the context of the slot that starts at `slot`. FunctionEmitter.cpp emits the same arithmetic.
inline uintptr_t contextAddress(uintptr_t slot) {
  return slot + kStackSlotBytes - kContextAreaBytes + (slot / kStackSlotBytes % kNumContextOffsets) * kContextBytes;
}

/// Stacks for up to 1024 threads; memory is taken as it is touched.
class Stacks {
public:
  Stacks() = default;
  Stacks(const Stacks &) = delete;
  Stacks &operator=(const Stacks &) = delete;
  ~Stacks();
  /// Makes at least `count` slots usable; false where there is no memory.
  bool reserve(unsigned count);
  uintptr_t slot(unsigned index) const { return base + index * kStackSlotBytes; }
  /// The initial stack pointer of a slot's thread.
  uintptr_t top(unsigned index) const;
  /// A stack that was left in the middle of its frames, or not yet used, is made ready for `function(argument)`.
  void *prepare(unsigned index, void (*function)(void *), void *argument);
  bool contains(uintptr_t address) const { return address >= base && address < base + usable * kStackSlotBytes; }

private:
  uintptr_t base = 0;
  void *mapping = nullptr;
  size_t mappingBytes = 0;
  unsigned usable = 0;
};

extern "C" {
/// Saves the callee-saved registers on this stack, its pointer in *save, and goes on with the stack `load`.
void ecf8_simt_switch(void **save, void *load);
}

} // namespace ecf8::simt

#endif // ECF8_SIMT_FIBER_H
