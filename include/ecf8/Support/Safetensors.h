// The safetensors file format (github.com/huggingface/safetensors, "Format"): 8 bytes little-endian header length N,
// N bytes of JSON {name: {dtype, shape, data_offsets}}, then the tensors' bytes without holes.
#ifndef ECF8_SUPPORT_SAFETENSORS_H
#define ECF8_SUPPORT_SAFETENSORS_H

#include "ecf8/Support/File.h"
#include "ecf8/Support/Status.h"
#include "ecf8/Support/StreamFile.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ecf8 {

enum class SafetensorsDType : uint8_t {
  BOOL,
  F4,
  F6_E2M3,
  F6_E3M2,
  U8,
  I8,
  F8_E5M2,
  F8_E4M3,
  F8_E5M2FNUZ,
  F8_E4M3FNUZ,
  F8_E8M0,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  C64,
  F64,
  I64,
  U64,
};

/// The name in the file: "F8_E4M3".
std::string_view safetensorsDTypeName(SafetensorsDType dtype);
std::optional<SafetensorsDType> parseSafetensorsDType(std::string_view name);
unsigned safetensorsDTypeBits(SafetensorsDType dtype);

/// Bytes of a tensor; nothing if they overflow 64 bits or are not a whole number (F4, F6).
std::optional<uint64_t> safetensorsByteSize(SafetensorsDType dtype, const std::vector<uint64_t> &shape);

struct SafetensorsTensor {
  std::string name;
  SafetensorsDType dtype = SafetensorsDType::U8;
  std::vector<uint64_t> shape;
  uint64_t fileOffset = 0; ///< from the first byte of the file
  uint64_t sizeBytes = 0;
};

using SafetensorsMetadata = std::map<std::string, std::string>;

/// The longest header that readers accept (the same limit as upstream's).
inline constexpr uint64_t safetensorsMaxHeaderBytes = 100'000'000;

/// What a file is whose first bytes (8 are enough) begin another format that weights come in: "GGUF file" or "PyTorch
/// pickle", zip archives included. Empty for all else, and for whatever may be the length of a safetensors header.
std::string_view nameForeignFormat(ByteSpan first);

/// A header that was checked completely:
///  * safetensors_r1: the header length is 2 to 100,000,000 bytes and inside the file; the header begins with '{'
///  * safetensors_r2: the header is one JSON object (spaces may follow), no key occurs twice
///  * safetensors_r3: each tensor has exactly dtype (a known name), shape (non-negative integers), data_offsets [begin,
///  end]
///  * safetensors_r4: end - begin = product(shape) * dtype size, without overflow
///  * safetensors_r5: the tensors cover the data without holes or overlaps, from its first byte to the end of the file
///  * safetensors_r6: `__metadata__` maps strings to strings
/// Messages carry the rule's subject, the file, the tensor and the byte offset.
struct SafetensorsHeader {
  std::string text;                       ///< the header's bytes, padding included
  std::vector<SafetensorsTensor> tensors; ///< in the order of their data in the file
  SafetensorsMetadata metadata;

  /// Where the data of the first tensor starts in the file.
  uint64_t dataOffset() const { return 8 + text.size(); }
};

/// Checks `text`, the header of a file of `fileBytes` bytes. The messages do not name the file.
Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view text, uint64_t fileBytes);

/// Reads and checks the header of `file`.
Result<SafetensorsHeader> readSafetensorsHeader(const InputFile &file);

/// The entry of a header for one tensor: `"name":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}`, the offset counted
/// from the data section. Fails when the name is not UTF-8.
Result<std::string> printSafetensorsEntry(std::string_view name, SafetensorsDType dtype,
                                          const std::vector<uint64_t> &shape, uint64_t dataOffset, uint64_t sizeBytes);

/// A mapped safetensors file whose header was checked.
class SafetensorsFile {
public:
  static Result<SafetensorsFile> open(const std::string &path);

  /// In the order of their data in the file.
  const std::vector<SafetensorsTensor> &tensors() const { return entries; }
  /// Null if there is no such tensor.
  const SafetensorsTensor *find(std::string_view name) const;
  ByteSpan bytes(const SafetensorsTensor &tensor) const {
    return file.bytes().subspan(tensor.fileOffset, tensor.sizeBytes);
  }
  /// Takes the pages of a tensor out of this process's memory until they are touched again.
  void releasePages(const SafetensorsTensor &tensor) const { file.releasePages(bytes(tensor)); }
  const SafetensorsMetadata &metadata() const { return metadataMap; }
  const std::string &path() const { return file.path(); }
  uint64_t fileSizeBytes() const { return file.sizeBytes(); }

private:
  MappedFile file;
  std::vector<SafetensorsTensor> entries;
  std::map<std::string, size_t, std::less<>> indexByName;
  SafetensorsMetadata metadataMap;
};

/// What is to be written. `fileOffset` and `sizeBytes` are the writer's business.
struct SafetensorsSpec {
  std::string name;
  SafetensorsDType dtype = SafetensorsDType::U8;
  std::vector<uint64_t> shape;
  bool isBlob = false; ///< a compressed payload: placed first, at a multiple of 64; its size must be a multiple of 64
};

/// Writes a safetensors file, each tensor in one piece or several, the tensors in any order. The header is padded with
/// spaces so that the data begins at a multiple of 64 of the file. Placement: blobs, then tensors whose size is a
/// multiple of 64, then the others by the size of their dtype, largest first; within a group in the given order. So
/// every tensor is aligned to its dtype, and all but the few odd-sized ones to 64. The same specs and bytes give the
/// same file.
class SafetensorsWriter {
public:
  static Result<SafetensorsWriter> create(const std::string &path, std::vector<SafetensorsSpec> specs,
                                          const SafetensorsMetadata &metadata = {});

  /// Writes the next bytes of a tensor; `index` counts the specs given to `create`. Fails on more than the spec says.
  Status write(size_t index, ByteSpan bytes);
  /// Where tensor `index` lies, from the first byte of the file.
  uint64_t fileOffset(size_t index) const { return places[index].fileOffset; }
  uint64_t fileSizeBytes() const { return totalBytes; }
  /// Fails if a tensor is not complete; otherwise the file is complete and in place.
  Status commit();

private:
  explicit SafetensorsWriter(AtomicFile output) : output(std::move(output)) {}

  AtomicFile output;
  std::string path;
  std::vector<SafetensorsTensor> places;
  std::vector<uint64_t> writtenBytes;
  uint64_t totalBytes = 0;
};

} // namespace ecf8

#endif // ECF8_SUPPORT_SAFETENSORS_H
