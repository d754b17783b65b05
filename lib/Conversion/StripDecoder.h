// The decode loop of the order `rows32`: strip by strip, tile after tile, 64 columns (a block) at a time.
//
// The loop does not know what becomes of the bytes: each decoded step goes to a sink. The sinks of decode functions
// store them (DecoderOutput.h); those of contractions use them in registers (ContractionSinks.h).
#ifndef ECF8_LIB_CONVERSION_STRIPDECODER_H
#define ECF8_LIB_CONVERSION_STRIPDECODER_H

#include "DecoderLayout.h"

namespace mlir::ecf8 {

/// Columns of a block: 32 steps, one cache line of each of the 32 rows.
inline constexpr int64_t kBlockColumns = 64;
inline constexpr int64_t kBlockBytes = 32 * kBlockColumns;

/// Where the stored plane of a tile begins, for those who ask for memory ahead: tile after tile of a strip lies there.
struct PlanePlace {
  Value payload;          ///< memref<?xi8>
  Value at;               ///< index: the byte of the first strip's column 0 of the tile
  Value bytesPerStrip;    ///< index: from one strip to the next
  int64_t bytesPerColumn; ///< of a strip
};

/// The tiles that are decoded in lockstep: one place in `count` neighbouring strips.
struct TilePlace {
  Value strip;      ///< the first strip, counted from the slice's first
  unsigned count;   ///< strips; `strip` + `count` does not exceed the slice
  Value tileColumn; ///< the tile's first column in the whole matrix
  Value wanted;     ///< the tile's columns that are in the slice, without padding
  PlanePlace plane;
};

/// One step of one of these tiles: columns `unitColumn` + 2 * `step` and the next.
struct StepPlace {
  unsigned tile;     ///< below TilePlace::count
  Value blockColumn; ///< first column of the block in its tile
  Value unitColumn;  ///< first column of the unit of the stored plane in its tile
  int64_t step;      ///< in the unit
};

/// What takes the decoded bytes. The methods are called in the order of the loops, each with the builder inside the
/// loop that it belongs to. What a sink returns from `openStrips` is carried through all loops over these strips; later
/// calls get the values of their place and may replace them. Values that do not change are the sink's own business.
class DecodeSink {
public:
  virtual ~DecodeSink() = default;

  /// Once, before all loops: scratch for `tileCount` tiles in lockstep.
  virtual void enterFunction(LaneBuilder &b, const MatrixSlice &slice, unsigned tileCount) {}

  /// Before the tiles of `count` strips from `strip` on. Returns the values that the loops carry.
  virtual SmallVector<Value> openStrips(LaneBuilder &b, Value strip, unsigned count) { return {}; }

  /// Before the steps of tile `tile` of `place`, in the payload's strip `payloadStrip`.
  virtual void openTile(LaneBuilder &b, const TilePlace &place, unsigned tile, Value payloadStrip) {}

  /// Before the steps of a block, which begins at `blockColumn` of the tile.
  virtual void openBlock(LaneBuilder &b, const TilePlace &place, Value blockColumn) {}

  /// Takes `bytes`, vector<64xi8>: the elements of one step in the order of the format. Steps of padding come, too.
  virtual void takeStep(LaneBuilder &b, const StepPlace &place, Value bytes, MutableArrayRef<Value> carried) = 0;

  /// After the steps of a block of all tiles of `place`; the block begins at `blockColumn` of the tile.
  virtual void closeBlock(LaneBuilder &b, const TilePlace &place, Value blockColumn, MutableArrayRef<Value> carried) {}

  /// After all tiles of `count` strips from `strip` on, with what the loops carried to their end.
  virtual void closeStrips(LaneBuilder &b, Value strip, unsigned count, ValueRange carried) {}
};

/// Emits the decode loop into one function.
class StripDecoder {
public:
  /// `lanes`: null where nothing is coded. All references must outlive the decoder.
  StripDecoder(LaneBuilder &b, const DecoderSpec &spec, LaneBackend *lanes, DecodeSink &sink)
      : b(b), spec(spec), lanes(lanes), sink(sink) {}

  /// Strips that one call of `decodeGroup` decodes, in lockstep where they exist.
  int64_t stripsPerGroup() const { return lanes ? lanes->tilesInLockstep() : 1; }

  /// Emits what is needed once, in the function's entry block. `tables`: the back end's, memref<?xi8>.
  void enterFunction(const PayloadLayout &layout, const MatrixSlice &slice, Value tables);

  /// Emits the decoding of the slice's strips from `group` * stripsPerGroup() on, at most stripsPerGroup().
  void decodeGroup(Value group);

private:
  void decodeStrips(Value strip, unsigned count);
  void decodeTiles(Value strip, Value tile, unsigned count, SmallVectorImpl<Value> &carried);
  Value loadPlane(Value at, int64_t step);

  LaneBuilder &b;
  const DecoderSpec &spec;
  LaneBackend *lanes;
  DecodeSink &sink;
  PayloadLayout layout;
  MatrixSlice slice;
};

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_STRIPDECODER_H
