// What compiled kernels, ops and the scheduler have in common: contexts of threads, call sites, ops and their
// arguments.
#ifndef ECF8_SIMT_RUNTIME_H
#define ECF8_SIMT_RUNTIME_H

#include "Fiber.h"

#include "ecf8/Simt/Simt.h"

#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace ecf8::simt {

class Block;
struct AsmProgram;
struct Op;

/// One argument or result of an op. i1 is stored as a byte, vectors and narrow integers as they lie in memory.
struct alignas(16) Slot {
  unsigned char bytes[16];

  template <typename T> T get() const {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 16);
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  template <typename T> void set(T value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 16);
    std::memcpy(bytes, &value, sizeof value);
  }
  uint32_t u32() const { return get<uint32_t>(); }
  uint64_t u64() const { return get<uint64_t>(); }
  float f32() const { return get<float>(); }
};

/// A place in a kernel that calls an op or, in modules with checks, accesses memory. Names are for messages.
struct CallSite {
  const Op *op = nullptr;
  const AsmProgram *program = nullptr; ///< of inline assembly
  std::string what;                    ///< the op's name, or the instruction
  std::string where;                   ///< function, and line where there is debug information
};

enum class Wait : uint8_t { None, Collective, Barrier, ActiveMask, Yield, Exited };

/// A simulated thread. Compiled code reads the first fields by their offsets (SpecialRegisters.cpp,
/// FunctionEmitter.cpp).
struct Context {
  uint32_t tid[3], ntid[3], ctaid[3], nctaid[3];
  uint32_t laneId, warpId, numWarps;
  uint32_t dynamicSharedBytes, totalSharedBytes;
  uint32_t laneMaskEq, laneMaskLt, laneMaskLe, laneMaskGt, laneMaskGe;
  uint32_t gridId;
  uint32_t thread; ///< linear index in the block
  char *shared;    ///< the block's shared memory

  Block *block;
  void *stackPointer;
  const CallSite *site; ///< the last op that could wait
  Slot *slots;          ///< its arguments, while it waits
  uint32_t waitMask;
  uint32_t pollsLeft;  ///< accesses of a spin loop until the thread lets others run
  uint32_t iterations; ///< of loops, since the thread last let others run
  Wait wait;
};
static_assert(sizeof(Context) <= kContextBytes);

/// The lanes of a collective, which the last one to arrive computes for all.
struct WarpCall {
  Block &block;
  const CallSite &site;
  uint32_t warp;
  uint32_t mask; ///< lanes that take part
  Context *contexts[32];
  Slot *slots[32]; ///< arguments, then results, of each lane in `mask`
  Context &caller;

  bool has(unsigned lane) const { return mask >> lane & 1; }
  template <typename Function> void forEach(Function function) const {
    for (uint32_t rest = mask; rest; rest &= rest - 1)
      function(unsigned(__builtin_ctz(rest)));
  }
};

using ThreadFunction = void (*)(Context &, const CallSite &, Slot *);
using WarpFunction = void (*)(WarpCall &);

/// An entry of the op table: computed by each thread for itself (`thread`), or by a warp together (`warp`).
struct Op {
  std::string_view name;
  ThreadFunction thread = nullptr;
  WarpFunction warp = nullptr;
  /// Which argument is the member mask; kWholeWarp for `.sync.aligned` instructions, which all 32 lanes execute
  /// together.
  int maskArgument = kWholeWarp;
  static constexpr int kWholeWarp = -1;
};

/// Null for unknown names.
const Op *findOp(std::string_view name);

/// Ends the launch with a message about this thread; does not return.
[[noreturn]] void fail(Context &context, const CallSite *site, std::string message);

/// What compiled code calls. `fail` leaves these without unwinding: no destructors may be pending where it is called.
extern "C" {
void ecf8_simt_warp_op(Context *context, const CallSite *site, Slot *slots);
void ecf8_simt_asm(Context *context, const CallSite *site, Slot *slots);
void ecf8_simt_poll(Context *context, const CallSite *site);
void ecf8_simt_iteration(Context *context, const CallSite *site);
void ecf8_simt_access(Context *context, const CallSite *site, void *address, uint64_t sizeBytes, uint32_t kind);
}

/// `kind` of ecf8_simt_access.
enum AccessKind : uint32_t { kRead = 0, kWrite = 1, kAtomic = 2, kAcquire = 4, kRelease = 8 };

} // namespace ecf8::simt

#endif // ECF8_SIMT_RUNTIME_H
