// Memory in which an access beside the bytes that were asked for ends the process.
#ifndef ECF8_TEST_INTEGRATION_CPU_GUARDEDMEMORY_H
#define ECF8_TEST_INTEGRATION_CPU_GUARDEDMEMORY_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

namespace ecf8::test {

/// Which side of the bytes touches an inaccessible page.
enum class Placement { AtEnd, AtBegin };

/// `capacityBytes` bytes, a multiple of 4096, in the middle of inaccessible memory: 16 GiB on both sides, which is more
/// than the 32 bits of an entry of the tile table reach.
class GuardedMemory {
public:
  explicit GuardedMemory(uint64_t capacityBytes) : capacityBytes(capacityBytes) {
    constexpr uint64_t sideBytes = uint64_t(1) << 34;
    void *all =
        mmap(nullptr, 2 * sideBytes + capacityBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED || mprotect(static_cast<char *>(all) + sideBytes, capacityBytes, PROT_READ | PROT_WRITE)) {
      std::perror("cannot reserve guarded memory");
      std::exit(1);
    }
    first = static_cast<uint8_t *>(all) + sideBytes;
  }
  GuardedMemory(const GuardedMemory &) = delete;
  GuardedMemory &operator=(const GuardedMemory &) = delete;

  uint8_t *begin() const { return first; }
  uint8_t *end() const { return first + capacityBytes; }
  uint64_t capacity() const { return capacityBytes; }

  /// Where `sizeBytes` bytes go: at the begin, or as far back as `alignment` allows.
  uint8_t *place(uint64_t sizeBytes, Placement placement, uint64_t alignment = 1) const {
    if (sizeBytes > capacityBytes)
      return nullptr;
    return placement == Placement::AtBegin ? first : first + (capacityBytes - sizeBytes) / alignment * alignment;
  }

private:
  uint64_t capacityBytes;
  uint8_t *first;
};

} // namespace ecf8::test

#endif // ECF8_TEST_INTEGRATION_CPU_GUARDEDMEMORY_H
