#include "GpuMemory.h"

using namespace ecf8;

GpuMemory::~GpuMemory() {
  releaseAllBut([](void *) { return false; });
  trim();
}

Result<void *> GpuMemory::allocate(uint64_t bytes) {
  constexpr uint64_t granularity = 256;
  if (bytes >> 56) // more than any GPU has; below that nothing here overflows
    return Status(StatusCode::OutOfMemory, "cannot allocate " + std::to_string(bytes) + " bytes on the GPU");
  uint64_t size = bytes == 0 ? granularity : (bytes + granularity - 1) / granularity * granularity;
  std::vector<void *> &sameSize = kept[size];
  if (!sameSize.empty()) {
    void *pointer = sameSize.back();
    sameSize.pop_back();
    used[pointer] = size;
    return pointer;
  }
  void *pointer = library.memAlloc(size, nullptr, false);
  if (!pointer) {
    Status first = library.lastStatus();
    trim();
    pointer = library.memAlloc(size, nullptr, false);
    Status second = library.lastStatus();
    if (!pointer) {
      Status &status = second.isOk() ? first : second;
      return status.isOk() ? Status(StatusCode::OutOfMemory, "cannot allocate " + std::to_string(size) + " bytes")
                           : status.in("cannot allocate " + std::to_string(size) + " bytes on the GPU");
    }
  }
  used[pointer] = size;
  return pointer;
}

bool GpuMemory::release(void *pointer) {
  auto found = used.find(pointer);
  if (found == used.end())
    return false;
  kept[found->second].push_back(pointer);
  used.erase(found);
  return true;
}

void GpuMemory::trim() {
  for (auto &[size, pointers] : kept) {
    for (void *pointer : pointers)
      library.memFree(pointer, nullptr);
    pointers.clear();
  }
}

void GpuMemory::forget() {
  used.clear();
  kept.clear();
}
