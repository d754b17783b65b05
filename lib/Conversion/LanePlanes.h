// The lane back ends for the encoding planes. What the format asks for is in PlanesLanes; instruction sets differ only
// in how escapes take their symbols:
//
//   expand   AVX-512 VBMI2: one byte expansion for 64 codes
//   shuffle  AVX2: one byte shuffle for 8 codes, by a table of 256 patterns
//   scalar   any CPU: one escape after the other
//
// A tile's third plane is expanded to bytes on the stack first, then its second, which takes escapes from there. The
// steps take theirs from the second. So no step waits for another but by a pointer, and no stream of bits is parsed.
#ifndef ECF8_LIB_CONVERSION_LANEPLANES_H
#define ECF8_LIB_CONVERSION_LANEPLANES_H

#include "LaneBackend.h"

namespace mlir::ecf8 {

class PlanesLanes : public LaneBackend {
public:
  explicit PlanesLanes(const PlanesSpec &spec) : spec(spec) {}

  unsigned tilesInLockstep() const override { return 1; }
  int64_t tableBytes() const override;
  void expandTables(LaneBuilder &b, const CodeTables &tables, Value buffer) const override;
  void enterFunction(LaneBuilder &b, Value tableBuffer, unsigned tileCount) override;
  SmallVector<Value> openTile(LaneBuilder &b, const StreamView &stream, Value at, unsigned tile) override;
  Value decodeStep(LaneBuilder &b, const StreamView &stream, MutableArrayRef<Value> state,
                   const TileStep &place) override;

protected:
  /// Escapes of a group of 64 codes, in both forms.
  struct Escapes {
    Value bits; ///< i64, bit i for lane i
    Value mask; ///< vector<64xi1>
  };

  /// The i64 at byte `at` of `buffer`, to count its bits.
  virtual Value loadBits(LaneBuilder &b, Value buffer, Value at) const;

  /// The bits of an i64 as lanes: vector<64xi1>.
  virtual Value toMask(LaneBuilder &b, Value bits) const;

  /// `symbols` (vector<64xi8>) with the next bytes of `buffer` from `pointer` on in the lanes of `escapes`, in order.
  /// Moves `pointer` past them. May read 64 bytes at `pointer`.
  virtual Value fillEscapes(LaneBuilder &b, Value symbols, const Escapes &escapes, Value buffer,
                            Value &pointer) const = 0;

private:
  int64_t maxCodes() const { return 32 * spec.tileColumns; } ///< of any plane of a tile
  Value decodeCodes(LaneBuilder &b, Value masks, Value at, unsigned firstRank, Value buffer, Value &pointer) const;
  void expandThirdPlane(LaneBuilder &b, const StreamView &stream, Value at, Value count) const;
  void expandSecondPlane(LaneBuilder &b, const StreamView &stream, Value at, Value groups, Value target) const;

  PlanesSpec spec;
  SmallVector<Value> symbolOfRank; ///< vector<64xi8>, each a splat
  SmallVector<Value> second;       ///< by tile: the symbols of the escapes of the first plane, in their place
  Value third;                     ///< those of the escapes of the second plane
};

/// Needs avx512bw, avx512vbmi2, gfni.
std::unique_ptr<LaneBackend> createExpandPlanes(const PlanesSpec &spec);
/// Needs avx2 and popcnt.
std::unique_ptr<LaneBackend> createShufflePlanes(const PlanesSpec &spec);
std::unique_ptr<LaneBackend> createScalarPlanes(const PlanesSpec &spec);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_LANEPLANES_H
