// The custom mutator of compressed checkpoint files: changes the payloads, the header of the original or the rest, then
// mostly sets the hash of the original right again.
#include "JsonMutator.h"
#include "MemoryFile.h"
#include "PayloadMutator.h"
#include "SafetensorsMutator.h"

#include "ecf8/Checkpoint/CheckpointFile.h"
#include "ecf8/Support/Hash.h"

using namespace ecf8;
using namespace ecf8::fuzz;
using nlohmann::json;

namespace {

struct Parts {
  json header;
  std::vector<std::pair<std::string, std::string>> tensors; ///< name and bytes, in the order of the data
};

std::optional<Parts> takeApart(const std::string &file) {
  Result<SafetensorsFile> opened = SafetensorsFile::open(MemoryFile(asBytes(file)).path());
  if (!opened)
    return std::nullopt;
  Parts parts;
  uint64_t headerBytes = 0;
  for (unsigned i = 0; i < 8; ++i)
    headerBytes |= uint64_t(uint8_t(file[i])) << (8 * i);
  parts.header = json::parse(file.substr(8, headerBytes), nullptr, /*allow_exceptions=*/false);
  for (const SafetensorsTensor &tensor : opened->tensors())
    parts.tensors.emplace_back(tensor.name, file.substr(tensor.fileOffset, tensor.sizeBytes));
  return parts;
}

std::string putTogether(Parts &parts) {
  std::string content;
  for (const auto &[name, bytes] : parts.tensors) {
    parts.header[name]["data_offsets"] = {content.size(), content.size() + bytes.size()};
    content += bytes;
  }
  std::string text = toText(parts.header);
  text.resize((8 + text.size() + 63) / 64 * 64 - 8, ' ');
  std::string length(8, '\0');
  for (unsigned i = 0; i < 8; ++i)
    length[i] = char(text.size() >> (8 * i));
  return length + text + content;
}

json *metadataValue(Parts &parts, const char *key) {
  auto metadata = parts.header.find("__metadata__");
  if (metadata == parts.header.end() || !metadata->contains(key) || !(*metadata)[key].is_string())
    return nullptr;
  return &(*metadata)[key];
}

void mutatePart(Parts &parts, size_t maxSize, Random &random) {
  json *original = metadataValue(parts, metadata_key::originalHeader);
  if (original && random.oneIn(3)) {
    mutateJson(original->get_ref<std::string &>(), maxSize, random);
    return;
  }
  if (parts.tensors.empty())
    return;
  auto &[name, bytes] = parts.tensors[random.below(parts.tensors.size())];
  if (!bytes.starts_with("ECF8")) {
    LLVMFuzzerMutate(reinterpret_cast<uint8_t *>(bytes.data()), bytes.size(), bytes.size());
    return;
  }
  std::vector<uint8_t> payload(bytes.begin(), bytes.end());
  mutatePayload(payload, maxSize, random);
  bytes.assign(payload.begin(), payload.end());
  parts.header[name]["shape"] = {bytes.size()};
}

/// The hash of the original that the file's tensors give, where they can be read.
std::optional<uint64_t> hashOriginal(const std::string &file) {
  MemoryFile memory(asBytes(file));
  Result<CheckpointFile> opened = CheckpointFile::open(memory.path());
  if (!opened || !opened->isCompressed())
    return std::nullopt;
  const std::string &text = opened->originalHeader().text;
  uint8_t length[8];
  storeLittle(length, uint64_t(text.size()));
  Hasher hasher;
  hasher.update(length);
  hasher.update(asBytes(text));
  for (const CheckpointTensor &tensor : opened->tensors()) {
    Result<TensorSource> source = opened->tensor(tensor);
    if (!source)
      return std::nullopt;
    std::vector<uint8_t> bytes(tensor.sizeBytes);
    if (!source->read(0, bytes).isOk())
      return std::nullopt;
    hasher.update(bytes);
  }
  return hasher.digest();
}

} // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize, unsigned seed) {
  Random random(seed);
  std::string file(reinterpret_cast<const char *>(data), size);
  std::optional<Parts> parts = takeApart(file);
  if (!parts || random.oneIn(3)) {
    mutateSafetensors(file, maxSize, random);
    return finishMutation(file, data, maxSize);
  }
  mutatePart(*parts, maxSize, random);
  file = putTogether(*parts);
  json *hash = metadataValue(*parts, metadata_key::originalHash);
  if (std::optional<uint64_t> found = hashOriginal(file); found && hash && !random.oneIn(4)) {
    *hash = hashToHex(*found);
    file = putTogether(*parts);
  }
  return finishMutation(file, data, maxSize);
}
