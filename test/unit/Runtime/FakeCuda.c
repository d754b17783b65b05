/* A stand-in for the CUDA driver, for tests of what ECF8 makes of its answers: memory is the host's, kernels do
 * nothing.
 *
 *   FAKE_CUDA_VERSION     what cuDriverGetVersion says (default 12080)
 *   FAKE_CUDA_DEVICES     number of GPUs (default 1)
 *   FAKE_CUDA_CAPABILITY  compute capability times 10 (default 90)
 *   FAKE_CUDA_SHARED      shared memory of a block in bytes (default 232448)
 *   FAKE_CUDA_MEMORY      bytes that all allocations may take together (default 2^30)
 *   FAKE_CUDA_FAIL        NAME:N:CODE: call number N (from 1) of NAME gives CODE
 *   FAKE_CUDA_FAULT       N: launch number N makes the context unusable, as an illegal address does, until it is reset
 *   FAKE_CUDA_LOG         a file that gets a line for each launch: kernel, grid, block, shared memory
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, ILLEGAL_ADDRESS = 700 };

static int isFaulty;

static int setting(const char *variable, int otherwise) {
  const char *value = getenv(variable);
  return value ? atoi(value) : otherwise;
}

/* The code that FAKE_CUDA_FAIL has for this call of `name`. */
static int answer(const char *name, int *calls) {
  const char *plan = getenv("FAKE_CUDA_FAIL");
  int number, code;
  size_t length = strlen(name);
  ++*calls;
  if (plan && strncmp(plan, name, length) == 0 && sscanf(plan + length, ":%d:%d", &number, &code) == 2 &&
      number == *calls)
    return code;
  return isFaulty ? ILLEGAL_ADDRESS : SUCCESS;
}

#define CALL(name, parameters, ...)                                                                                    \
  int name parameters {                                                                                                \
    static int calls;                                                                                                  \
    int code = answer(#name, &calls);                                                                                  \
    if (code == SUCCESS) {                                                                                             \
      __VA_ARGS__;                                                                                                     \
    }                                                                                                                  \
    return code;                                                                                                       \
  }

CALL(cuInit, (unsigned flags), (void)flags)
CALL(cuDriverGetVersion, (int *version), *version = setting("FAKE_CUDA_VERSION", 12080))
int cuGetErrorName(int code, const char **name) {
  *name = code == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : code == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_OTHER";
  return SUCCESS;
}
int cuGetErrorString(int code, const char **text) {
  *text = code == 2 ? "out of memory" : code == 700 ? "an illegal memory access was encountered" : "another error";
  return SUCCESS;
}
int cuDeviceGetCount(int *count) { return *count = setting("FAKE_CUDA_DEVICES", 1), SUCCESS; }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, SUCCESS; }
int cuDeviceGetName(char *name, int length, int device) {
  return snprintf(name, length, "Fake GPU %d", device), SUCCESS;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  int capability = setting("FAKE_CUDA_CAPABILITY", 90);
  *value = attribute == 16   ? 132
           : attribute == 75 ? capability / 10
           : attribute == 76 ? capability % 10
                             : setting("FAKE_CUDA_SHARED", 232448);
  return (void)device, SUCCESS;
}
static size_t totalBytes(void) { return (size_t)setting("FAKE_CUDA_MEMORY", 1 << 30); }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { return *bytes = totalBytes(), (void)device, SUCCESS; }
CALL(cuDevicePrimaryCtxRetain, (void **context, int device), *context = &isFaulty; (void)device)
static size_t usedBytes;
int cuDevicePrimaryCtxReset_v2(int device) { return isFaulty = 0, usedBytes = 0, (void)device, SUCCESS; }
int cuCtxSetCurrent(void *context) { return (void)context, SUCCESS; }
CALL(cuCtxSynchronize, (void), )
CALL(cuModuleLoadData, (void **module, const void *image), *module = (void *)image)
CALL(cuModuleLoadDataEx, (void **module, const void *image, unsigned count, int *options, void **values),
     *module = strdup(image);
     (void)count; (void)options; (void)values)
CALL(cuModuleUnload, (void *module), free(module))
/* A kernel is its name. The PTX must have it. */
CALL(cuModuleGetFunction, (void **function, void *module, const char *name), {
  if (!strstr(module, name))
    return 500;
  *function = strdup(name);
})
CALL(cuFuncSetAttribute, (void *function, int attribute, int value), (void)function; (void)attribute; (void)value)
CALL(cuFuncGetAttribute, (int *value, int attribute, void *function), *value = 0; (void)attribute; (void)function)
CALL(cuLaunchKernel,
     (void *function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ,
      unsigned sharedBytes, void *stream, void **parameters, void **extra),
     {
       const char *path = getenv("FAKE_CUDA_LOG");
       FILE *log = path ? fopen(path, "a") : NULL;
       if (log) {
         fprintf(log, "%s %ux%ux%u %ux%ux%u %u\n", (const char *)function, gridX, gridY, gridZ, blockX, blockY, blockZ,
                 sharedBytes);
         fclose(log);
       }
       isFaulty = calls == setting("FAKE_CUDA_FAULT", 0);
       (void)stream, (void)parameters, (void)extra;
     })
/* In front of each block stands its size. */
enum { OUT_OF_MEMORY = 2, HEADER = 256 };
static int allocate(unsigned long long *address, size_t bytes) {
  if (__atomic_add_fetch(&usedBytes, bytes, __ATOMIC_SEQ_CST) > totalBytes()) {
    __atomic_sub_fetch(&usedBytes, bytes, __ATOMIC_SEQ_CST);
    return OUT_OF_MEMORY;
  }
  size_t *block = calloc(HEADER + bytes, 1);
  *block = bytes;
  return *address = (unsigned long long)block + HEADER, SUCCESS;
}
static void release(unsigned long long address) {
  size_t *block = (size_t *)(address - HEADER);
  __atomic_sub_fetch(&usedBytes, *block, __ATOMIC_SEQ_CST);
  free(block);
}
int cuMemGetInfo_v2(size_t *freeBytes, size_t *bytes) {
  return *bytes = totalBytes(), *freeBytes = *bytes > usedBytes ? *bytes - usedBytes : 0, SUCCESS;
}
CALL(cuMemAlloc_v2, (unsigned long long *address, size_t bytes), code = allocate(address, bytes))
CALL(cuMemAllocManaged, (unsigned long long *address, size_t bytes, unsigned flags), code = allocate(address, bytes);
     (void)flags)
CALL(cuMemFree_v2, (unsigned long long address), release(address))
CALL(cuMemcpyHtoD_v2, (unsigned long long to, const void *from, size_t bytes), memcpy((void *)to, from, bytes))
CALL(cuMemcpyDtoH_v2, (void *to, unsigned long long from, size_t bytes), memcpy(to, (void *)from, bytes))
CALL(cuMemcpyDtoD_v2, (unsigned long long to, unsigned long long from, size_t bytes),
     memcpy((void *)to, (void *)from, bytes))
CALL(cuMemcpyAsync, (unsigned long long to, unsigned long long from, size_t bytes, void *stream),
     memcpy((void *)to, (void *)from, bytes);
     (void)stream)
CALL(cuMemsetD8_v2, (unsigned long long address, unsigned char value, size_t count),
     memset((void *)address, value, count))
CALL(cuMemsetD16_v2, (unsigned long long address, unsigned short value, size_t count),
     for (size_t i = 0; i < count; ++i)((unsigned short *)address)[i] = value)
CALL(cuMemsetD32_v2, (unsigned long long address, unsigned value, size_t count),
     for (size_t i = 0; i < count; ++i)((unsigned *)address)[i] = value)
CALL(cuMemsetD16Async, (unsigned long long address, unsigned short value, size_t count, void *stream),
     for (size_t i = 0; i < count; ++i)((unsigned short *)address)[i] = value;
     (void)stream)
CALL(cuMemsetD32Async, (unsigned long long address, unsigned value, size_t count, void *stream),
     for (size_t i = 0; i < count; ++i)((unsigned *)address)[i] = value;
     (void)stream)
CALL(cuMemHostRegister_v2, (void *pointer, size_t bytes, unsigned flags), (void)pointer; (void)bytes; (void)flags)
CALL(cuMemHostUnregister, (void *pointer), (void)pointer)
CALL(cuStreamCreate, (void **stream, unsigned flags), *stream = &isFaulty; (void)flags)
CALL(cuStreamDestroy_v2, (void *stream), (void)stream)
CALL(cuStreamSynchronize, (void *stream), (void)stream)
CALL(cuStreamWaitEvent, (void *stream, void *event, unsigned flags), (void)stream; (void)event; (void)flags)
CALL(cuEventCreate, (void **event, unsigned flags), *event = &isFaulty; (void)flags)
CALL(cuEventDestroy_v2, (void *event), (void)event)
CALL(cuEventRecord, (void *event, void *stream), (void)event; (void)stream)
CALL(cuEventSynchronize, (void *event), (void)event)
CALL(cuEventElapsedTime, (float *milliseconds, void *begin, void *end), *milliseconds = 0; (void)begin; (void)end)
