// A GPU for the programs of this folder: memory, kernels from a PTX file, and times by events.
#ifndef ECF8_BENCHMARKS_GPU_GPU_H
#define ECF8_BENCHMARKS_GPU_GPU_H

#include "Runtime/Cuda/Driver.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace ecf8::bench {

/// Ends the program with a message where `status` is an error.
void require(const Status &status);

class Gpu {
public:
  Gpu();
  /// Loads a PTX file as the module `name`.
  void load(const std::string &name, const std::string &ptxPath);
  bool has(const std::string &moduleName) const { return modules.contains(moduleName); }

  cuda::Address allocate(size_t bytes);
  void free(cuda::Address address) { check(driver->memFree(address), "cuMemFree"); }
  cuda::Address upload(const void *data, size_t bytes);
  cuda::Address copy(cuda::Address source, size_t bytes);
  void fill(cuda::Address address, uint8_t value, size_t bytes);
  void download(void *data, cuda::Address source, size_t bytes);
  cuda::Function find(const std::string &moduleName, const std::string &kernel);
  int registersOf(cuda::Function kernel);

  struct Launch {
    cuda::Function kernel;
    unsigned gridX, gridY, threads, sharedBytes;
  };
  void launch(const Launch &launch, std::vector<void *> arguments);
  void synchronize() { check(driver->ctxSynchronize(), "cuCtxSynchronize"); }
  /// The median time of `count` runs after some that do not count, in microseconds. `run` gets 0, 1, 2 ...
  double time(const std::function<void(unsigned)> &run, unsigned count);

  std::string name;
  int processors = 0, sharedBytes = 0, driverVersion = 0;

private:
  void check(int error, const char *call) { require(driver->check(error, call)); }

  const cuda::Driver *driver;
  std::map<std::string, cuda::Module> modules;
  cuda::Event begin, end;
};

} // namespace ecf8::bench

#endif // ECF8_BENCHMARKS_GPU_GPU_H
