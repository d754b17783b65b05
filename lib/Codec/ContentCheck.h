// What only the decoded elements of a payload show, checked against its header. Private to the codec.
#ifndef ECF8_LIB_CODEC_CONTENTCHECK_H
#define ECF8_LIB_CODEC_CONTENTCHECK_H

#include "ecf8/Codec/Format.h"

namespace ecf8 {

/// Figures of all elements of a tensor, which may come in pieces.
struct ContentFigures {
  uint64_t hash = 0;
  uint32_t dataFlags = 0;
  unsigned minExponent = 0, maxExponent = 0;
};

/// [content_c1] [header_c15] [header_c16]
Status checkContent(const Header &header, const ContentFigures &content);

} // namespace ecf8

#endif // ECF8_LIB_CODEC_CONTENTCHECK_H
