#include "Driver.h"

#include <dlfcn.h>

namespace ecf8::cuda {

namespace {
constexpr const char *kLibrary = "libcuda.so.1";
/// The kernels are in PTX ISA 8.4, which is of CUDA 12.4.
constexpr int kLeastVersion = 12040;

struct Entry {
  const char *name;
  void **place;
};

Result<const Driver *> loadOnce() {
  static Driver driver;
  void *library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return Status(StatusCode::Unsupported, std::string("expected a CUDA driver (") + kLibrary + "), got: " + dlerror() +
                                               "; install a driver for CUDA 12.4 or newer, or run where there is one");
  auto place = [](auto &function) { return reinterpret_cast<void **>(&function); };
  const Entry entries[] = {
      {"cuInit", place(driver.init)},
      {"cuDriverGetVersion", place(driver.driverGetVersion)},
      {"cuGetErrorName", place(driver.getErrorName)},
      {"cuGetErrorString", place(driver.getErrorString)},
      {"cuDeviceGetCount", place(driver.deviceGetCount)},
      {"cuDeviceGet", place(driver.deviceGet)},
      {"cuDeviceGetName", place(driver.deviceGetName)},
      {"cuDeviceGetAttribute", place(driver.deviceGetAttribute)},
      {"cuDevicePrimaryCtxRetain", place(driver.devicePrimaryCtxRetain)},
      {"cuDevicePrimaryCtxReset_v2", place(driver.devicePrimaryCtxReset)},
      {"cuDeviceTotalMem_v2", place(driver.deviceTotalMem)},
      {"cuCtxSetCurrent", place(driver.ctxSetCurrent)},
      {"cuCtxSynchronize", place(driver.ctxSynchronize)},
      {"cuModuleLoadData", place(driver.moduleLoadData)},
      {"cuModuleLoadDataEx", place(driver.moduleLoadDataEx)},
      {"cuModuleUnload", place(driver.moduleUnload)},
      {"cuModuleGetFunction", place(driver.moduleGetFunction)},
      {"cuFuncSetAttribute", place(driver.funcSetAttribute)},
      {"cuFuncGetAttribute", place(driver.funcGetAttribute)},
      {"cuLaunchKernel", place(driver.launchKernel)},
      {"cuMemGetInfo_v2", place(driver.memGetInfo)},
      {"cuMemAlloc_v2", place(driver.memAlloc)},
      {"cuMemAllocManaged", place(driver.memAllocManaged)},
      {"cuMemFree_v2", place(driver.memFree)},
      {"cuMemcpyHtoD_v2", place(driver.memcpyHtoD)},
      {"cuMemcpyDtoH_v2", place(driver.memcpyDtoH)},
      {"cuMemcpyDtoD_v2", place(driver.memcpyDtoD)},
      {"cuMemsetD8_v2", place(driver.memsetD8)},
      {"cuMemsetD16_v2", place(driver.memsetD16)},
      {"cuMemsetD32_v2", place(driver.memsetD32)},
      {"cuMemcpyAsync", place(driver.memcpyAsync)},
      {"cuMemsetD16Async", place(driver.memsetD16Async)},
      {"cuMemsetD32Async", place(driver.memsetD32Async)},
      {"cuMemHostRegister_v2", place(driver.memHostRegister)},
      {"cuMemHostUnregister", place(driver.memHostUnregister)},
      {"cuStreamCreate", place(driver.streamCreate)},
      {"cuStreamDestroy_v2", place(driver.streamDestroy)},
      {"cuStreamSynchronize", place(driver.streamSynchronize)},
      {"cuStreamWaitEvent", place(driver.streamWaitEvent)},
      {"cuEventCreate", place(driver.eventCreate)},
      {"cuEventDestroy_v2", place(driver.eventDestroy)},
      {"cuEventRecord", place(driver.eventRecord)},
      {"cuEventSynchronize", place(driver.eventSynchronize)},
      {"cuEventElapsedTime", place(driver.eventElapsedTime)},
  };
  for (const Entry &entry : entries) {
    *entry.place = dlsym(library, entry.name);
    if (!*entry.place)
      return Status(StatusCode::Unsupported, std::string(kLibrary) + ": expected the function " + entry.name +
                                                 ", got a driver without it; update the driver");
  }
  if (int error = driver.init(0))
    return driver.check(error, "cuInit");
  int version = 0;
  if (int error = driver.driverGetVersion(&version))
    return driver.check(error, "cuDriverGetVersion");
  if (version < kLeastVersion)
    return Status(StatusCode::Unsupported, "expected a CUDA driver for CUDA 12.4 or newer, got one for CUDA " +
                                               std::to_string(version / 1000) + "." +
                                               std::to_string(version % 1000 / 10) + "; update the driver");
  return static_cast<const Driver *>(&driver);
}
} // namespace

Result<const Driver *> loadDriver() {
  static Result<const Driver *> loaded = loadOnce();
  return loaded;
}

Status Driver::check(int error, const char *call) const {
  if (error == 0)
    return Status::ok();
  const char *name = nullptr, *text = nullptr;
  getErrorName(error, &name);
  getErrorString(error, &text);
  constexpr int outOfMemory = 2, noDevice = 100, invalidDevice = 101;
  StatusCode code = error == outOfMemory                          ? StatusCode::OutOfMemory
                    : error == noDevice || error == invalidDevice ? StatusCode::Unsupported
                                                                  : StatusCode::Aborted;
  return Status(code, std::string(call) + " failed with " + (name ? name : "error " + std::to_string(error)) + ": " +
                          (text ? text : "no description"));
}

} // namespace ecf8::cuda
