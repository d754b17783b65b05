// The manifest of a bundle, parsed and checked against the rules that need no other file.
#ifndef ECF8_LIB_RUNTIME_MANIFEST_H
#define ECF8_LIB_RUNTIME_MANIFEST_H

#include "ecf8-c/DLPack.h"
#include "ecf8/Support/Safetensors.h"
#include "ecf8/Support/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ecf8 {

/// An element type of the manifest: its MLIR name and what it is in DLPack and in safetensors.
struct ElementType {
  const char *name;
  DLDataType dlDtype;
  SafetensorsDType stored;
  int8_t payloadCode; ///< elementType byte of a compressed payload; -1: never compressed
  unsigned sizeBytes() const { return (dlDtype.bits + 7u) / 8u; }
};

/// Null for names that are not known.
const ElementType *findElementType(std::string_view name);

struct TensorSpec {
  const ElementType *type = nullptr;
  bool isScalar = false;
  std::vector<int64_t> shape; ///< -1: dynamic
};

struct EntryPoint {
  std::string name;
  std::string symbol;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
};

/// What kernels of GPUs need besides a payload.
struct GpuWeightInfo {
  std::string layout;          ///< bytes [40, 52) of the payload's header, as hexadecimal digits
  uint64_t slotBytes = 0;      ///< the longest stream of a tile
  std::optional<size_t> table; ///< the weight with the table of the code
};

struct WeightInfo {
  std::string name;
  bool isCompressed = false;
  const ElementType *type = nullptr;
  std::vector<int64_t> shape;       ///< as the program has it
  std::vector<int64_t> storedShape; ///< the same, or with the last two dimensions exchanged
  bool isTransposed = false;        ///< the latter
  std::string encoding;             ///< empty for plain weights
  uint64_t storedBytes = 0;
  uint64_t decodedBytes = 0;
  uint64_t hash = 0;
  GpuWeightInfo gpu;    ///< of compressed weights in a bundle for GPUs
  bool isTable = false; ///< the table of another weight, which no code asks for
};

/// The kernels for one architecture of GPUs.
struct KernelInfo {
  std::string path; ///< inside the bundle
  std::string gpu;  ///< sm_90
  uint64_t sizeBytes = 0;
  uint64_t hash = 0;
};

struct CodeInfo {
  std::string path; ///< inside the bundle
  std::string cpu;
  std::vector<std::string> features;
  uint64_t sizeBytes = 0;
  uint64_t hash = 0;
};

struct Manifest {
  std::string producer;
  std::vector<EntryPoint> entryPoints;
  std::string weightsPath; ///< inside the bundle
  uint64_t weightsFileBytes = 0;
  std::vector<WeightInfo> weights;     ///< by their index
  std::vector<CodeInfo> code;          ///< best first
  std::string target = "cpu";          ///< cpu, cuda or simt
  std::vector<KernelInfo> kernels;     ///< none: a program without work for a GPU
  std::vector<std::string> assertions; ///< messages of assertions in kernels, by number
};

/// Reads `text`, the content of `path` (for messages). Rules:
///  * bundle_m1: "format" is "ecf8-bundle", "version" is 1, "module_abi" is the runtime's, "target" is "cpu",
///    "cuda" or "simt"
///  * bundle_m2: every name in "required_features" is known to the runtime ("transposed_weights", "gpu_kernels");
///    "gpu_kernels" is there for "cuda" and "simt", and not for "cpu"
///  * bundle_m3: each field has its type; names of entry points and weights are unique; indices are 0, 1, 2 ...
///  * bundle_m4: paths stay inside the bundle
///  * bundle_m5: for GPUs a compressed weight has its "gpu" object, whose table is a plain weight of i32, of no other
///  one
Result<Manifest> parseManifest(std::string_view text, const std::string &path);

/// Whether a file of the bundle has the manifest's size and XXH3-64.
Status checkContent(ByteSpan content, uint64_t sizeBytes, uint64_t hash);

/// "f32 [4, ?]", "i64 scalar"
std::string describe(const TensorSpec &spec);

} // namespace ecf8

#endif // ECF8_LIB_RUNTIME_MANIFEST_H
