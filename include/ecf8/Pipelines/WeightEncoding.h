// Chooses an encoding for every FP8 weight of a module and encodes it.
#ifndef ECF8_PIPELINES_WEIGHTENCODING_H
#define ECF8_PIPELINES_WEIGHTENCODING_H

#include "ecf8/Codec/Encoder.h"
#include "ecf8/Pipelines/WeightFiles.h"
#include <optional>

namespace mlir::ecf8 {

enum class Codec { Auto, Raw, Huffman, Planes, Quads, Pairs, Classic };

/// As in `--codec` and the options of passes: "auto", "raw" and so on.
StringRef getName(Codec codec);

/// Which FP8 weights are compressed, and how. `Auto` is a fixed table by target: on the CPU `Planes`, which
/// is decoded fastest, and no compression where the payload would not be smaller than the plain bytes: raw tiles for
/// what contractions read (`ModuleWeight::isContracted`), and plain tensors for the rest. On GPUs it is `Quads` from
/// sm_90 on and `Pairs` before, and raw is in order mma.
struct CodecOptions {
  Codec codec = Codec::Auto;
  std::optional<unsigned> maxCodeLength; ///< none: the default of the encoding
  std::optional<uint32_t> tileColumns;   ///< none: the default of the encoding, 1024 for huffman and 256 for planes
  uint64_t minElements = 1024;           ///< smaller weights stay plain
  bool isForGpu = false;
  Codec automatic = Codec::Planes; ///< what Auto stands for

  Codec getChosen() const { return codec == Codec::Auto ? automatic : codec; }
};

/// Fails when the options name a layout that no payload can have.
::ecf8::Status checkCodecOptions(const CodecOptions &options);

/// What became of one weight.
struct EncodedWeight {
  EncodingAttrInterface encoding;           ///< null where the weight stays a plain tensor
  std::vector<uint8_t> elements;            ///< of a plain tensor whose content is not stored like that: see below
  std::vector<uint8_t> payload;             ///< empty where the weight stays a plain tensor or came as a payload
  ::ecf8::EncodeOptions encodeOptions;      ///< those of `payload`
  std::string reason;                       ///< why it was not made smaller; empty where it was
  std::optional<::ecf8::TensorStats> stats; ///< of FP8 weights whose plain bytes were at hand
};

/// Encodes `weights` with up to `threads` threads; the result has the same order and does not depend on their number.
/// A global that is compressed already keeps its payload, which is checked against the global's type. A weight that
/// comes from a compressed file is decoded, and keeps its payload where that has the encoding that is wanted.
LogicalResult encodeWeights(const std::vector<ModuleWeight> &weights, const CodecOptions &options, unsigned threads,
                            std::vector<EncodedWeight> &encoded);

/// What the bundle stores for a weight: a payload; the elements, which were transposed or decoded; or the content.
inline ::ecf8::ByteSpan getStoredBytes(const ModuleWeight &weight, const EncodedWeight &encoded) {
  if (!encoded.payload.empty())
    return encoded.payload;
  return encoded.elements.empty() ? weight.content : ::ecf8::ByteSpan(encoded.elements);
}

} // namespace mlir::ecf8

#endif // ECF8_PIPELINES_WEIGHTENCODING_H
