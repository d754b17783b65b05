// The custom mutator of safetensors files: changes the header as JSON, then mostly makes its length, the offsets and
// the data fit again.
#include "JsonMutator.h"

#include "ecf8/Support/Safetensors.h"

using namespace ecf8;
using namespace ecf8::fuzz;
using nlohmann::json;

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

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize, unsigned seed) {
  Random random(seed);
  if (size < lengthBytes || random.oneIn(8))
    return LLVMFuzzerMutate(data, size, maxSize);
  uint64_t headerBytes = 0;
  for (unsigned i = 0; i < lengthBytes; ++i)
    headerBytes |= uint64_t(data[i]) << (8 * i);
  headerBytes = std::min<uint64_t>(headerBytes, size - lengthBytes);
  std::string header(reinterpret_cast<const char *>(data) + lengthBytes, headerBytes);
  std::string content(reinterpret_cast<const char *>(data) + lengthBytes + headerBytes,
                      size - lengthBytes - headerBytes);
  mutateJson(header, maxSize, random);
  if (json value = json::parse(header, nullptr, /*allow_exceptions=*/false); value.is_object() && !random.oneIn(4)) {
    content.resize(std::min<uint64_t>(repairOffsets(value, maxSize), maxSize));
    header = toText(value);
  }
  std::string text(lengthBytes, '\0');
  for (unsigned i = 0; i < lengthBytes; ++i)
    text[i] = char(header.size() >> (8 * i));
  return finishMutation(text + header + content, data, maxSize);
}
