/* What a library of a GPU runtime has besides the functions mgpu* that MLIR's lowering of host code calls:
 * libECF8Cuda.so over the CUDA driver, libECF8Simt.so for kernels on the CPU (docs/Simt.md). The ECF8 runtime loads
 * either when a bundle needs it; host code of another origin may link it.
 */
#ifndef ECF8_C_GPU_H
#define ECF8_C_GPU_H

#include "ecf8-c/Status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct EcfGpuDevice {
  char name[128];
  int32_t major, minor; /* compute capability; 0 for libECF8Simt, which takes kernels for any */
  int32_t processors;   /* multiprocessors */
  int32_t sharedBytes;  /* the most shared memory of a block */
  uint64_t memoryBytes; /* of the GPU */
  uint64_t resets;      /* how often the GPU was reset in this process: what was allocated before is lost */
} EcfGpuDevice;

/* Makes GPU number `ordinal` the one of the calling thread and describes it. A GPU that a fault has made unusable for
 * this process is reset. On failure ecf8_gpu_last_error says why. */
ECF8_API EcfStatusCode ecf8_gpu_open(int32_t ordinal, EcfGpuDevice *device);

/* How often GPU number `ordinal` was reset in this process so far; 0 also for one that was never opened. */
ECF8_API uint64_t ecf8_gpu_resets(int32_t ordinal);

/* The first error of the calling thread in an mgpu function or ecf8_gpu_open since the last call of this function; an
 * empty text for none. Valid until the next call. `code` gets the kind of error, and may be NULL. mgpu functions print
 * errors on stderr, too, unless the process has called ecf8_gpu_open. */
ECF8_API const char *ecf8_gpu_last_error(EcfStatusCode *code);

#ifdef __cplusplus
}
#endif

#endif /* ECF8_C_GPU_H */
