// What a model for GPUs has there: its weights, its kernels, and the memory of a call.
#ifndef ECF8_LIB_RUNTIME_GPU_GPUPROGRAM_H
#define ECF8_LIB_RUNTIME_GPU_GPUPROGRAM_H

#include "../Call.h"
#include "../Manifest.h"
#include "GpuMemory.h"

#include "ecf8/Runtime/ModuleABI.h"

#include <memory>
#include <mutex>
#include <span>

namespace ecf8 {

/// A GPU that a program can be loaded on: "cuda:0", "simt".
struct GpuName {
  std::string target; ///< of the manifest: cuda or simt
  int32_t ordinal = 0;

  static Result<GpuName> parse(const std::string &text);
  std::string text() const { return target == "simt" ? target : target + ":" + std::to_string(ordinal); }
};

/// Calls of one program come one after the other. After an error the next call may work, unless the GPU itself was
/// lost: then the program says so, and a program that is loaded anew finds a GPU that works.
///
/// Rules, besides those of the manifest:
///  * bundle_g1: the GPU's architecture is one that the bundle has kernels for
///  * bundle_g2: the kernels' file has the manifest's size and XXH3-64
///  * bundle_g3: the kernels were made for weights of the manifest's layouts
///  * bundle_g4: a payload has the layout of the manifest, and where its codes need a table that is there
class GpuProgram {
public:
  /// `hostWeights` have to stay where they are; `gpu` is of the manifest's target.
  static Result<std::unique_ptr<GpuProgram>> load(const Manifest &manifest, const std::string &folder,
                                                  std::span<const WeightView> hostWeights, const GpuName &gpu);
  ~GpuProgram();
  GpuProgram(const GpuProgram &) = delete;

  /// To be held during a call.
  std::mutex mutex;

  /// The weights on the GPU, as in the manifest. A compressed one is an image: its payload, then at the next multiple
  /// of 256 the table of its code.
  std::span<const WeightView> weights() const { return images; }
  /// "NVIDIA H100 80GB HBM3"
  const std::string &deviceName() const { return device; }
  const GpuName &name() const { return gpu; }

  // Within a call.
  Status begin();
  Result<void *> upload(const void *host, uint64_t bytes);
  Status download(void *host, const void *source, uint64_t bytes);
  /// Waits for the kernels of the call, and says what they have to say.
  Status finish();
  /// Releases the memory of the call. After a failed one also what its kernels may have left in a state of their own.
  void end(bool hasFailed);

  // For the imports of compiled code (EcfModuleImports, EcfGpuImports).
  Result<void *> allocate(uint64_t bytes);
  void release(void *pointer) { memory.release(pointer); }
  Status launch(const char *kernel, int64_t gridX, int64_t gridY, int64_t blockX, int64_t sharedBytes,
                void **parameters, int64_t count);
  Status copy(void *destination, const void *source, int64_t bytes);
  Status write(void *destination, const void *host, int64_t bytes);
  Result<const void *> constant(const void *host, int64_t bytes);
  Result<void *> workspace(int64_t which, int64_t bytes);
  Result<int64_t> slot(const void *payload) const;
  Result<const void *> header(const void *payload) const;
  int64_t processors() const { return processorCount; }
  int64_t sharedBytes() const { return sharedByteCount; }

private:
  GpuProgram(const GpuLibrary &library, const Manifest &manifest, const GpuName &gpu)
      : memory(library, gpu.text(), [this] { makeRoom(); }), library(library), manifest(manifest), gpu(gpu) {}
  Status loadKernels(const std::string &folder, const EcfGpuDevice &description);
  Status loadWeights(std::span<const WeightView> hostWeights);
  Status checkDevice();
  /// Gives back what calls have left on this GPU, those of all programs of the process that have no call now.
  void makeRoom();
  /// What went wrong. A kernel that has failed is known at a later call only.
  Status lastStatus(Status status) const;
  Status lastStatus() const { return lastStatus(library.lastStatus()); }

  /// What code asks for of a compressed weight.
  struct CompressedImage {
    int64_t slotBytes;
    const void *header; ///< of the payload in the host's memory
  };
  Result<const CompressedImage *> find(const void *payload) const;

  struct Buffer {
    void *data = nullptr;
    uint64_t bytes = 0;
  };

  GpuMemory memory;
  const GpuLibrary &library;
  const Manifest &manifest;
  GpuName gpu;
  std::string device;
  int64_t processorCount = 0, sharedByteCount = 0;
  uint64_t resets = 0;
  bool isLost = false;
  void *stream = nullptr, *module = nullptr;
  std::vector<Buffer> owned; ///< of images and constants
  std::vector<WeightView> images;
  std::unordered_map<const void *, CompressedImage> compressed; ///< by address
  std::unordered_map<const char *, void *> kernels;             ///< by the address of their name in the code
  std::unordered_map<const void *, const void *> constants;
  Buffer workspaces[3];
  std::string lastKernel;
};

/// The table that code for GPUs gets; it finds the running call through a variable of the thread.
const EcfGpuImports &gpuImports();

} // namespace ecf8

#endif // ECF8_LIB_RUNTIME_GPU_GPUPROGRAM_H
