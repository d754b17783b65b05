// The C symbols that MLIR's gpu-to-llvm lowering calls. They have no way to return an error: the first one is kept
// until somebody asks for it, and printed.
#include "ecf8-c/GPU.h"
#include "ecf8/Simt/Simt.h"
#include "ecf8/Support/FirstError.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

using namespace ecf8;
using namespace ecf8::simt;

namespace {

/// What ecf8_gpu_last_error has to tell the thread.
thread_local FirstError errors;

void note(const char *where, const Status &status) { (void)errors.note("ecf8-simt", where, status); }

struct LoadedModule {
  Module module;
  std::vector<std::unique_ptr<Kernel>> kernels;
};

bool isEnabled(const char *variable) {
  const char *value = std::getenv(variable);
  return value && *value && std::strcmp(value, "0") != 0;
}

/// The number in `variable`; 0 where it is not set or empty.
Result<uint64_t> numberOf(const char *variable, uint64_t most) {
  const char *text = std::getenv(variable);
  if (!text || !*text)
    return uint64_t(0);
  uint64_t number = 0;
  const char *last = text + std::strlen(text);
  auto [end, error] = std::from_chars(text, last, number);
  if (error != std::errc() || end != last || number > most)
    return Status(StatusCode::InvalidArgument, std::string(variable) + ": expected a number from 0 to " +
                                                   std::to_string(most) + ", got '" + text + "'");
  return number;
}

Result<LaunchOptions> launchOptionsOfEnvironment() {
  Result<uint64_t> seed = numberOf("ECF8_SIMT_SEED", UINT64_MAX);
  if (!seed)
    return seed.status();
  Result<uint64_t> workers = numberOf("ECF8_SIMT_WORKERS", 1024);
  if (!workers)
    return workers.status();
  LaunchOptions options;
  options.seed = *seed;
  options.numWorkers = static_cast<unsigned>(*workers);
  return options;
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
  if (ordinal != 0) {
    note("ecf8_gpu_open",
         Status(StatusCode::InvalidArgument, "expected device 0 of simt, got " + std::to_string(ordinal)));
    return ECF8_INVALID_ARGUMENT;
  }
  if (Result<LaunchOptions> options = launchOptionsOfEnvironment(); !options) { // better known before the first launch
    note("ecf8_gpu_open", options.status());
    return ECF8_INVALID_ARGUMENT;
  }
  // Any number of processors gives the same results; of shared memory a block of sm_90 has the most.
  constexpr int32_t processors = 4, sharedBytes = 227 * 1024;
  *device = {"simt", 0, 0, processors, sharedBytes, uint64_t(sysconf(_SC_PHYS_PAGES)) * uint64_t(sysconf(_SC_PAGESIZE)),
             0};
  return ECF8_OK;
}

uint64_t ecf8_gpu_resets(int32_t) { return 0; } // a fault ends a launch and nothing else

void *mgpuModuleLoad(void *data, size_t sizeBytes) {
  LoadOptions options;
  options.check = isEnabled("ECF8_SIMT_CHECK");
  Result<Module> module = Module::load({static_cast<const char *>(data), sizeBytes}, options);
  if (!module) {
    note("mgpuModuleLoad", module.status());
    return nullptr;
  }
  return new LoadedModule{module.take(), {}};
}

void *mgpuModuleLoadJIT(void *data, int, size_t sizeBytes) { return mgpuModuleLoad(data, sizeBytes); }

void mgpuModuleUnload(void *module) { delete static_cast<LoadedModule *>(module); }

void *mgpuModuleGetFunction(void *module, const char *name) {
  if (!module)
    return nullptr; // mgpuModuleLoad has told
  auto &loaded = *static_cast<LoadedModule *>(module);
  Result<Kernel> kernel = loaded.module.kernel(name);
  if (!kernel) {
    note("mgpuModuleGetFunction", kernel.status());
    return nullptr;
  }
  return loaded.kernels.emplace_back(std::make_unique<Kernel>(*kernel)).get();
}

void mgpuLaunchKernel(void *function, intptr_t gridX, intptr_t gridY, intptr_t gridZ, intptr_t blockX, intptr_t blockY,
                      intptr_t blockZ, int32_t sharedBytes, void *, void **parameters, void **, size_t numParameters) {
  if (!function)
    return note("mgpuLaunchKernel", Status(StatusCode::InvalidArgument, "expected a kernel, got none"));
  Result<LaunchOptions> options = launchOptionsOfEnvironment();
  if (!options)
    return note("mgpuLaunchKernel", options.status());
  auto bounded = [](intptr_t n) { return n < 0 || n > 0xffffffff ? 0 : uint32_t(n); }; // 0 is refused as a shape
  note("mgpuLaunchKernel", launch(*static_cast<Kernel *>(function), {bounded(gridX), bounded(gridY), bounded(gridZ)},
                                  {bounded(blockX), bounded(blockY), bounded(blockZ)}, uint32_t(sharedBytes),
                                  parameters, numParameters, *options));
}

void mgpuLaunchClusterKernel(void *function, intptr_t clusterX, intptr_t clusterY, intptr_t clusterZ, intptr_t gridX,
                             intptr_t gridY, intptr_t gridZ, intptr_t blockX, intptr_t blockY, intptr_t blockZ,
                             int32_t sharedBytes, void *stream, void **parameters, void **extra, size_t numParameters) {
  if (clusterX * clusterY * clusterZ != 1)
    return note("mgpuLaunchClusterKernel",
                Status(StatusCode::Unsupported, "expected clusters of one block, got " + std::to_string(clusterX) +
                                                    "x" + std::to_string(clusterY) + "x" + std::to_string(clusterZ)));
  mgpuLaunchKernel(function, gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes, stream, parameters, extra,
                   numParameters);
}

// A launch has run to its end when it returns: streams and events have nothing to do. Their handles differ from null.
static char streamHandle, eventHandle;

void *mgpuStreamCreate(void) { return &streamHandle; }
void mgpuStreamDestroy(void *) {}
void mgpuStreamSynchronize(void *) {}
void mgpuStreamWaitEvent(void *, void *) {}
void *mgpuEventCreate(void) { return &eventHandle; }
void mgpuEventDestroy(void *) {}
void mgpuEventSynchronize(void *) {}
void mgpuEventRecord(void *, void *) {}

void *mgpuMemAlloc(uint64_t sizeBytes, void *, bool) {
  if (sizeBytes == 0)
    return nullptr;
  void *pointer = allocate(sizeBytes);
  if (!pointer)
    note("mgpuMemAlloc", Status(StatusCode::OutOfMemory, "no memory for " + std::to_string(sizeBytes) + " bytes"));
  return pointer;
}

void mgpuMemFree(void *pointer, void *) { note("mgpuMemFree", release(pointer)); }

void mgpuMemcpy(void *destination, void *source, size_t sizeBytes, void *) {
  if (sizeBytes)
    std::memmove(destination, source, sizeBytes);
}

void mgpuMemset32(void *destination, unsigned value, size_t count, void *) {
  for (size_t i = 0; i < count; ++i)
    std::memcpy(static_cast<char *>(destination) + 4 * i, &value, 4);
}

void mgpuMemset16(void *destination, unsigned short value, size_t count, void *) {
  for (size_t i = 0; i < count; ++i)
    std::memcpy(static_cast<char *>(destination) + 2 * i, &value, 2);
}

void mgpuMemHostRegister(void *pointer, uint64_t sizeBytes) { registerHostMemory(pointer, sizeBytes); }
void mgpuMemHostUnregister(void *pointer) { unregisterHostMemory(pointer); }

void mgpuSetDefaultDevice(int32_t) {}

} // extern "C"
#pragma GCC visibility pop
