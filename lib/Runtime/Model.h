// A loaded bundle: its manifest, its weights in memory, and the code for one instruction set.
#ifndef ECF8_LIB_RUNTIME_MODEL_H
#define ECF8_LIB_RUNTIME_MODEL_H

#include "Call.h"
#include "Gpu/GpuProgram.h"
#include "Manifest.h"

#include "ecf8/Support/Safetensors.h"

#include <memory>
#include <string>
#include <vector>

namespace ecf8 {

/// A shared object in the process.
class Library {
public:
  Library() = default;
  Library(Library &&other) noexcept;
  Library &operator=(Library &&other) noexcept;
  ~Library();

  static Result<Library> open(const std::string &path);
  /// Null if the symbol is not there.
  void *find(const std::string &symbol) const;

private:
  void *handle = nullptr;
};

struct LoadOptions {
  bool verifyWeights = true;
  std::string cpu;    ///< empty: ECF8_CPU of the environment, else the best
  std::string device; ///< empty: ECF8_DEVICE of the environment, else the first of the bundle's target
};

class Model {
public:
  /// Rules, besides those of the manifest and of safetensors:
  ///  * bundle_w1: weights.safetensors has the manifest's size and exactly its tensors, of its types and sizes
  ///  * bundle_w2: a compressed weight's header agrees with the manifest (docs/Format.md)
  ///  * bundle_w3: every weight has its XXH3-64
  ///  * bundle_c1: a code file has the manifest's size and XXH3-64
  ///  * bundle_c2: the machine has all features of the code that is used
  ///  * bundle_c3: the code is of the runtime's module ABI and has the symbols of all entry points
  static Result<std::unique_ptr<Model>> load(const std::string &folder, const LoadOptions &options);

  /// All rules but c2 and c3, for the code of every instruction set; runs no code.
  static Status verify(const std::string &folder);

  using EntryFunction = void (*)(void **operands);

  Manifest manifest;
  std::string folder;
  std::string cpu;
  std::string device = "cpu";           ///< for people
  std::vector<WeightView> weights;      ///< as in the manifest
  std::vector<EntryFunction> functions; ///< one per entry point
  std::unique_ptr<GpuProgram> gpu;      ///< of a bundle for GPUs

private:
  Status readManifest();
  Status bindWeights(bool verifyHashes);
  Status checkFile(const std::string &path, uint64_t sizeBytes, uint64_t hash) const;
  Status loadOnDevice(std::string device);
  Status loadCode(const CodeInfo &code);

  SafetensorsFile weightsFile;
  std::vector<std::unique_ptr<uint8_t[], void (*)(void *)>> alignedCopies; ///< of weights that the file does not align
  Library library;
};

} // namespace ecf8

#endif // ECF8_LIB_RUNTIME_MODEL_H
