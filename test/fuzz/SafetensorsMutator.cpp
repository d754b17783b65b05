// Mutations of safetensors files that keep length, offsets and data in step.
#include "SafetensorsMutator.h"

#include "JsonMutator.h"

#include "ecf8/Support/Safetensors.h"

using nlohmann::json;

namespace ecf8::fuzz {
namespace {

constexpr size_t lengthBytes = 8;

/// Lays the tensors out one behind the other, by their dtypes and shapes. Returns the bytes of data.
uint64_t repairOffsets(json &header, size_t maxSize) {
  uint64_t end = 0;
  for (auto &[name, entry] : header.get_ref<json::object_t &>()) {
    if (name == "__metadata__" || !entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
        !entry.contains("shape") || !entry["shape"].is_array())
      continue;
    auto dtype = parseSafetensorsDType(entry["dtype"].get<std::string>());
    std::vector<uint64_t> shape;
    for (const json &size : entry["shape"])
      if (size.is_number_unsigned())
        shape.push_back(size.get<uint64_t>());
    std::optional<uint64_t> bytes;
    if (dtype)
      bytes = safetensorsByteSize(*dtype, shape);
    if (!bytes || *bytes > maxSize)
      continue;
    entry["data_offsets"] = {end, end + *bytes};
    end += *bytes;
  }
  return end;
}

} // namespace

void mutateSafetensors(std::string &file, size_t maxSize, Random &random) {
  if (file.size() < lengthBytes || random.oneIn(8)) {
    mutateFreely(file, maxSize);
    return;
  }
  uint64_t headerBytes = 0;
  for (unsigned i = 0; i < lengthBytes; ++i)
    headerBytes |= uint64_t(uint8_t(file[i])) << (8 * i);
  headerBytes = std::min<uint64_t>(headerBytes, file.size() - lengthBytes);
  std::string header = file.substr(lengthBytes, headerBytes), content = file.substr(lengthBytes + headerBytes);
  mutateJson(header, maxSize, random);
  if (json value = json::parse(header, nullptr, /*allow_exceptions=*/false); value.is_object() && !random.oneIn(4)) {
    content.resize(std::min<uint64_t>(repairOffsets(value, maxSize), maxSize));
    header = toText(value);
  }
  std::string length(lengthBytes, '\0');
  for (unsigned i = 0; i < lengthBytes; ++i)
    length[i] = char(header.size() >> (8 * i));
  file = length + header + content;
}

} // namespace ecf8::fuzz
