// Bytes as a safetensors file; what the reader takes, the writer writes and the reader gives back.
#include "MemoryFile.h"

#include "ecf8/Support/Safetensors.h"

#include <algorithm>
#include <filesystem>

using namespace ecf8;
using namespace ecf8::fuzz;

namespace {

/// The rules of Safetensors.h that a reader's result shows.
void checkTensors(const SafetensorsFile &file) {
  uint64_t end = 0;
  for (const SafetensorsTensor &tensor : file.tensors()) {
    FUZZ_CHECK(file.find(tensor.name) != nullptr);
    FUZZ_CHECK(file.find(tensor.name)->fileOffset == tensor.fileOffset);
    FUZZ_CHECK(parseSafetensorsDType(safetensorsDTypeName(tensor.dtype)) == tensor.dtype);
    FUZZ_CHECK(safetensorsByteSize(tensor.dtype, tensor.shape) == tensor.sizeBytes);
    FUZZ_CHECK(end == 0 || tensor.fileOffset == end);
    end = tensor.fileOffset + tensor.sizeBytes;
    FUZZ_CHECK(end <= file.fileSizeBytes());
    file.releasePages(tensor);
  }
  FUZZ_CHECK(file.tensors().empty() || end == file.fileSizeBytes());
}

/// A file name for this process, removed with the object.
class ScratchFile {
public:
  ScratchFile() : name(std::filesystem::temp_directory_path() / ("ecf8-fuzz-" + std::to_string(getpid()))) {}
  ~ScratchFile() { std::filesystem::remove(name); }
  std::string path() const { return name.string(); }

private:
  std::filesystem::path name;
};

void checkRewrite(const SafetensorsFile &file) {
  std::vector<SafetensorsSpec> specs;
  for (const SafetensorsTensor &tensor : file.tensors()) {
    bool isBlob = tensor.dtype == SafetensorsDType::U8 && tensor.sizeBytes % 64 == 0;
    specs.push_back({tensor.name, tensor.dtype, tensor.shape, isBlob});
  }
  ScratchFile scratch;
  {
    Result<SafetensorsWriter> writer = SafetensorsWriter::create(scratch.path(), specs, file.metadata());
    FUZZ_CHECK(writer.isOk());
    for (size_t i = specs.size(); i-- > 0;) { // in two pieces, the last tensor first
      ByteSpan bytes = file.bytes(file.tensors()[i]);
      if (!bytes.empty())
        FUZZ_CHECK(!writer->commit().isOk());
      FUZZ_CHECK(writer->write(i, bytes.first(bytes.size() / 2)).isOk());
      FUZZ_CHECK(writer->write(i, bytes.subspan(bytes.size() / 2)).isOk());
      FUZZ_CHECK(!writer->write(i, asBytes("x")).isOk());
    }
    FUZZ_CHECK(writer->commit().isOk());
  }
  Result<SafetensorsFile> again = SafetensorsFile::open(scratch.path());
  FUZZ_CHECK(again.isOk());
  checkTensors(*again);
  FUZZ_CHECK(again->tensors().size() == specs.size());
  FUZZ_CHECK(again->metadata() == file.metadata());
  for (size_t i = 0; i < specs.size(); ++i) {
    const SafetensorsTensor *tensor = again->find(specs[i].name);
    FUZZ_CHECK(tensor && tensor->dtype == specs[i].dtype && tensor->shape == specs[i].shape);
    ByteSpan before = file.bytes(file.tensors()[i]), after = again->bytes(*tensor);
    FUZZ_CHECK(std::equal(before.begin(), before.end(), after.begin(), after.end()));
    FUZZ_CHECK(tensor->fileOffset % std::max(1u, safetensorsDTypeBits(tensor->dtype) / 8) == 0);
    FUZZ_CHECK(!specs[i].isBlob || tensor->fileOffset % 64 == 0);
  }
}

/// Specs that the writer refuses before it makes a file.
void checkRefusals(const SafetensorsFile &file) {
  auto isRefused = [&](const SafetensorsSpec &extra, const SafetensorsMetadata &metadata = {}) {
    std::vector<SafetensorsSpec> specs;
    for (const SafetensorsTensor &tensor : file.tensors())
      specs.push_back({tensor.name, tensor.dtype, tensor.shape});
    specs.push_back(extra);
    ScratchFile scratch;
    bool isMade = SafetensorsWriter::create(scratch.path(), specs, metadata).isOk();
    return !isMade && !std::filesystem::exists(scratch.path());
  };
  using enum SafetensorsDType;
  for (const SafetensorsTensor &tensor : file.tensors()) {
    FUZZ_CHECK(isRefused({tensor.name, U8, {1}}));
    FUZZ_CHECK(file.find(tensor.name + "2") || !isRefused({tensor.name + "2", tensor.dtype, tensor.shape}));
    FUZZ_CHECK(isRefused({tensor.name + "\xff", tensor.dtype, tensor.shape}));
    FUZZ_CHECK(tensor.sizeBytes % 64 == 0 || isRefused({tensor.name + "2", tensor.dtype, tensor.shape, true}));
  }
  FUZZ_CHECK(isRefused({"__metadata__", U8, {1}}));
  FUZZ_CHECK(isRefused({"huge", F64, {uint64_t(1) << 61}}));
  FUZZ_CHECK(isRefused({"half a byte", F4, {3}}));
  FUZZ_CHECK(isRefused({"new", U8, {1}}, {{"key", "\xff"}}));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  MemoryFile input({data, size});
  Result<SafetensorsFile> file = SafetensorsFile::open(input.path());
  if (!file) {
    FUZZ_CHECK(!file.status().message().empty());
    return 0;
  }
  checkTensors(*file);
  checkRewrite(*file);
  checkRefusals(*file);
  return 0;
}
