// Bytes as a safetensors file, plain or compressed: whatever can be restored is restored to the same bytes, by way of
// any preset.
#include "MemoryFile.h"
#include "ScratchFile.h"

#include "ecf8/Checkpoint/Transcode.h"
#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <fstream>
#include <iterator>

using namespace ecf8;
using namespace ecf8::fuzz;

namespace {

std::string readFile(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

CheckpointFile openAgain(const std::string &path) {
  Result<CheckpointFile> file = CheckpointFile::open(path);
  FUZZ_CHECK(file.isOk());
  return file.take();
}

/// Each tensor by itself. A payload bounds its elements, so memory is bounded by the file.
void readTensors(const CheckpointFile &file) {
  for (const CheckpointTensor &tensor : file.tensors()) {
    FUZZ_CHECK(file.find(tensor.name) && file.find(tensor.name)->storedOffset == tensor.storedOffset);
    FUZZ_CHECK(tensor.storedOffset + tensor.storedBytes <= file.fileBytes());
    Result<TensorSource> source = file.tensor(tensor);
    if (!source)
      continue;
    FUZZ_CHECK(tensor.sizeBytes <= 3 * file.fileBytes());
    std::vector<uint8_t> bytes(tensor.sizeBytes);
    Status status = source->read(0, bytes);
    FUZZ_CHECK(status.isOk() || source->decoder());
  }
}

/// Compresses `source`, whose original is `original`, and restores it.
void checkRoundTrip(const CheckpointFile &source, const std::string &original, Preset preset) {
  ScratchFile compressed("compressed"), restored("restored");
  WorkOptions options;
  FUZZ_CHECK(compressFile(source, compressed.path(), preset, options).isOk());
  CheckpointFile file = openAgain(compressed.path());
  FUZZ_CHECK(file.isCompressed() && file.info().originalHash == hashBytes(asBytes(original)));
  FUZZ_CHECK(verifyFile(file, options).isOk());
  FUZZ_CHECK(decompressFile(file, restored.path(), options).isOk());
  FUZZ_CHECK(readFile(restored.path()) == original);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::span<const uint8_t> bytes(data, size);
  MemoryFile input(bytes);
  Result<CheckpointFile> file = CheckpointFile::open(input.path());
  if (!file) {
    FUZZ_CHECK(!file.status().message().empty());
    return 0;
  }
  readTensors(*file);
  auto preset = Preset(hashBytes(bytes) % 5);
  WorkOptions options;
  if (!file->isCompressed()) {
    FUZZ_CHECK(!verifyFile(*file, options).isOk());
    bool isMetadataFree = std::ranges::none_of(file->originalHeader().metadata, [](const auto &entry) {
      return entry.first.starts_with(metadata_key::prefix); // the writer has a say in these
    });
    if (isMetadataFree)
      checkRoundTrip(*file, {reinterpret_cast<const char *>(data), size}, preset);
    return 0;
  }
  bool isVerified = verifyFile(*file, options).isOk();
  ScratchFile restored("original");
  bool isRestored = decompressFile(*file, restored.path(), options).isOk();
  FUZZ_CHECK(isRestored || !isVerified);
  FUZZ_CHECK(restored.exists() == isRestored);
  if (!isRestored) {
    // Nor can it be converted: a payload that says wrong things of its elements is refused whatever is made of it.
    ScratchFile compressed("compressed");
    FUZZ_CHECK(!compressFile(*file, compressed.path(), preset, options).isOk());
    FUZZ_CHECK(!compressed.exists());
    return 0;
  }
  std::string original = readFile(restored.path());
  FUZZ_CHECK(hashBytes(asBytes(original)) == file->info().originalHash);
  FUZZ_CHECK(!openAgain(restored.path()).isCompressed());
  checkRoundTrip(*file, original, preset);
  return 0;
}
