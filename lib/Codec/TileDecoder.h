// What the reference decoders of the encodings share. Private to the codec.
#ifndef ECF8_LIB_CODEC_TILEDECODER_H
#define ECF8_LIB_CODEC_TILEDECODER_H

#include "ecf8/Codec/Reader.h"

#include <string>

namespace ecf8 {

/// "tile 2 of strip 1".
std::string tileName(uint64_t strip, uint64_t tile);

/// "tile 2 of strip 1: expected X, got Y [rule]".
Status corruptTile(uint64_t strip, uint64_t tile, std::string expected, std::string got, const char *rule);

/// The rest of the element at `column` and place `p` (lane * 2 + column % 2) of a tile's rest plane. [rest_c1]
/// [rest_c2]
uint8_t decodeRest(ElementType type, const uint8_t *plane, uint64_t column, unsigned p);

/// Decodes a tile of encoding planes to `elements`, in tile order and with padding; their number is that of the tile.
/// Checks its stream.
Status decodePlanesTile(const Payload &payload, uint64_t strip, uint64_t tile, std::vector<uint8_t> &elements);

/// The same for huffman in order mma.
Status decodeSegmentsTile(const Payload &payload, uint64_t strip, uint64_t tile, std::vector<uint8_t> &elements);

} // namespace ecf8

#endif // ECF8_LIB_CODEC_TILEDECODER_H
