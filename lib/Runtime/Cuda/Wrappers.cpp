// The C symbols that MLIR's gpu-to-llvm lowering calls, over the CUDA driver. They have no way to return an error: the
// first one of each thread is kept until somebody asks for it.
#include "Driver.h"

#include "ecf8-c/GPU.h"
#include "ecf8/Support/FirstError.h"

#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

using namespace ecf8;
using namespace ecf8::cuda;

namespace {

/// What ecf8_gpu_last_error has to tell the thread.
thread_local FirstError errors;

/// Keeps what went wrong in `where`; true for nothing.
bool note(const char *where, const Status &status) { return errors.note("ecf8-cuda", where, status); }

/// The GPUs of the process, whose primary contexts all its threads share.
struct Devices {
  std::mutex mutex;
  std::vector<Context> contexts; ///< by ordinal; null: not used yet
  std::vector<uint64_t> resets;
};

Devices &devices() {
  static auto *all = new Devices;
  return *all;
}

thread_local int32_t threadDevice = 0;

/// Makes the context of the thread's device current.
Result<const Driver *> enter() {
  Result<const Driver *> driver = loadDriver();
  if (!driver)
    return driver;
  Devices &all = devices();
  std::lock_guard<std::mutex> lock(all.mutex);
  auto ordinal = static_cast<size_t>(threadDevice);
  if (all.contexts.size() <= ordinal) {
    all.contexts.resize(ordinal + 1);
    all.resets.resize(ordinal + 1);
  }
  if (!all.contexts[ordinal]) {
    Device device = 0;
    if (Status status = (*driver)->check((*driver)->deviceGet(&device, threadDevice), "cuDeviceGet"); !status.isOk())
      return status;
    int error = (*driver)->devicePrimaryCtxRetain(&all.contexts[ordinal], device);
    if (Status status = (*driver)->check(error, "cuDevicePrimaryCtxRetain"); !status.isOk())
      return status;
  }
  if (Status status = (*driver)->check((*driver)->ctxSetCurrent(all.contexts[ordinal]), "cuCtxSetCurrent");
      !status.isOk())
    return status;
  return driver;
}

/// Calls `work(driver)`, which returns a code of the driver, in the thread's context.
template <typename Work> bool inContext(const char *where, const char *call, Work work) {
  Result<const Driver *> driver = enter();
  if (!driver)
    return note(where, driver.status());
  return note(where, (*driver)->check(work(**driver), call));
}

Address addressOf(const void *pointer) { return reinterpret_cast<Address>(pointer); }

/// The text of PTX or a cubin needs no length; PTX ends in a zero byte.
void *loadModule(void *data, size_t bytes) {
  constexpr int errorLogBuffer = 5, errorLogBytes = 6; // of CUjit_option
  std::string image(static_cast<const char *>(data), bytes);
  char log[4096] = {};
  int options[] = {errorLogBuffer, errorLogBytes};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log) - 1)};
  Module module = nullptr;
  Result<const Driver *> driver = enter();
  if (!driver) {
    note("mgpuModuleLoad", driver.status());
    return nullptr;
  }
  Status status =
      (*driver)->check((*driver)->moduleLoadDataEx(&module, image.c_str(), 2, options, values), "cuModuleLoadDataEx");
  if (!status.isOk() && log[0])
    status = Status(status.code(), status.message() + ": " + log);
  return note("mgpuModuleLoad", status) ? module : nullptr;
}

Status describe(const Driver &driver, EcfGpuDevice &description) {
  Device device = 0;
  if (Status status = driver.check(driver.deviceGet(&device, threadDevice), "cuDeviceGet"); !status.isOk())
    return status;
  description = {};
  size_t memoryBytes = 0;
  int error = driver.deviceGetName(description.name, sizeof(description.name) - 1, device);
  std::pair<int32_t *, DeviceAttribute> attributes[] = {{&description.major, MajorComputeCapability},
                                                        {&description.minor, MinorComputeCapability},
                                                        {&description.processors, MultiprocessorCount},
                                                        {&description.sharedBytes, MaxSharedBytesPerBlock}};
  for (auto [value, attribute] : attributes)
    error = error ? error : driver.deviceGetAttribute(value, attribute, device);
  error = error ? error : driver.deviceTotalMem(&memoryBytes, device);
  description.memoryBytes = memoryBytes;
  return driver.check(error, "description of the device");
}

/// A context in which a kernel has faulted fails in every call: a new one takes its place.
Status recover(const Driver &driver) {
  int error = driver.ctxSynchronize();
  if (error == 0)
    return Status::ok();
  Devices &all = devices();
  {
    std::lock_guard<std::mutex> lock(all.mutex);
    auto ordinal = static_cast<size_t>(threadDevice);
    Device device = 0;
    if (driver.deviceGet(&device, threadDevice) == 0 && driver.devicePrimaryCtxReset(device) == 0) {
      all.contexts[ordinal] = nullptr;
      ++all.resets[ordinal];
    }
  }
  Result<const Driver *> again = enter();
  return again ? driver.check(driver.ctxSynchronize(), "cuCtxSynchronize after a reset") : again.status();
}

} // namespace

#pragma GCC visibility push(default)
extern "C" {

const char *ecf8_gpu_last_error(EcfStatusCode *code) {
  StatusCode kind;
  const char *message = errors.take(kind);
  if (code)
    *code = static_cast<EcfStatusCode>(kind);
  return message;
}

EcfStatusCode ecf8_gpu_open(int32_t ordinal, EcfGpuDevice *device) {
  FirstError::setAskedFor();
  Status status = [&] {
    Result<const Driver *> driver = loadDriver();
    if (!driver)
      return driver.status();
    int count = 0;
    if (Status counted = (*driver)->check((*driver)->deviceGetCount(&count), "cuDeviceGetCount"); !counted.isOk())
      return counted;
    if (count == 0)
      return Status(StatusCode::Unsupported, "expected a GPU, got a CUDA driver that shows none");
    if (ordinal < 0 || ordinal >= count)
      return Status(StatusCode::InvalidArgument, "expected a GPU that the driver shows (cuda:0" +
                                                     (count > 1 ? " to cuda:" + std::to_string(count - 1) : "") +
                                                     "), got another");
    threadDevice = ordinal;
    if (Result<const Driver *> entered = enter(); !entered)
      return entered.status();
    if (Status recovered = recover(**driver); !recovered.isOk())
      return recovered;
    if (Status described = describe(**driver, *device); !described.isOk())
      return described;
    device->resets = ecf8_gpu_resets(ordinal);
    return Status::ok();
  }();
  note("ecf8_gpu_open", status);
  return static_cast<EcfStatusCode>(status.code());
}

uint64_t ecf8_gpu_resets(int32_t ordinal) {
  Devices &all = devices();
  std::lock_guard<std::mutex> lock(all.mutex);
  return ordinal >= 0 && static_cast<size_t>(ordinal) < all.resets.size() ? all.resets[static_cast<size_t>(ordinal)]
                                                                          : 0;
}

void mgpuSetDefaultDevice(int32_t ordinal) { threadDevice = ordinal; }

void *mgpuModuleLoad(void *data, size_t bytes) { return loadModule(data, bytes); }
void *mgpuModuleLoadJIT(void *data, int, size_t bytes) { return loadModule(data, bytes); }

void mgpuModuleUnload(void *module) {
  inContext("mgpuModuleUnload", "cuModuleUnload",
            [&](const Driver &driver) { return driver.moduleUnload(static_cast<Module>(module)); });
}

void *mgpuModuleGetFunction(void *module, const char *name) {
  Function function = nullptr;
  bool found = inContext("mgpuModuleGetFunction", "cuModuleGetFunction", [&](const Driver &driver) {
    return driver.moduleGetFunction(&function, static_cast<Module>(module), name);
  });
  return found ? function : nullptr;
}

void mgpuLaunchKernel(void *function, intptr_t gridX, intptr_t gridY, intptr_t gridZ, intptr_t blockX, intptr_t blockY,
                      intptr_t blockZ, int32_t sharedBytes, void *stream, void **parameters, void **extra, size_t) {
  constexpr int32_t sharedBytesByDefault = 48 * 1024;
  auto *kernel = static_cast<Function>(function);
  if (sharedBytes > sharedBytesByDefault &&
      !inContext("mgpuLaunchKernel", "cuFuncSetAttribute", [&](const Driver &driver) {
        return driver.funcSetAttribute(kernel, MaxDynamicSharedBytes, sharedBytes);
      }))
    return;
  inContext("mgpuLaunchKernel", "cuLaunchKernel", [&](const Driver &driver) {
    return driver.launchKernel(kernel, unsigned(gridX), unsigned(gridY), unsigned(gridZ), unsigned(blockX),
                               unsigned(blockY), unsigned(blockZ), unsigned(sharedBytes), static_cast<Stream>(stream),
                               parameters, extra);
  });
}

void *mgpuStreamCreate(void) {
  constexpr unsigned nonBlocking = 1;
  Stream stream = nullptr;
  inContext("mgpuStreamCreate", "cuStreamCreate",
            [&](const Driver &driver) { return driver.streamCreate(&stream, nonBlocking); });
  return stream;
}
void mgpuStreamDestroy(void *stream) {
  inContext("mgpuStreamDestroy", "cuStreamDestroy",
            [&](const Driver &driver) { return driver.streamDestroy(static_cast<Stream>(stream)); });
}
void mgpuStreamSynchronize(void *stream) {
  inContext("mgpuStreamSynchronize", "cuStreamSynchronize",
            [&](const Driver &driver) { return driver.streamSynchronize(static_cast<Stream>(stream)); });
}
void mgpuStreamWaitEvent(void *stream, void *event) {
  inContext("mgpuStreamWaitEvent", "cuStreamWaitEvent", [&](const Driver &driver) {
    return driver.streamWaitEvent(static_cast<Stream>(stream), static_cast<Event>(event), 0);
  });
}
void *mgpuEventCreate(void) {
  constexpr unsigned withoutTiming = 2;
  Event event = nullptr;
  inContext("mgpuEventCreate", "cuEventCreate",
            [&](const Driver &driver) { return driver.eventCreate(&event, withoutTiming); });
  return event;
}
void mgpuEventDestroy(void *event) {
  inContext("mgpuEventDestroy", "cuEventDestroy",
            [&](const Driver &driver) { return driver.eventDestroy(static_cast<Event>(event)); });
}
void mgpuEventSynchronize(void *event) {
  inContext("mgpuEventSynchronize", "cuEventSynchronize",
            [&](const Driver &driver) { return driver.eventSynchronize(static_cast<Event>(event)); });
}
void mgpuEventRecord(void *event, void *stream) {
  inContext("mgpuEventRecord", "cuEventRecord", [&](const Driver &driver) {
    return driver.eventRecord(static_cast<Event>(event), static_cast<Stream>(stream));
  });
}

void *mgpuMemAlloc(uint64_t bytes, void *, bool isHostShared) {
  constexpr unsigned attachGlobal = 1;
  if (bytes == 0)
    return nullptr;
  Address address = 0;
  Result<const Driver *> driver = enter();
  if (!driver) {
    note("mgpuMemAlloc", driver.status());
    return nullptr;
  }
  int error =
      isHostShared ? (*driver)->memAllocManaged(&address, bytes, attachGlobal) : (*driver)->memAlloc(&address, bytes);
  Status status = (*driver)->check(error, "cuMemAlloc");
  size_t freeBytes = 0, totalBytes = 0;
  if (status.code() == StatusCode::OutOfMemory && (*driver)->memGetInfo(&freeBytes, &totalBytes) == 0)
    status = Status(status.code(), status.message() + ", with " + std::to_string(freeBytes) + " of " +
                                       std::to_string(totalBytes) + " bytes free");
  return note("mgpuMemAlloc", status) ? reinterpret_cast<void *>(address) : nullptr;
}
void mgpuMemFree(void *pointer, void *) {
  if (pointer)
    inContext("mgpuMemFree", "cuMemFree", [&](const Driver &driver) { return driver.memFree(addressOf(pointer)); });
}
void mgpuMemcpy(void *destination, void *source, size_t bytes, void *stream) {
  if (bytes)
    inContext("mgpuMemcpy", "cuMemcpyAsync", [&](const Driver &driver) {
      return driver.memcpyAsync(addressOf(destination), addressOf(source), bytes, static_cast<Stream>(stream));
    });
}
void mgpuMemset32(void *destination, unsigned value, size_t count, void *stream) {
  inContext("mgpuMemset32", "cuMemsetD32Async", [&](const Driver &driver) {
    return driver.memsetD32Async(addressOf(destination), value, count, static_cast<Stream>(stream));
  });
}
void mgpuMemset16(void *destination, unsigned short value, size_t count, void *stream) {
  inContext("mgpuMemset16", "cuMemsetD16Async", [&](const Driver &driver) {
    return driver.memsetD16Async(addressOf(destination), value, count, static_cast<Stream>(stream));
  });
}
void mgpuMemHostRegister(void *pointer, uint64_t bytes) {
  inContext("mgpuMemHostRegister", "cuMemHostRegister",
            [&](const Driver &driver) { return driver.memHostRegister(pointer, bytes, 0); });
}
void mgpuMemHostUnregister(void *pointer) {
  inContext("mgpuMemHostUnregister", "cuMemHostUnregister",
            [&](const Driver &driver) { return driver.memHostUnregister(pointer); });
}

} // extern "C"
#pragma GCC visibility pop
