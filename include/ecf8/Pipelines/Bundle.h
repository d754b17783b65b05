// Writes a bundle: the folder with manifest, weights and code that the runtime loads.
#ifndef ECF8_PIPELINES_BUNDLE_H
#define ECF8_PIPELINES_BUNDLE_H

#include "ecf8/Pipelines/CpuLevels.h"
#include "ecf8/Support/File.h"
#include "ecf8/Support/Safetensors.h"
#include "ecf8/Support/Status.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/JSON.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mlir::ecf8 {

/// The type of an input or output: -1 is a dynamic dimension, no shape at all is a scalar.
struct BundleTensorType {
  std::string dtype; ///< f8E4M3FN, f32, i64, ui8 ...
  std::optional<std::vector<int64_t>> shape;
};

/// A function that the runtime can call.
struct BundleEntryPoint {
  std::string name;
  std::string symbol; ///< `ecf8_entry_<n>` in the code
  std::vector<BundleTensorType> inputs;
  std::vector<BundleTensorType> outputs;
};

/// What kernels of GPUs need besides the payload of a compressed weight.
struct BundleGpuWeight {
  std::optional<size_t> table; ///< the position of the weight with the table of its code (`buildSegmentTable`)
  uint64_t slotBytes = 0;      ///< the longest stream of a tile
  std::string layout;          ///< bytes [40, 52) of the payload's header, as hexadecimal digits
};

/// The kernels of a bundle for one GPU architecture.
struct BundleKernels {
  std::string gpu;    ///< sm_90
  std::string format; ///< ptx or llvm-ir
  std::string path;   ///< inside the bundle; set by the writer
  uint64_t sizeBytes = 0, hash = 0;
};

/// A weight; its position in the list is the index that the code asks the runtime for.
struct BundleWeight {
  std::string name;
  std::string dtype;          ///< of the decoded elements
  std::vector<int64_t> shape; ///< as the program has it
  bool isTransposed = false;  ///< what is stored has its last two dimensions exchanged
  std::string encoding;       ///< the encoding attribute as text; empty for a plain tensor
  ::ecf8::ByteSpan content;   ///< the payload, or the plain elements; valid until it is written
  std::optional<BundleGpuWeight> gpu;

  /// The shape of what is stored, decoded.
  std::vector<int64_t> getStoredShape() const;
};

/// Assembles a bundle in a temporary folder next to `path`. Without a successful `commit` the temporary folder is
/// removed and whatever stood at `path` is untouched.
class BundleWriter {
public:
  BundleWriter() = default;
  BundleWriter(const BundleWriter &) = delete;
  BundleWriter &operator=(const BundleWriter &) = delete;
  ~BundleWriter();

  /// Fails when `path` cannot be written, or holds something that is neither a bundle nor an empty folder.
  ::ecf8::Status create(const std::string &path);

  /// Writes weights.safetensors. Once. After each piece of weight i calls `pieceWritten(i)`: what the caller read
  /// into memory of it so far is not needed any more.
  ::ecf8::Status writeWeights(const std::vector<BundleWeight> &weights, llvm::function_ref<void(size_t)> pieceWritten);

  /// Where the linker is to write the code of `level`.
  std::string getCodePath(const CpuLevel &level) const;
  /// Takes over the file at `getCodePath(level)`, under a name with its hash. Best level first.
  ::ecf8::Status addCode(const CpuLevel &level);

  /// Writes the kernels of a GPU architecture, `ptx` or `llvm-ir` by `kernels.format`; what else the manifest has of
  /// GPUs. `target` is cuda or simt, `assertions` are the messages that kernels give numbers of.
  ::ecf8::Status addKernels(BundleKernels kernels, llvm::ArrayRef<char> content);
  void setGpuTarget(llvm::StringRef target, std::vector<std::string> assertions);

  /// Writes the manifest and moves the bundle to its place. Replaces an older bundle in one step.
  ::ecf8::Status commit(const std::vector<BundleEntryPoint> &entryPoints);

  /// Size of all files of the bundle, known after `commit`.
  uint64_t getTotalBytes() const { return totalBytes; }

private:
  struct Code {
    std::string path;
    const CpuLevel *level;
    uint64_t sizeBytes;
    uint64_t hash;
  };
  struct WeightRecord {
    BundleWeight weight; ///< without its content
    uint64_t sizeBytes;
    uint64_t hash;
  };
  void printKernels(llvm::json::OStream &stream) const;
  std::string printManifest(const std::vector<BundleEntryPoint> &entryPoints) const;

  std::string finalPath;      ///< links resolved
  std::string registeredPath; ///< what removeTemporaryBundles knows
  std::string temporaryPath;  ///< empty where there is nothing to remove
  std::vector<Code> codes;
  std::vector<WeightRecord> weightRecords;
  std::string target = "cpu";
  std::vector<BundleKernels> kernels;
  std::vector<std::string> assertions;
  uint64_t weightsFileBytes = 0;
  uint64_t totalBytes = 0;
};

/// Removes the temporary folders of all bundles that are being written, for a process that a signal is about to end:
/// writers that would commit or go away later wait forever. Not for a signal handler itself, but for a thread.
void removeTemporaryBundles();

/// The dtype of a safetensors file for one of the manifest's, such as F8_E4M3 for f8E4M3FN; nothing where there is
/// none.
std::optional<::ecf8::SafetensorsDType> getSafetensorsDType(llvm::StringRef dtype);

} // namespace mlir::ecf8

#endif // ECF8_PIPELINES_BUNDLE_H
