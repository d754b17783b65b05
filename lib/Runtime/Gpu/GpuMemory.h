// Memory on a GPU for the calls of one program.
#ifndef ECF8_LIB_RUNTIME_GPU_GPUMEMORY_H
#define ECF8_LIB_RUNTIME_GPU_GPUMEMORY_H

#include "GpuLibrary.h"

#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

namespace ecf8 {

/// Blocks that calls allocate. What they release is kept for requests of the same size, also of later calls: the layers
/// of a model ask for the same sizes again and again. All work is in the order of one stream, so that a block may have
/// another use as soon as it is released.
class GpuMemory {
public:
  /// `place` is the GPU, for messages. `makeRoom` gives back what is kept, here and elsewhere.
  GpuMemory(const GpuLibrary &library, std::string place, std::function<void()> makeRoom)
      : library(library), place(std::move(place)), makeRoom(std::move(makeRoom)) {}
  ~GpuMemory();
  GpuMemory(const GpuMemory &) = delete;

  /// Bytes aligned to 256; no block has 0. Where there is not that much memory, what is kept is given back first.
  Result<void *> allocate(uint64_t bytes);
  /// The same, but a block that is the caller's, to free by the library. `bytes` is not 0.
  Result<void *> allocateNew(uint64_t bytes);
  /// False if `pointer` is no block that was handed out.
  bool release(void *pointer);
  /// Releases what a call has left, but for the blocks that `isKept` names.
  template <typename Predicate> void releaseAllBut(Predicate isKept) {
    std::erase_if(used, [&](const auto &block) {
      if (isKept(block.first))
        return false;
      kept[block.second].push_back(block.first);
      return true;
    });
  }
  /// Gives back what no call uses.
  void trim();
  /// Forgets all blocks without a call of the library: those of a GPU that was reset.
  void forget();

private:
  const GpuLibrary &library;
  std::string place;
  std::function<void()> makeRoom;
  std::unordered_map<void *, uint64_t> used;
  std::map<uint64_t, std::vector<void *>> kept; ///< by size
};

} // namespace ecf8

#endif // ECF8_LIB_RUNTIME_GPU_GPUMEMORY_H
