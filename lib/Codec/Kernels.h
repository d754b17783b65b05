// The inner loops that exist once per instruction set, as tables of functions. Private to the codec. Every function of
// a table writes the same bytes as that of any other; those that another processor lacks are never called there.
#ifndef ECF8_LIB_CODEC_KERNELS_H
#define ECF8_LIB_CODEC_KERNELS_H

#include "ecf8/Codec/Format.h"
#include "ecf8/Codec/Stats.h"

namespace ecf8 {

/// Elements of one step of a tile [tile_c2].
inline constexpr unsigned stepElements = 2 * laneCount;

/// Adds how often each byte value occurs in `bytes`.
void addByteCounts(std::span<const uint8_t> bytes, std::array<uint64_t, 256> &counts);

/// What an encoder needs of the figures of `bytes`: all but the byte counts and the entropies, which stay 0.
TensorStats collectSymbolStats(ElementType elementType, std::span<const uint8_t> bytes, unsigned threads);

/// The same from counts and flags that are known.
TensorStats makeSymbolStats(ElementType elementType, const SymbolCounts &counts, uint32_t dataFlags);

/// Adds the figures of a part of a tensor to those of what is before it.
void addSymbolStats(TensorStats &whole, const TensorStats &part);

/// A part of a row-major matrix: `rows` x `columns` bytes, the rows `stride` bytes apart. At most 32 rows: of one
/// strip.
struct RowsView {
  const uint8_t *data;
  uint64_t stride, rows, columns;
};
struct MutableRowsView {
  uint8_t *data;
  uint64_t stride, rows, columns;
  bool bypassesCaches = false; ///< the whole matrix does not fit them: write around them where that is possible
};

/// Codes by symbol, at their place in a byte: encoding huffman with codes of at most 8 bits.
struct CodeTable {
  std::array<uint8_t, maxSymbolCount> bits{}; ///< in stream order, the first bit lowest
  std::array<uint8_t, maxSymbolCount> lengths{};
};

/// Codes by pair of symbols, for 256 of them: the bits as above, and from bit 12 on their number. Huffman of group 2.
using PairTable = std::array<uint16_t, 256>;

/// Where the lanes of a tile stand after its last step [stream_c3].
struct LaneEnds {
  std::array<uint16_t, laneCount> words;            ///< bits of the word that is not full yet
  std::array<uint16_t, laneCount> positions;        ///< how many
  std::array<uint16_t, laneCount> slots, nextSlots; ///< the places in the stream of that word and of the one after it
  uint32_t end;                                     ///< of the stream, in words
};

/// The symbols of the codes 0, 1 and 2 of a plane, at their place in an element; `noSymbol` where there is none.
using PlaneSymbols = std::array<uint8_t, 3>;
inline constexpr uint8_t noSymbol = 1; ///< no symbol has bit 0 at its place in an element

/// The escapes of a tile of planes.
struct EscapeCounts {
  uint64_t first = 0, second = 0;
};

struct EncodeKernels {
  /// The figures that an encoder needs of `bytes`: `symbolCounts` and `dataFlags` are added to.
  void (*countSymbols)(ElementType type, std::span<const uint8_t> bytes, SymbolCounts &symbolCounts,
                       uint32_t &dataFlags);

  /// Adds to `dataFlags` alone. Null where this takes no less time.
  void (*collectFlags)(ElementType type, std::span<const uint8_t> bytes, uint32_t &dataFlags);

  /// Adds how often each pair of neighbours occurs among `elements`, an even number of at most 2^31, to `tables`: four
  /// tables by pair, whose sum counts. [huffman_c7]
  void (*countPairs)(ElementType type, std::span<const uint8_t> elements, std::span<uint32_t> tables);

  /// Writes `rows` in tile order to `out` (paddedColumns * 32 bytes). Padding elements become `padding`. [tile_c2]
  /// [tile_c3]
  void (*reorderTile)(const RowsView &rows, uint64_t paddedColumns, uint8_t padding, uint8_t *out);

  /// Writes the rest of `count` units of elements in tile order to `out`. [rest_c1] [rest_c2]
  void (*encodeRest)(ElementType type, const uint8_t *elements, uint64_t count, uint8_t *out);

  /// Codes `steps` steps of elements in tile order into `stream`, which has room for 65 + steps * 32 words, and says
  /// where the lanes end: their last words are not in the stream yet. Null where there is nothing better than
  /// TileEncoder's own loop.
  void (*encodeLanes)(ElementType type, const CodeTable &codes, const uint8_t *elements, uint64_t steps,
                      uint16_t *stream, LaneEnds &ends);

  /// The same for group 2 of an element type with 16 symbols.
  void (*encodePairLanes)(const PairTable &codes, const uint8_t *elements, uint64_t steps, uint16_t *stream,
                          LaneEnds &ends);

  /// The escapes among `rows`: with T the table, T[symbol] & 1 marks one of the first plane, & 2 one of the second.
  EscapeCounts (*countEscapes)(ElementType type, const std::array<uint8_t, maxSymbolCount> &table,
                               const RowsView &rows);

  /// Writes `count` units of elements in tile order to `out`, and the escapes of the first plane, in order, to
  /// `escapes`, which has room for all elements and 64 more. Returns their end. [units_c2] [units_c3]
  uint8_t *(*encodeUnits)(ElementType type, const PlaneSymbols &symbols, const uint8_t *elements, uint64_t count,
                          uint8_t *out, uint8_t *escapes);

  /// Writes the masks of `count` groups of 64 elements to `out`, and the escapes as above. [codes_c1]
  uint8_t *(*encodeGroups)(ElementType type, const PlaneSymbols &symbols, const uint8_t *elements, uint64_t count,
                           uint8_t *out, uint8_t *escapes);
};

/// A tile of a payload and where its elements go.
struct TileSource {
  uint64_t streamOffset, streamBytes; ///< of its codes in the payload; no bytes where there are none
  const uint8_t *last;                ///< its part of the last section: rest, units or elements
  uint64_t steps;                     ///< with padding
  MutableRowsView rows;
};

/// The code of a tensor as tables by what a lane's window holds: encoding huffman.
struct HuffmanTables {
  ElementType type;
  unsigned group;
  const CanonicalCode &code;
  /// By the next 8 bits, for group 1: the symbol at its place in an element, and the length of its code.
  std::array<uint8_t, 256> symbols{}, lengths{};
  /// By the next 12 bits: the two symbols of a step at their places in two elements, the second in the upper byte, and
  /// from bit 16 on the bits that both take. `isLong` instead of all that where these are more than 12.
  std::vector<uint32_t> pairs = {};
  static constexpr uint32_t isLong = uint32_t(1) << 31;
  static constexpr unsigned pairBits = 12;
};

/// The ranks of a tensor: encoding planes.
struct PlanesTables {
  ElementType type;
  std::array<PlaneSymbols, 2> symbols; ///< any where there is none
};

/// Decoders of tiles: they check no stream, and keep to the memory of the payload and of the elements whatever it says
/// [stream_c6] [codes_c7]. `payload` is the whole one, of at least 64 bytes; `scratch` may be grown.
struct DecodeKernels {
  bool usesPairs; ///< of HuffmanTables
  /// Copies the elements of a tile in tile order that are no padding to their rows. [tile_c2]
  void (*scatterTile)(const uint8_t *elements, const MutableRowsView &rows);
  void (*decodeHuffman)(const HuffmanTables &tables, std::span<const uint8_t> payload,
                        std::span<const TileSource> tiles, std::vector<uint8_t> &scratch);
  void (*decodePlanes)(const PlanesTables &tables, std::span<const uint8_t> payload, std::span<const TileSource> tiles,
                       std::vector<uint8_t> &scratch);
};

/// Those of `currentInstructionSet`.
const EncodeKernels &encodeKernels();
const DecodeKernels &decodeKernels();

const EncodeKernels &genericEncodeKernels();
const DecodeKernels &genericDecodeKernels();
#if defined(__x86_64__)
const EncodeKernels &avx2EncodeKernels();
const DecodeKernels &avx2DecodeKernels();
const EncodeKernels &avx512EncodeKernels();
const DecodeKernels &avx512DecodeKernels();
#endif

} // namespace ecf8

#endif // ECF8_LIB_CODEC_KERNELS_H
