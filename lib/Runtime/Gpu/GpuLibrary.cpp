#include "GpuLibrary.h"

#include <dlfcn.h>
#include <map>
#include <mutex>

using namespace ecf8;

/// The folder of the library that this code is in, with a slash at the end; empty where it is not known.
static std::string ownFolder() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void *>(&ownFolder), &info) || !info.dli_fname)
    return {};
  std::string path = info.dli_fname;
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

static Result<GpuLibrary> openLibrary(const std::string &target) {
  const std::string name = target == "simt" ? "libECF8Simt.so" : "libECF8Cuda.so";
  void *handle = dlopen((ownFolder() + name).c_str(), RTLD_NOW | RTLD_LOCAL);
  std::string reason = handle ? "" : dlerror();
  if (!handle)
    handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return Status(StatusCode::Unsupported, "expected " + name + " beside the runtime, got: " + reason);
  GpuLibrary library = {};
  auto place = [](auto &function) { return reinterpret_cast<void **>(&function); };
  const std::pair<const char *, void **> entries[] = {
      {"ecf8_gpu_open", place(library.open)},
      {"ecf8_gpu_resets", place(library.resets)},
      {"ecf8_gpu_last_error", place(library.lastError)},
      {"mgpuSetDefaultDevice", place(library.setDefaultDevice)},
      {"mgpuModuleLoad", place(library.moduleLoad)},
      {"mgpuModuleUnload", place(library.moduleUnload)},
      {"mgpuModuleGetFunction", place(library.moduleGetFunction)},
      {"mgpuLaunchKernel", place(library.launchKernel)},
      {"mgpuStreamCreate", place(library.streamCreate)},
      {"mgpuStreamDestroy", place(library.streamDestroy)},
      {"mgpuStreamSynchronize", place(library.streamSynchronize)},
      {"mgpuMemAlloc", place(library.memAlloc)},
      {"mgpuMemFree", place(library.memFree)},
      {"mgpuMemcpy", place(library.memcpy)},
      {"mgpuMemset32", place(library.memset32)},
  };
  for (auto [symbol, function] : entries) {
    *function = dlsym(handle, symbol);
    if (!*function)
      return Status(StatusCode::Unsupported, name + ": expected the function " + symbol + ", got none");
  }
  return library;
}

Result<const GpuLibrary *> GpuLibrary::load(const std::string &target) {
  static std::mutex mutex;
  static std::map<std::string, GpuLibrary> loaded;
  std::lock_guard<std::mutex> lock(mutex);
  if (auto found = loaded.find(target); found != loaded.end())
    return &found->second;
  Result<GpuLibrary> library = openLibrary(target);
  if (!library)
    return library.status();
  return &loaded.emplace(target, library.take()).first->second;
}

Status GpuLibrary::lastStatus() const {
  EcfStatusCode code = ECF8_OK;
  std::string message = lastError(&code);
  return code == ECF8_OK ? Status::ok() : Status(static_cast<StatusCode>(code), message);
}
