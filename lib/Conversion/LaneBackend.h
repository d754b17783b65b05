// The lane back ends of the decode loops. A payload's tile holds 32 lanes; a decode loop is written once over the
// operations below, and a back end says how one instruction set carries them out:
//
//   permute  AVX-512 VBMI/VBMI2: all 32 lanes in one vector of 16-bit words, code tables in registers (byte permutes)
//   nibble   AVX2: four groups of 8 lanes of 32 bits, byte shuffles; only for codes with few long prefixes
//   gather   AVX2: the same groups, a table in memory; takes any code
//   scalar   any CPU: one lane after the other, the same table
//
// All read the same streams and produce the same bytes. So do those for the encoding planes: LanePlanes.h.
#ifndef ECF8_LIB_CONVERSION_LANEBACKEND_H
#define ECF8_LIB_CONVERSION_LANEBACKEND_H

#include "LaneBuilder.h"
#include "llvm/ADT/SmallVector.h"
#include <memory>

namespace mlir::ecf8 {

/// What a Huffman stream looks like to a lane: Format.md, section "Huffman".
struct HuffmanSpec {
  unsigned maxCodeLength; ///< L: 7 or 8
  unsigned symbolCount;   ///< 16 (E4M3FN) or 32 (E5M2)
  unsigned symbolShift;   ///< position of the exponent's lowest bit in the element: 3 or 2
};

/// Where the coded words are: a byte buffer, and the last index at which 64 bytes can be read.
struct StreamView {
  Value payload;   ///< memref<?xi8>
  Value lastIndex; ///< index
};

/// What planes look like to a back end: Format.md, sections "Encoding planes".
struct PlanesSpec {
  int64_t tileColumns;
  unsigned symbolCount, symbolShift; ///< as in HuffmanSpec
  int64_t masksOffset;               ///< of a unit: where the first step's masks are
};

/// The code tables of one tensor as bytes: entry i describes the code at the low end of the window i.
/// `symbols[i]` is the symbol, shifted into its place in the element; `lengths[i]` its code's length in bits.
/// For planes `symbols[r + 1]` is the symbol of rank r, in 64 bytes, and there are no lengths.
struct CodeTables {
  Value symbols; ///< memref<(1 << L) x i8>
  Value lengths; ///< memref<(1 << L) x i8>
};

/// One step of one of the tiles in lockstep.
struct TileStep {
  unsigned tile;
  Value unit;   ///< byte index in the payload of the unit of the last section that holds the step's stored bits
  int64_t step; ///< in the unit
};

class LaneBackend {
public:
  virtual ~LaneBackend() = default;

  /// Tiles that one loop decodes in lockstep, to hide the latency of the serial chain in each.
  virtual unsigned tilesInLockstep() const = 0;

  /// Size in bytes of the buffer that `expandTables` fills, once per decoder call.
  virtual int64_t tableBytes() const = 0;
  virtual void expandTables(LaneBuilder &b, const CodeTables &tables, Value buffer) const = 0;

  /// Whether this back end can decode the code in `tableBuffer`: an i1, or null where it always can.
  virtual Value applies(LaneBuilder &b, Value tableBuffer) const { return {}; }

  /// Emits what a decode function needs once, before its loops: table registers, scratch.
  virtual void enterFunction(LaneBuilder &b, Value tableBuffer, unsigned tileCount) = 0;

  /// Prepares the decoding of tile `tile`, whose stream begins at byte `at`, at most the stream's last index. Returns
  /// the values that the loop carries.
  virtual SmallVector<Value> openTile(LaneBuilder &b, const StreamView &stream, Value at, unsigned tile) = 0;

  /// Decodes one step (two symbols of each lane) and moves the lanes on. Updates `state`; returns the symbols in the
  /// order of the format, vector<64xi8>, each in its place in the element.
  virtual Value decodeStep(LaneBuilder &b, const StreamView &stream, MutableArrayRef<Value> state,
                           const TileStep &place) = 0;

  /// The rest bits of the second step of a unit of f8E4M3FN, which stand rotated by four: bit 3 is the sign, bits 6 to
  /// 4 the mantissa. vector<64xi8> to the same, bits in their place in the element and the others zero.
  virtual Value unpackSecondStep(LaneBuilder &b, Value unit) const;
};

/// The same by one affine transformation of bytes; needs gfni and avx512f.
Value unpackSecondStepAffine(LaneBuilder &b, Value unit);

/// Permutes bytes in registers; needs avx512bw, avx512vbmi, avx512vbmi2, gfni.
std::unique_ptr<LaneBackend> createPermuteLanes(const HuffmanSpec &spec, unsigned tilesInLockstep);
/// Shuffles bytes by nibbles; needs avx2. Applies to codes in which at most `prefixCount` (1 or 2) nibbles begin a code
/// of more than four bits.
std::unique_ptr<LaneBackend> createNibbleLanes(const HuffmanSpec &spec, unsigned prefixCount);
/// Looks symbols up in memory: `width` 8 gathers (needs avx2), `width` 1 is plain scalar code.
std::unique_ptr<LaneBackend> createTableLanes(const HuffmanSpec &spec, unsigned width);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_LANEBACKEND_H
