// Reading checkpoint files: the rules of docs/Checkpoint.md, sections 2 and 3.
#include "ecf8/Checkpoint/CheckpointFile.h"

#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <charconv>

using namespace ecf8;

//===-- Presets -----------------------------------------------------------------------------------------------===//

namespace {
struct PresetEntry {
  std::string_view name;
  Preset codec;
};
} // namespace

/// In the order of Preset. GPUs decode quads where their bandwidth leaves time for one look-up for four weights, not
/// for two; `ecf8-compile --codec=auto` goes by this table, too.
static constexpr PresetEntry presets[] = {
    {"storage", Preset::Storage}, {"cpu", Preset::Planes},    {"sm_80", Preset::Pairs},  {"sm_89", Preset::Pairs},
    {"sm_90", Preset::Quads},     {"sm_90a", Preset::Quads},  {"sm_100", Preset::Quads}, {"raw", Preset::Raw},
    {"huffman", Preset::Huffman}, {"planes", Preset::Planes}, {"quads", Preset::Quads},  {"pairs", Preset::Pairs},
    {"classic", Preset::Classic},
};
static_assert(std::size(presets) == static_cast<size_t>(Preset::Classic) + 1);

std::string_view ecf8::getName(Preset preset) { return presets[static_cast<size_t>(preset)].name; }

std::optional<Preset> ecf8::parsePreset(std::string_view name) {
  for (size_t i = 0; i < std::size(presets); ++i)
    if (presets[i].name == name)
      return static_cast<Preset>(i);
  return std::nullopt;
}

Preset ecf8::getCodec(Preset preset) { return presets[static_cast<size_t>(preset)].codec; }

EncodeOptions ecf8::getEncodeOptions(Preset preset) {
  switch (getCodec(preset)) {
  case Preset::Raw:
    return EncodeOptions::raw();
  case Preset::Planes:
    return EncodeOptions::planes();
  case Preset::Quads:
    return EncodeOptions::quads();
  case Preset::Pairs:
    return EncodeOptions::pairs();
  case Preset::Classic:
    return EncodeOptions::classic();
  default: // huffman, and storage
    return EncodeOptions::huffman();
  }
}

std::string ecf8::listPresets() {
  std::string list;
  for (size_t i = 0; i < std::size(presets); ++i)
    list.append(i == 0 ? "" : i + 1 == std::size(presets) ? " and " : ", ").append(presets[i].name);
  return list;
}

std::string_view ecf8::getCodecName(const Header &header) {
  if (header.encoding != Encoding::Huffman || header.order != Order::Mma)
    return getName(header.encoding);
  return getName(header.group == 4 ? Preset::Quads : header.group == 2 ? Preset::Pairs : Preset::Classic);
}

bool ecf8::isCodedType(SafetensorsDType dtype, const std::vector<uint64_t> &shape) {
  return (dtype == SafetensorsDType::F8_E4M3 || dtype == SafetensorsDType::F8_E5M2) && shape.size() <= maxRank &&
         getMatrixShape(shape).isOk();
}

//===-- Tensors -----------------------------------------------------------------------------------------------===//

class TensorSource::Stored : public ByteSource {
public:
  Stored(std::shared_ptr<const InputFile> file, uint64_t offset) : file(std::move(file)), offset(offset) {}
  Status read(uint64_t offsetBytes, std::span<uint8_t> out) const override {
    return file->readAt(offset + offsetBytes, out);
  }

private:
  std::shared_ptr<const InputFile> file;
  uint64_t offset;
};

Status TensorSource::read(uint64_t offsetBytes, std::span<uint8_t> out) const {
  return payload ? payload->read(offsetBytes, out) : stored->read(offsetBytes, out);
}

/// "F8_E4M3 [64, 128]".
static std::string describe(std::string_view dtype, std::span<const uint64_t> shape) {
  std::string text(dtype);
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i == 0 ? " [" : ", ") + std::to_string(shape[i]);
  return text + (shape.empty() ? " []" : "]");
}

Result<TensorSource> CheckpointFile::tensor(const CheckpointTensor &tensor) const {
  TensorSource source;
  source.stored = std::make_shared<const TensorSource::Stored>(file, tensor.storedOffset);
  if (!isCompressed() || !tensor.isCoded)
    return source;
  Result<StreamDecoder> decoder = StreamDecoder::open(*source.stored, tensor.storedBytes);
  if (!decoder)
    return decoder.status().in(path() + ": tensor '" + tensor.name + "'");
  const Header &header = decoder->header();
  if (header.elementType != tensor.elementType() || !std::ranges::equal(header.getDims(), tensor.shape))
    return Status(StatusCode::Corrupt, path() + ": tensor '" + tensor.name + "': expected a payload of " +
                                           describe(getName(tensor.elementType()), tensor.shape) + ", got " +
                                           describe(getName(header.elementType), header.getDims()) + " [file_c2]");
  source.payload = decoder.take();
  return source;
}

//===-- Files -------------------------------------------------------------------------------------------------===//

/// A decimal number of 64 bits and nothing else.
static std::optional<uint64_t> parseNumber(std::string_view text) {
  uint64_t number = 0;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stop != text.data() + text.size())
    return std::nullopt;
  return number;
}

Status CheckpointFile::readCompression(SafetensorsHeader &header) {
  auto bad = [](const std::string &message) { return Status(StatusCode::Corrupt, message); };
  auto value = [&](const char *key) -> const std::string * {
    auto found = header.metadata.find(key);
    return found == header.metadata.end() ? nullptr : &found->second;
  };
  CompressionInfo info;
  info.version = *value(metadata_key::version);
  if (!info.version.starts_with("1.") || !parseNumber(std::string_view(info.version).substr(2))) // [meta_c1]
    return Status(StatusCode::Unsupported, "expected version 1.x of the format of compressed checkpoints, got '" +
                                               info.version + "' in " + metadata_key::version +
                                               " (written by a newer ecf8-pack?) [meta_c1]");
  for (const char *key :
       {metadata_key::encoding, metadata_key::originalBytes, metadata_key::originalHash, metadata_key::originalHeader})
    if (!value(key))
      return bad(std::string("__metadata__: expected the key '") + key + "', got none");
  info.encoding = *value(metadata_key::encoding);
  std::optional<uint64_t> bytes = parseNumber(*value(metadata_key::originalBytes));
  if (!bytes)
    return bad(std::string(metadata_key::originalBytes) + ": expected a number, got '" +
               *value(metadata_key::originalBytes) + "'");
  std::optional<uint64_t> hash = hashFromHex(*value(metadata_key::originalHash));
  if (!hash)
    return bad(std::string(metadata_key::originalHash) + ": expected 16 hexadecimal digits, got '" +
               *value(metadata_key::originalHash) + "'");
  info.originalHash = *hash;
  const std::string &text = *value(metadata_key::originalHeader);
  if (text.empty())
    return bad(std::string(metadata_key::originalHeader) + ": expected a header, got nothing [meta_c2]");
  Result<SafetensorsHeader> parsed = parseSafetensorsHeader(text, *bytes); // [meta_c2]
  if (!parsed)
    return parsed.status().in(metadata_key::originalHeader);
  original = parsed.take();
  originalFileBytes = *bytes;
  compression = info;

  std::map<std::string_view, const SafetensorsTensor *> stored;
  for (const SafetensorsTensor &tensor : header.tensors)
    stored.emplace(tensor.name, &tensor);
  for (const SafetensorsTensor &tensor : original.tensors) {
    auto found = stored.find(tensor.name);
    auto wrong = [&](const std::string &expected, const std::string &got, const char *rule) {
      return bad("tensor '" + tensor.name + "': expected " + expected + ", got " + got + " [" + rule + "]");
    };
    if (found == stored.end())
      return wrong("a tensor of this name, as in the original", "none", "file_c1");
    const SafetensorsTensor &here = *found->second;
    stored.erase(found);
    std::string got = describe(safetensorsDTypeName(here.dtype), here.shape);
    bool isCoded = isCodedType(tensor.dtype, tensor.shape);
    if (isCoded && (here.dtype != SafetensorsDType::U8 || here.shape.size() != 1))
      return wrong("a payload (U8, one dimension)", got, "file_c2");
    if (isCoded && (here.fileOffset % sectionAlignment != 0 || here.sizeBytes % sectionAlignment != 0))
      return wrong("a payload at a multiple of 64 bytes",
                   std::to_string(here.sizeBytes) + " bytes at byte " + std::to_string(here.fileOffset), "file_c4");
    if (!isCoded && (here.dtype != tensor.dtype || here.shape != tensor.shape))
      return wrong(describe(safetensorsDTypeName(tensor.dtype), tensor.shape), got, "file_c3");
    entries.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.sizeBytes, tensor.fileOffset, isCoded,
                       here.fileOffset, here.sizeBytes});
  }
  if (!stored.empty())
    return bad("tensor '" + std::string(stored.begin()->first) +
               "': expected only tensors of the original, got one more [file_c1]");
  return Status::ok();
}

Result<CheckpointFile> CheckpointFile::open(const std::string &path) {
  Result<InputFile> opened = InputFile::open(path);
  if (!opened)
    return opened.status();
  CheckpointFile result;
  result.file = std::make_shared<const InputFile>(opened.take());
  Result<SafetensorsHeader> header = readSafetensorsHeader(*result.file);
  if (!header)
    return header.status();
  if (header->metadata.contains(metadata_key::version)) {
    if (Status status = result.readCompression(*header); !status.isOk())
      return status.in(path);
  } else {
    for (const SafetensorsTensor &tensor : header->tensors)
      result.entries.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.sizeBytes, tensor.fileOffset,
                                isCodedType(tensor.dtype, tensor.shape), tensor.fileOffset, tensor.sizeBytes});
    result.original = header.take();
    result.originalFileBytes = result.file->sizeBytes();
  }
  for (size_t i = 0; i < result.entries.size(); ++i)
    result.indexByName.emplace(result.entries[i].name, i);
  return result;
}

const CheckpointTensor *CheckpointFile::find(std::string_view name) const {
  auto found = indexByName.find(name);
  return found == indexByName.end() ? nullptr : &entries[found->second];
}

bool CheckpointFile::hasCoded() const { return std::ranges::any_of(entries, &CheckpointTensor::isCoded); }
