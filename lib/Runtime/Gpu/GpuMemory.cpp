#include "GpuMemory.h"

#include <algorithm>

using namespace ecf8;

GpuMemory::~GpuMemory() {
  releaseAllBut([](void *) { return false; });
  trim();
}

static constexpr uint64_t mostBytes = uint64_t(1) << 56; // up to that no sum here overflows

Result<void *> GpuMemory::allocateNew(uint64_t bytes) {
  Status status(StatusCode::OutOfMemory, "no GPU has as much");
  for (bool isAgain : {false, true}) {
    if (bytes > mostBytes || status.code() != StatusCode::OutOfMemory)
      break;
    if (isAgain) {
      makeRoom();
      (void)library.lastStatus();
    }
    if (void *pointer = library.memAlloc(bytes, nullptr, false))
      return pointer;
    if (Status last = library.lastStatus(); !last.isOk())
      status = last;
  }
  return status.in("cannot allocate " + std::to_string(bytes) + " bytes on " + place);
}

Result<void *> GpuMemory::allocate(uint64_t bytes) {
  if (bytes > mostBytes)
    return allocateNew(bytes); // which says so
  constexpr uint64_t granularity = 256;
  uint64_t size = std::max<uint64_t>((bytes + granularity - 1) / granularity, 1) * granularity;
  std::vector<void *> &sameSize = kept[size];
  if (!sameSize.empty()) {
    void *pointer = sameSize.back();
    sameSize.pop_back();
    used[pointer] = size;
    return pointer;
  }
  Result<void *> pointer = allocateNew(size);
  if (pointer)
    used[*pointer] = size;
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
