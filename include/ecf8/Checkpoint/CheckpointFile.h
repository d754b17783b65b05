// A safetensors file, plain or compressed (docs/Checkpoint.md), as a set of tensors with the content of the original.
#ifndef ECF8_CHECKPOINT_CHECKPOINTFILE_H
#define ECF8_CHECKPOINT_CHECKPOINTFILE_H

#include "ecf8/Codec/StreamDecoder.h"
#include "ecf8/Codec/StreamEncoder.h"
#include "ecf8/Support/Safetensors.h"

#include <memory>

namespace ecf8 {

/// What a user asks for; each stands for an encoding per tensor. [file_c5]
enum class Preset { Storage, Cpu, Sm80, Sm89, Sm90, Sm90a, Sm100, Raw, Huffman, Planes, Quads, Pairs, Classic };

/// "storage", "cpu", "sm_80" and so on, "raw", "huffman", "planes", "quads", "pairs", "classic".
std::string_view getName(Preset preset);
std::optional<Preset> parsePreset(std::string_view name);
/// The encoding that is tried first; where it gains nothing, `EncodeOptions::raw()` takes its place. Not for Storage,
/// which chooses for each tensor: `encodeForStorage`.
EncodeOptions getEncodeOptions(Preset preset);
/// The preset that asks for the same encoding by its name; Storage, Raw and so on are their own.
Preset getCodec(Preset preset);
/// All names, of uses and of encodings by name, for messages: "storage, cpu, ... and classic".
std::string listPresets();

/// The name of the encoding that a payload has, as above: "raw", "huffman", "planes", "quads", "pairs" or "classic".
std::string_view getCodecName(const Header &header);

/// The keys of `__metadata__`.
namespace metadata_key {
inline constexpr const char *prefix = "ecf8.", *version = "ecf8.version", *encoding = "ecf8.encoding",
                            *originalBytes = "ecf8.original_bytes", *originalHash = "ecf8.original_xxh3",
                            *originalHeader = "ecf8.original_header";
} // namespace metadata_key
inline constexpr std::string_view checkpointVersion = "1.0";

/// What a compressed file says of itself and of its original.
struct CompressionInfo {
  std::string version;
  std::string encoding;      ///< the name of a preset, also one that this version does not know
  uint64_t originalHash = 0; ///< XXH3-64 of the original file
};

/// A tensor with the dtype and shape of the original.
struct CheckpointTensor {
  std::string name;
  SafetensorsDType dtype = SafetensorsDType::U8;
  std::vector<uint64_t> shape;
  uint64_t sizeBytes = 0;      ///< of its elements
  uint64_t originalOffset = 0; ///< in the original file
  bool isCoded = false;        ///< FP8 that is or would be a payload [file_c2]
  uint64_t storedOffset = 0;   ///< in this file
  uint64_t storedBytes = 0;    ///< in this file: the payload's size if it is one

  /// Of a coded tensor.
  ElementType elementType() const {
    return dtype == SafetensorsDType::F8_E5M2 ? ElementType::F8E5M2 : ElementType::F8E4M3FN;
  }
};

/// Whether a tensor of a plain file is one that becomes a payload. [file_c2]
bool isCodedType(SafetensorsDType dtype, const std::vector<uint64_t> &shape);

class CheckpointFile;

/// The bytes of one tensor of the original, by offset; decoded where they are a payload.
class TensorSource : public ByteSource {
public:
  Status read(uint64_t offsetBytes, std::span<uint8_t> out) const override;
  /// Of a payload; null where the bytes are stored as they are.
  const StreamDecoder *decoder() const { return payload ? &*payload : nullptr; }

private:
  friend class CheckpointFile;
  class Stored; ///< the tensor's bytes in the file
  std::shared_ptr<const Stored> stored;
  std::optional<StreamDecoder> payload;
};

/// A file whose header, and if it is compressed whose metadata, were checked completely. Its tensors are read by
/// offset; several threads may do so at once.
class CheckpointFile {
public:
  /// Whatever is wrong is an error with the file, the tensor and the rule. Payload headers are checked when a tensor is
  /// opened.
  static Result<CheckpointFile> open(const std::string &path);

  const std::string &path() const { return file->path(); }
  uint64_t fileBytes() const { return file->sizeBytes(); }
  bool isCompressed() const { return compression.has_value(); }
  /// Of a compressed file.
  const CompressionInfo &info() const { return *compression; }
  /// The header of the original: this file's own if it is plain.
  const SafetensorsHeader &originalHeader() const { return original; }
  uint64_t originalBytes() const { return originalFileBytes; }
  /// In the order of their data in the original.
  const std::vector<CheckpointTensor> &tensors() const { return entries; }
  /// Null if there is no such tensor.
  const CheckpointTensor *find(std::string_view name) const;
  bool hasCoded() const;

  /// Opens a tensor of this file. Checks the payload's header, and that it fits the original's dtype and shape.
  /// [file_c2] The source stays usable without this object.
  Result<TensorSource> tensor(const CheckpointTensor &tensor) const;

  Status checkUnchanged() const { return file->checkUnchanged(); }

private:
  Status readCompression(SafetensorsHeader &header);

  std::shared_ptr<const InputFile> file;
  SafetensorsHeader original;
  uint64_t originalFileBytes = 0;
  std::optional<CompressionInfo> compression;
  std::vector<CheckpointTensor> entries;
  std::map<std::string, size_t, std::less<>> indexByName;
};

} // namespace ecf8

#endif // ECF8_CHECKPOINT_CHECKPOINTFILE_H
