// How a warp of a GPU kernel gets at the tiles of a weight: which ones are its own, the copies of their codes to shared
// memory, a tile ahead of use, and the loads of their stored planes into registers, two groups ahead.
#ifndef ECF8_LIB_CONVERSION_GPU_TILEFEED_H
#define ECF8_LIB_CONVERSION_GPU_TILEFEED_H

#include "SegmentLanes.h"

namespace mlir::ecf8 {

/// What kernels are called with for a part of a weight. Sizes are words, addresses of global memory. All of it is known
/// to the host, so that a block begins with its first loads, and the kernel needs no registers for it.
struct WeightArguments {
  Value plane;                   ///< the stored plane of the part's first tile
  Value codes;                   ///< section `codes` of the payload
  Value tileTable;               ///< entry of the part's first tile
  Value table;                   ///< entries of the code (buildSegmentTable)
  Value rows, columns;           ///< of the part, which begins at a tile
  Value rowTiles, chunks;        ///< tiles above and beside each other that it has
  Value stripTiles, stripGroups; ///< tiles and groups of 128 columns of the whole payload's columns
  Value slotBytes;               ///< shared memory for the codes of one tile
  Value exponentOffset;          ///< of the payload
  Value hasNaN;                  ///< not zero where some element may be NaN

  static constexpr unsigned count = 13;
  static SmallVector<Type> getTypes(MLIRContext *context);
  static WeightArguments of(ValueRange arguments);
};

class TileFeed {
public:
  /// `warpsInStep` warps (1, 2 or 4) take neighbouring tiles of the same columns at the same time.
  TileFeed(DeviceBuilder &b, const DeviceSpec &spec, int64_t warpsInStep = 1)
      : b(b), spec(spec), warpsInStep(warpsInStep) {}

  /// Begins to copy the table to the beginning of `area`, where it is after `begin`. The codes will lie at `streams`
  /// and behind it.
  void enter(const WeightArguments &weight, Value area, Value streams);

  /// Whether some element of the weight is NaN.
  Value hasNaN();

  /// A *job* is one tile; jobs are numbered chunk by chunk, a chunk being the tiles of all rows in the same columns.
  Value jobCount() { return b.mul(rowTiles, chunks); }

  /// The jobs of a warp: of each run of jobs `begin` to `end` in one chunk those that are `warp` more than a multiple
  /// of the number of warps behind `begin`. Warps in step go through the same positions, those of the first of them;
  /// where there is no job for one of the others (`hasOwnTile`), it decodes the run's last tile in vain.
  struct Position {
    Value job;                  ///< of the first warp in step; `lastJob` where there is none left
    Value stage;                ///< of the two slots
    Value blockBegin, blockEnd; ///< of the next job's codes, in units of 16 bytes
    SmallVector<Value> words;   ///< of the stored planes of the job's first two groups

    SmallVector<Value> pack() const;
    static Position unpack(const TileFeed &feed, ValueRange values);
  };
  /// Begins with jobs firstJob to lastJob, those of the block. `meanwhile` emits what there is to do until the first
  /// loads are there. Ends with a barrier for the block.
  Position begin(Value firstJob, Value lastJob, llvm::function_ref<void()> meanwhile);

  /// The block's jobs, firstJob to lastJob: its share of all.
  std::pair<Value, Value> jobsOfBlock();
  /// Emits a loop over the warp's jobs below `end`, from the one of the position that `packed` holds; returns where it
  /// is then.
  SmallVector<Value> forJobsBefore(Value end, ValueRange packed, llvm::function_ref<void(Position &)> body);

  /// What a job's groups are used for: called with each step of a group, in order.
  using UseGroup = llvm::function_ref<SmallVector<Value>(Value group, ArrayRef<SmallVector<Value>> quads, ValueRange)>;
  /// Decodes the tile of `position.job` and moves on to the next. `carried` goes through `use`.
  SmallVector<Value> decodeTile(Position &position, ArrayRef<Value> carried, UseGroup use);

  Value chunkOf(Value job) { return b.divU(job, rowTiles); }
  Value runEnd(Value job) { return b.minS(lastJob, b.mul(b.add(chunkOf(job), 1), rowTiles)); }
  /// The job that this warp takes while the first of the warps in step takes `job`, and its tile of rows.
  Value ownJob(Value job);
  Value rowTileOf(Value job) { return b.remU(ownJob(job), rowTiles); }
  Value hasOwnTile(Value job) { return b.isLess(b.add(job, place), runEnd(job)); }
  Value groupsOf(Value chunk);

  Value lane, warp, warps;
  Value rowTiles, chunks;

private:
  Value tileOf(Value job);
  Value firstGroupOf(Value job);
  Value nextJob(Value job);
  void issueCopies(const Position &position, Value stage, Value exists);
  void loadBlockRange(Position &position, Value job);
  SmallVector<Value> loadGroup(Value group);

  DeviceBuilder &b;
  const DeviceSpec &spec;
  int64_t warpsInStep;
  Value firstWarp, place; ///< the first of the warps in step, and this one's place among them
  WeightArguments weight;
  Value area, streams;
  Value offsetWord; ///< what is added to decoded quads
  Value lanePlane;  ///< address of the plane from the lane's part of slots on
  Value lastJob;
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_GPU_TILEFEED_H
