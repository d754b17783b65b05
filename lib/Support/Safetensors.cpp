// Reading and writing safetensors files.
#include "ecf8/Support/Safetensors.h"

#include "ecf8/Support/Json.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <tuple>

using namespace ecf8;
using nlohmann::json;

namespace {

struct DTypeInfo {
  std::string_view name;
  unsigned bits;
};

// In the order of the enumeration.
constexpr DTypeInfo dtypes[] = {
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6},     {"F6_E3M2", 6},     {"U8", 8},      {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E5M2FNUZ", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E8M0", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},       {"I32", 32},        {"U32", 32},    {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},        {"U64", 64},
};

} // namespace

std::string_view ecf8::safetensorsDTypeName(SafetensorsDType dtype) { return dtypes[static_cast<size_t>(dtype)].name; }
unsigned ecf8::safetensorsDTypeBits(SafetensorsDType dtype) { return dtypes[static_cast<size_t>(dtype)].bits; }

std::optional<SafetensorsDType> ecf8::parseSafetensorsDType(std::string_view name) {
  for (size_t i = 0; i < std::size(dtypes); ++i)
    if (dtypes[i].name == name)
      return static_cast<SafetensorsDType>(i);
  return std::nullopt;
}

std::optional<uint64_t> ecf8::safetensorsByteSize(SafetensorsDType dtype, const std::vector<uint64_t> &shape) {
  uint64_t bits = safetensorsDTypeBits(dtype);
  // A zero anywhere makes the product zero, whatever the order of the factors.
  if (std::find(shape.begin(), shape.end(), 0) != shape.end())
    return 0;
  for (uint64_t dim : shape)
    if (__builtin_mul_overflow(bits, dim, &bits))
      return std::nullopt;
  if (bits % 8 != 0)
    return std::nullopt;
  return bits / 8;
}

//===-- Reader
//------------------------------------------------------------------------------------------------------===//

/// Reads one entry of the header; `file_offset` counts from the data section here. Rules r3 and r4.
static Result<SafetensorsTensor> parseEntry(const std::string &name, const json &entry) {
  auto bad = [&](const std::string &message) {
    return Status(StatusCode::Corrupt, "tensor '" + name + "': " + message);
  };
  if (!entry.is_object())
    return bad("expected an object with dtype, shape and data_offsets, got " + std::string(entry.type_name()));
  for (const auto &[key, value] : entry.items())
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      return bad("expected only dtype, shape and data_offsets, got '" + key + "'");

  SafetensorsTensor tensor;
  tensor.name = name;
  auto dtype = entry.find("dtype");
  if (dtype == entry.end() || !dtype->is_string())
    return bad("expected a dtype name, got none");
  const auto &dtypeName = dtype->get_ref<const std::string &>();
  if (auto parsed = parseSafetensorsDType(dtypeName))
    tensor.dtype = *parsed;
  else
    return bad("expected a known dtype such as F8_E4M3, BF16 or F32, got '" + dtypeName + "'");

  auto shape = entry.find("shape");
  if (shape == entry.end() || !shape->is_array())
    return bad("expected a shape, got none");
  for (const json &dim : *shape) {
    if (!dim.is_number_unsigned())
      return bad("expected dimensions that are non-negative integers, got " + dim.dump());
    tensor.shape.push_back(dim.get<uint64_t>());
  }

  auto offsets = entry.find("data_offsets");
  if (offsets == entry.end() || !offsets->is_array() || offsets->size() != 2 || !(*offsets)[0].is_number_unsigned() ||
      !(*offsets)[1].is_number_unsigned())
    return bad(
        "expected data_offsets of two non-negative integers, got " +
        (offsets == entry.end() ? std::string("none") : offsets->dump(-1, ' ', false, json::error_handler_t::replace)));
  uint64_t begin = (*offsets)[0].get<uint64_t>(), end = (*offsets)[1].get<uint64_t>();
  if (begin > end)
    return bad("expected data_offsets in ascending order, got [" + std::to_string(begin) + ", " + std::to_string(end) +
               "]");
  std::optional<uint64_t> expected = safetensorsByteSize(tensor.dtype, tensor.shape);
  if (!expected)
    return bad("expected a shape of a whole number of bytes below 2^61, got " + shape->dump());
  if (*expected != end - begin)
    return bad("expected " + std::to_string(*expected) + " bytes for " + dtypeName + shape->dump() +
               ", got data_offsets of " + std::to_string(end - begin) + " bytes");
  tensor.fileOffset = begin;
  tensor.sizeBytes = end - begin;
  return tensor;
}

/// The number in the first 8 bytes.
static uint64_t loadLength(ByteSpan first) {
  uint64_t length = 0;
  for (unsigned i = 0; i < 8; ++i)
    length |= uint64_t(first[i]) << (8 * i);
  return length;
}

std::string_view ecf8::nameForeignFormat(ByteSpan first) {
  // A header of 640 bytes begins like a pickle.
  if (first.size() < 4 || (first.size() >= 8 && loadLength(first) <= safetensorsMaxHeaderBytes))
    return "";
  std::string_view magic(reinterpret_cast<const char *>(first.data()), 4);
  if (magic == "GGUF")
    return "GGUF file";
  bool isPickle = first[0] == 0x80 && first[1] >= 2 && first[1] <= 5; // the protocols that begin with their number
  return magic == "PK\3\4" || isPickle ? "PyTorch pickle" : "";
}

/// The header's length, given the first bytes of a file. safetensors_r1
static Result<uint64_t> parseLength(ByteSpan first, uint64_t fileBytes) {
  auto bad = [](const std::string &message) { return Status(StatusCode::Corrupt, message); };
  if (std::string_view format = nameForeignFormat(first); !format.empty())
    return bad("expected a safetensors file, got a " + std::string(format));
  if (fileBytes < 8)
    return bad("expected a safetensors file of at least 8 bytes, got " + std::to_string(fileBytes) +
               " bytes (truncated?)");
  uint64_t headerBytes = loadLength(first);
  if (headerBytes < 2 || headerBytes > safetensorsMaxHeaderBytes)
    return bad("byte 0: expected a safetensors header length of 2 to " + std::to_string(safetensorsMaxHeaderBytes) +
               ", got " + std::to_string(headerBytes));
  if (headerBytes > fileBytes - 8)
    return bad("byte 8: expected a header of " + std::to_string(headerBytes) +
               " bytes, got the end of the file at byte " + std::to_string(fileBytes) + " (truncated?)");
  return headerBytes;
}

/// safetensors_r5
static Status placeTensors(std::vector<SafetensorsTensor> &tensors, uint64_t dataStart, uint64_t fileBytes) {
  auto bad = [](const std::string &message) { return Status(StatusCode::Corrupt, message); };
  // Empty tensors sort before the one that begins at the same place.
  std::sort(tensors.begin(), tensors.end(), [](const SafetensorsTensor &a, const SafetensorsTensor &b) {
    return std::tie(a.fileOffset, a.sizeBytes, a.name) < std::tie(b.fileOffset, b.sizeBytes, b.name);
  });
  uint64_t dataBytes = fileBytes - dataStart, covered = 0;
  for (SafetensorsTensor &tensor : tensors) {
    if (tensor.fileOffset != covered)
      return bad("tensor '" + tensor.name + "': expected data at byte " + std::to_string(dataStart + covered) +
                 " (no holes, no overlaps), got byte offset " + std::to_string(tensor.fileOffset) + " after byte " +
                 std::to_string(dataStart));
    if (tensor.sizeBytes > dataBytes - covered)
      return bad("tensor '" + tensor.name + "': expected " + std::to_string(tensor.sizeBytes) + " bytes at byte " +
                 std::to_string(dataStart + covered) + ", got the end of the file at byte " +
                 std::to_string(fileBytes) + " (truncated?)");
    covered += tensor.sizeBytes;
    tensor.fileOffset += dataStart;
  }
  if (covered != dataBytes)
    return bad("byte " + std::to_string(dataStart + covered) +
               ": expected the end of the file after the last tensor, got " + std::to_string(dataBytes - covered) +
               " more bytes");
  return Status::ok();
}

Result<SafetensorsHeader> ecf8::parseSafetensorsHeader(std::string_view text, uint64_t fileBytes) {
  auto bad = [](const std::string &message) { return Status(StatusCode::Corrupt, message); };
  // safetensors_r1
  uint8_t length[8];
  for (unsigned i = 0; i < 8; ++i)
    length[i] = static_cast<uint8_t>(uint64_t(text.size()) >> (8 * i));
  if (Result<uint64_t> headerBytes = parseLength(length, fileBytes); !headerBytes)
    return headerBytes.status();
  if (text[0] != '{')
    return bad("byte 8: expected a header that begins with '{', got byte value " +
               std::to_string(static_cast<uint8_t>(text[0])));

  // safetensors_r2
  Result<json> parsed = parseJson(text, /*baseOffset=*/8);
  if (!parsed)
    return parsed.status().in("header");

  SafetensorsHeader header;
  header.text = text;
  for (const auto &[name, entry] : parsed->items()) {
    if (name == "__metadata__") {
      // safetensors_r6
      if (!entry.is_object())
        return bad("__metadata__: expected an object, got " + std::string(entry.type_name()));
      for (const auto &[key, value] : entry.items()) {
        if (!value.is_string())
          return bad("__metadata__: expected a string for '" + key + "', got " + value.type_name());
        header.metadata.emplace(key, value.get<std::string>());
      }
      continue;
    }
    Result<SafetensorsTensor> tensor = parseEntry(name, entry);
    if (!tensor)
      return tensor.status();
    header.tensors.push_back(tensor.take());
  }
  if (Status status = placeTensors(header.tensors, header.dataOffset(), fileBytes); !status.isOk())
    return status;
  return header;
}

Result<SafetensorsHeader> ecf8::readSafetensorsHeader(const InputFile &file) {
  uint8_t bytes[8] = {};
  std::span<uint8_t> first = std::span(bytes).first(std::min<uint64_t>(file.sizeBytes(), sizeof bytes));
  if (Status status = file.readAt(0, first); !status.isOk())
    return status;
  Result<uint64_t> headerBytes = parseLength(first, file.sizeBytes());
  if (!headerBytes)
    return headerBytes.status().in(file.path());
  std::string text(*headerBytes, '\0');
  if (Status status = file.readAt(8, {reinterpret_cast<uint8_t *>(text.data()), text.size()}); !status.isOk())
    return status;
  Result<SafetensorsHeader> header = parseSafetensorsHeader(text, file.sizeBytes());
  if (!header)
    return header.status().in(file.path());
  return header;
}

Result<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  Result<MappedFile> mapped = MappedFile::open(path);
  if (!mapped)
    return mapped.status();
  SafetensorsFile result;
  result.file = mapped.take();
  ByteSpan bytes = result.file.bytes();
  Result<uint64_t> headerBytes = parseLength(bytes, bytes.size());
  if (!headerBytes)
    return headerBytes.status().in(path);
  Result<SafetensorsHeader> header = parseSafetensorsHeader(
      {reinterpret_cast<const char *>(bytes.data()) + 8, static_cast<size_t>(*headerBytes)}, bytes.size());
  if (!header)
    return header.status().in(path);
  result.entries = std::move(header->tensors);
  result.metadataMap = std::move(header->metadata);
  for (size_t i = 0; i < result.entries.size(); ++i)
    result.indexByName.emplace(result.entries[i].name, i);
  return result;
}

const SafetensorsTensor *SafetensorsFile::find(std::string_view name) const {
  auto found = indexByName.find(name);
  return found == indexByName.end() ? nullptr : &entries[found->second];
}

//===-- Writer
//------------------------------------------------------------------------------------------------------===//

Result<std::string> ecf8::printSafetensorsEntry(std::string_view name, SafetensorsDType dtype,
                                                const std::vector<uint64_t> &shape, uint64_t dataOffset,
                                                uint64_t sizeBytes) {
  Result<std::string> key = printJson(name);
  if (!key)
    return key;
  json entry = {
      {"dtype", safetensorsDTypeName(dtype)}, {"shape", shape}, {"data_offsets", {dataOffset, dataOffset + sizeBytes}}};
  return *key + ":" + entry.dump();
}

/// Larger comes first in the file.
static unsigned placementRank(const SafetensorsSpec &spec, uint64_t sizeBytes) {
  if (spec.isBlob)
    return 1000;
  return sizeBytes % 64 == 0 ? 999 : safetensorsDTypeBits(spec.dtype);
}

Result<SafetensorsWriter> SafetensorsWriter::create(const std::string &path, std::vector<SafetensorsSpec> specs,
                                                    const SafetensorsMetadata &metadata) {
  auto bad = [&](const std::string &message) { return Status(StatusCode::InvalidArgument, path + ": " + message); };
  std::vector<SafetensorsTensor> places;
  std::set<std::string_view> names = {"__metadata__"};
  for (const SafetensorsSpec &spec : specs) {
    if (!names.insert(spec.name).second)
      return bad("tensor name '" + spec.name + "' is used twice or reserved");
    std::optional<uint64_t> sizeBytes = safetensorsByteSize(spec.dtype, spec.shape);
    if (!sizeBytes)
      return bad("tensor '" + spec.name + "': expected a whole number of bytes below 2^61");
    if (spec.isBlob && *sizeBytes % 64 != 0)
      return bad("tensor '" + spec.name + "': expected a payload of a multiple of 64 bytes, got " +
                 std::to_string(*sizeBytes));
    places.push_back({spec.name, spec.dtype, spec.shape, 0, *sizeBytes});
  }

  std::vector<size_t> order(specs.size());
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    unsigned rankA = placementRank(specs[a], places[a].sizeBytes), rankB = placementRank(specs[b], places[b].sizeBytes);
    return rankA != rankB ? rankA > rankB : a < b;
  });
  uint64_t end = 0;
  for (size_t i : order) {
    places[i].fileOffset = end;
    if (__builtin_add_overflow(end, places[i].sizeBytes, &end))
      return bad("expected less than 2^64 bytes of tensors, got more");
  }

  // Keys in the order of the data, as upstream's writer does; put together here because a JSON object would sort them.
  std::string text = "{";
  auto addEntry = [&](const std::string &entry) { text += (text.size() > 1 ? "," : "") + entry; };
  if (!metadata.empty()) {
    Result<std::string> entry = printJson(metadata);
    if (!entry)
      return bad("expected names and metadata in UTF-8, got other bytes");
    addEntry("\"__metadata__\":" + *entry);
  }
  for (size_t i : order) {
    const SafetensorsTensor &place = places[i];
    Result<std::string> entry =
        printSafetensorsEntry(place.name, place.dtype, place.shape, place.fileOffset, place.sizeBytes);
    if (!entry)
      return bad("expected names and metadata in UTF-8, got other bytes");
    addEntry(*entry);
  }
  text += "}";
  text.resize((8 + text.size() + 63) / 64 * 64 - 8, ' ');
  if (text.size() > safetensorsMaxHeaderBytes)
    return bad("expected a header of at most " + std::to_string(safetensorsMaxHeaderBytes) + " bytes, got " +
               std::to_string(text.size()));

  Result<AtomicFile> output = AtomicFile::create(path);
  if (!output)
    return output.status();
  uint8_t length[8];
  for (unsigned i = 0; i < 8; ++i)
    length[i] = static_cast<uint8_t>(text.size() >> (8 * i));
  if (Status status = output->append(length); !status.isOk())
    return status;
  if (Status status = output->append(asBytes(text)); !status.isOk())
    return status;

  SafetensorsWriter writer(output.take());
  writer.path = path;
  for (SafetensorsTensor &place : places)
    place.fileOffset += 8 + text.size();
  writer.totalBytes = 8 + text.size() + end;
  writer.writtenBytes.resize(places.size());
  writer.places = std::move(places);
  return writer;
}

Status SafetensorsWriter::write(size_t index, ByteSpan bytes) {
  const SafetensorsTensor &place = places.at(index);
  uint64_t &done = writtenBytes[index];
  if (bytes.size() > place.sizeBytes - done)
    return Status(StatusCode::InvalidArgument, path + ": tensor '" + place.name + "': expected " +
                                                   std::to_string(place.sizeBytes) + " bytes, got " +
                                                   std::to_string(done + bytes.size()));
  Status status = output.writeAt(place.fileOffset + done, bytes);
  done += bytes.size();
  return status;
}

Status SafetensorsWriter::commit() {
  for (size_t i = 0; i < places.size(); ++i)
    if (writtenBytes[i] != places[i].sizeBytes)
      return Status(StatusCode::InvalidArgument, path + ": tensor '" + places[i].name + "': expected " +
                                                     std::to_string(places[i].sizeBytes) + " bytes, got " +
                                                     std::to_string(writtenBytes[i]));
  return output.commit();
}
