// Global memory: allocations between guard pages, and what is registered of the host's memory.
#include "Checker.h"

#include <map>
#include <mutex>
#include <sys/mman.h>

using namespace ecf8;
using namespace ecf8::simt;

namespace {

struct Allocation {
  size_t sizeBytes;
  void *mapping; ///< null: registered memory of the host
  size_t mappingBytes;
};

constexpr size_t kPage = 4096, kGuard = 16 * kPage;

struct Registry {
  std::mutex mutex;
  std::map<uintptr_t, Allocation> allocations;
};

Registry &registry() {
  static Registry instance;
  return instance;
}

} // namespace

void *ecf8::simt::allocate(size_t sizeBytes) {
  if (sizeBytes == 0 || sizeBytes > (size_t(1) << 46))
    return nullptr;
  // As close to the upper guard as an alignment of 256 allows.
  size_t padded = (sizeBytes + 255) / 256 * 256;
  size_t pages = (padded + kPage - 1) / kPage * kPage;
  size_t total = pages + 2 * kGuard;
  void *mapping = mmap(nullptr, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED)
    return nullptr;
  char *begin = static_cast<char *>(mapping) + kGuard;
  if (mprotect(begin, pages, PROT_READ | PROT_WRITE) != 0) {
    munmap(mapping, total);
    return nullptr;
  }
  char *pointer = begin + pages - padded;
  std::memset(pointer, 0xff, sizeBytes);
  Registry &r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  r.allocations[uintptr_t(pointer)] = {sizeBytes, mapping, total};
  return pointer;
}

Status ecf8::simt::release(void *pointer) {
  if (!pointer)
    return Status::ok();
  Registry &r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  auto found = r.allocations.find(uintptr_t(pointer));
  if (found == r.allocations.end() || !found->second.mapping)
    return Status(StatusCode::InvalidArgument, "expected an address of allocated memory to release, got another");
  munmap(found->second.mapping, found->second.mappingBytes);
  r.allocations.erase(found);
  return Status::ok();
}

void ecf8::simt::registerHostMemory(const void *pointer, size_t sizeBytes) {
  Registry &r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  r.allocations[uintptr_t(pointer)] = {sizeBytes, nullptr, 0};
}

void ecf8::simt::unregisterHostMemory(const void *pointer) {
  Registry &r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  auto found = r.allocations.find(uintptr_t(pointer));
  if (found != r.allocations.end() && !found->second.mapping)
    r.allocations.erase(found);
}

GlobalMemory ecf8::simt::snapshotMemory() {
  GlobalMemory memory;
  Registry &r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  for (const auto &[begin, allocation] : r.allocations)
    memory.intervals.push_back({begin, begin + allocation.sizeBytes});
  return memory;
}

std::string ecf8::simt::describeAddress(uintptr_t address) {
  Registry &r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  auto text = [](uintptr_t begin, const Allocation &allocation, uintptr_t distance, const char *side) {
    char place[32];
    snprintf(place, sizeof place, "0x%llx", static_cast<unsigned long long>(begin));
    return std::to_string(distance) + " bytes " + side + " the allocation of " + std::to_string(allocation.sizeBytes) +
           " bytes at " + place;
  };
  auto next = r.allocations.upper_bound(address);
  if (next != r.allocations.begin()) {
    auto [begin, allocation] = *std::prev(next);
    uintptr_t end = begin + allocation.sizeBytes;
    if (address >= end && address - end < (1 << 20))
      return text(begin, allocation, address - end, "past the end of");
  }
  if (next != r.allocations.end() && next->first - address < (1 << 20))
    return text(next->first, next->second, next->first - address, "before");
  if (address < 4096)
    return "a null pointer";
  return "";
}
