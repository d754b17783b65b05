// The CUDA driver, found at run time: a program that uses this needs no CUDA to build or to start.
#ifndef ECF8_LIB_RUNTIME_CUDA_DRIVER_H
#define ECF8_LIB_RUNTIME_CUDA_DRIVER_H

#include "ecf8/Support/Status.h"

#include <cstddef>
#include <cstdint>

namespace ecf8::cuda {

// Types of the driver API (CUDA Driver API, "Data types used by CUDA driver"); handles are opaque.
using Device = int;
using Address = unsigned long long;
using Context = struct ContextHandle *;
using Module = struct ModuleHandle *;
using Function = struct FunctionHandle *;
using Stream = struct StreamHandle *;
using Event = struct EventHandle *;

/// CUdevice_attribute and CUfunction_attribute, those in use.
enum DeviceAttribute : int {
  MultiprocessorCount = 16,
  MajorComputeCapability = 75,
  MinorComputeCapability = 76,
  MaxSharedBytesPerBlock = 97, ///< with opt-in
};
enum FunctionAttribute : int { RegisterCount = 4, MaxDynamicSharedBytes = 8 };

/// The functions of the driver that are used, loaded once for the process. Each returns 0 or an error code.
struct Driver {
  int (*init)(unsigned flags);
  int (*driverGetVersion)(int *version);
  int (*getErrorName)(int error, const char **name);
  int (*getErrorString)(int error, const char **text);
  int (*deviceGetCount)(int *count);
  int (*deviceGet)(Device *device, int ordinal);
  int (*deviceGetName)(char *name, int length, Device device);
  int (*deviceGetAttribute)(int *value, int attribute, Device device);
  int (*devicePrimaryCtxRetain)(Context *context, Device device);
  int (*devicePrimaryCtxReset)(Device device);
  int (*deviceTotalMem)(size_t *bytes, Device device);
  int (*ctxSetCurrent)(Context context);
  int (*ctxSynchronize)();
  int (*moduleLoadData)(Module *module, const void *image);
  int (*moduleLoadDataEx)(Module *module, const void *image, unsigned optionCount, int *options, void **values);
  int (*moduleUnload)(Module module);
  int (*moduleGetFunction)(Function *function, Module module, const char *name);
  int (*funcSetAttribute)(Function function, int attribute, int value);
  int (*funcGetAttribute)(int *value, int attribute, Function function);
  int (*launchKernel)(Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                      unsigned blockY, unsigned blockZ, unsigned sharedBytes, Stream stream, void **parameters,
                      void **extra);
  int (*memGetInfo)(size_t *freeBytes, size_t *totalBytes);
  int (*memAlloc)(Address *address, size_t bytes);
  int (*memAllocManaged)(Address *address, size_t bytes, unsigned flags);
  int (*memFree)(Address address);
  int (*memcpyHtoD)(Address destination, const void *source, size_t bytes);
  int (*memcpyDtoH)(void *destination, Address source, size_t bytes);
  int (*memcpyDtoD)(Address destination, Address source, size_t bytes);
  int (*memsetD8)(Address address, unsigned char value, size_t count);
  int (*memsetD16)(Address address, unsigned short value, size_t count);
  int (*memsetD32)(Address address, unsigned value, size_t count);
  int (*memcpyAsync)(Address destination, Address source, size_t bytes, Stream stream);
  int (*memsetD16Async)(Address address, unsigned short value, size_t count, Stream stream);
  int (*memsetD32Async)(Address address, unsigned value, size_t count, Stream stream);
  int (*memHostRegister)(void *pointer, size_t bytes, unsigned flags);
  int (*memHostUnregister)(void *pointer);
  int (*streamCreate)(Stream *stream, unsigned flags);
  int (*streamDestroy)(Stream stream);
  int (*streamSynchronize)(Stream stream);
  int (*streamWaitEvent)(Stream stream, Event event, unsigned flags);
  int (*eventCreate)(Event *event, unsigned flags);
  int (*eventDestroy)(Event event);
  int (*eventRecord)(Event event, Stream stream);
  int (*eventSynchronize)(Event event);
  int (*eventElapsedTime)(float *milliseconds, Event begin, Event end);

  /// Ok, or an Unsupported or Aborted status that says what `call` was and what the driver answers.
  Status check(int error, const char *call) const;
};

/// The driver of this machine, initialized. Fails where there is none, or one that is too old.
Result<const Driver *> loadDriver();

} // namespace ecf8::cuda

#endif // ECF8_LIB_RUNTIME_CUDA_DRIVER_H
