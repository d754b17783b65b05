// The functions of a GPU runtime, in a library that is loaded when a bundle needs it: libECF8Cuda.so over the CUDA
// driver, or libECF8Simt.so, which runs kernels on the CPU.
#ifndef ECF8_LIB_RUNTIME_GPU_GPULIBRARY_H
#define ECF8_LIB_RUNTIME_GPU_GPULIBRARY_H

#include "ecf8-c/GPU.h"
#include "ecf8/Support/Status.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace ecf8 {

/// The functions are those that MLIR's lowering of GPU programs calls. Each keeps what went wrong for `lastStatus`.
struct GpuLibrary {
  EcfStatusCode (*open)(int32_t ordinal, EcfGpuDevice *device);
  uint64_t (*resets)(int32_t ordinal);
  const char *(*lastError)(EcfStatusCode *code);
  void (*setDefaultDevice)(int32_t ordinal);
  void *(*moduleLoad)(void *data, size_t bytes);
  void (*moduleUnload)(void *module);
  void *(*moduleGetFunction)(void *module, const char *name);
  void (*launchKernel)(void *function, intptr_t gridX, intptr_t gridY, intptr_t gridZ, intptr_t blockX, intptr_t blockY,
                       intptr_t blockZ, int32_t sharedBytes, void *stream, void **parameters, void **extra,
                       size_t parameterCount);
  void *(*streamCreate)();
  void (*streamDestroy)(void *stream);
  void (*streamSynchronize)(void *stream);
  void *(*memAlloc)(uint64_t bytes, void *stream, bool isHostShared);
  void (*memFree)(void *pointer, void *stream);
  void (*memcpy)(void *destination, void *source, size_t bytes, void *stream);
  void (*memset32)(void *destination, unsigned value, size_t count, void *stream);

  /// The library for `target` of a manifest, cuda or simt; from the folder of this library, or where the dynamic loader
  /// finds it.
  static Result<const GpuLibrary *> load(const std::string &target);

  /// What went wrong on this thread since the last call, if anything.
  Status lastStatus() const;
};

} // namespace ecf8

#endif // ECF8_LIB_RUNTIME_GPU_GPULIBRARY_H
