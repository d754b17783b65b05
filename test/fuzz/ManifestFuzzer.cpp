// Bytes as the manifest of a bundle.
#include "Manifest.h"

#include "FuzzInput.h"

#include <algorithm>
#include <set>

using namespace ecf8;
using namespace ecf8::fuzz;

namespace {

/// bundle_m4
void checkPath(const std::string &path) {
  FUZZ_CHECK(!path.empty() && path.front() != '/');
  FUZZ_CHECK(("/" + path + "/").find("/../") == std::string::npos);
  FUZZ_CHECK(path.find('\0') == std::string::npos);
}

void checkSpecs(const std::vector<TensorSpec> &specs) {
  for (const TensorSpec &spec : specs) {
    FUZZ_CHECK(spec.type != nullptr && findElementType(spec.type->name) == spec.type);
    FUZZ_CHECK(!spec.isScalar || spec.shape.empty());
    FUZZ_CHECK(std::ranges::all_of(spec.shape, [](int64_t size) { return size >= -1; }));
    FUZZ_CHECK(!describe(spec).empty());
  }
}

void checkWeight(const WeightInfo &weight) {
  FUZZ_CHECK(weight.type != nullptr);
  FUZZ_CHECK(!weight.isCompressed || weight.type->payloadCode >= 0);
  FUZZ_CHECK(weight.isCompressed || weight.storedBytes == weight.decodedBytes);
  FUZZ_CHECK(std::ranges::all_of(weight.shape, [](int64_t size) { return size >= 0; }));
  uint64_t bytes = weight.type->sizeBytes();
  bool isEmpty = std::ranges::find(weight.shape, 0) != weight.shape.end();
  for (int64_t size : weight.shape)
    FUZZ_CHECK(isEmpty || !__builtin_mul_overflow(bytes, uint64_t(size), &bytes));
  FUZZ_CHECK(weight.decodedBytes == (isEmpty ? 0 : bytes));
  FUZZ_CHECK(weight.isTransposed || weight.storedShape == weight.shape);
  FUZZ_CHECK(std::ranges::is_permutation(weight.storedShape, weight.shape));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Result<Manifest> manifest = parseManifest({reinterpret_cast<const char *>(data), size}, "manifest.json");
  if (!manifest) {
    FUZZ_CHECK(manifest.status().message().starts_with("manifest.json: "));
    return 0;
  }
  checkPath(manifest->weightsPath);
  std::set<std::string> names;
  for (const EntryPoint &entry : manifest->entryPoints) {
    FUZZ_CHECK(names.insert(entry.name).second);
    checkSpecs(entry.inputs);
    checkSpecs(entry.outputs);
  }
  names.clear();
  for (const WeightInfo &weight : manifest->weights) {
    FUZZ_CHECK(names.insert(weight.name).second);
    checkWeight(weight);
  }
  FUZZ_CHECK(!manifest->code.empty());
  for (const CodeInfo &code : manifest->code)
    checkPath(code.path);
  return 0;
}
