#include "Gpu.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace ecf8::bench {

void require(const Status &status) {
  if (status.isOk())
    return;
  std::fprintf(stderr, "error: %s\n", status.message().c_str());
  std::exit(1);
}

Gpu::Gpu() {
  auto loaded = cuda::loadDriver();
  require(loaded.status());
  driver = *loaded;
  cuda::Device device;
  cuda::Context context;
  check(driver->deviceGet(&device, 0), "cuDeviceGet");
  check(driver->devicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
  check(driver->ctxSetCurrent(context), "cuCtxSetCurrent");
  char text[128] = "";
  check(driver->deviceGetName(text, sizeof text, device), "cuDeviceGetName");
  name = text;
  check(driver->deviceGetAttribute(&processors, cuda::MultiprocessorCount, device), "cuDeviceGetAttribute");
  check(driver->deviceGetAttribute(&sharedBytes, cuda::MaxSharedBytesPerBlock, device), "cuDeviceGetAttribute");
  check(driver->driverGetVersion(&driverVersion), "cuDriverGetVersion");
  check(driver->eventCreate(&begin, 0), "cuEventCreate");
  check(driver->eventCreate(&end, 0), "cuEventCreate");
}

void Gpu::load(const std::string &moduleName, const std::string &ptxPath) {
  std::FILE *file = std::fopen(ptxPath.c_str(), "rb");
  if (!file)
    require(Status(StatusCode::NotFound, ptxPath + ": expected a PTX file"));
  std::string ptx;
  char buffer[1 << 16];
  while (size_t count = std::fread(buffer, 1, sizeof buffer, file))
    ptx.append(buffer, count);
  std::fclose(file);
  check(driver->moduleLoadData(&modules[moduleName], ptx.c_str()), ("cuModuleLoadData of " + ptxPath).c_str());
}

cuda::Address Gpu::allocate(size_t bytes) {
  cuda::Address address = 0;
  check(driver->memAlloc(&address, std::max<size_t>(bytes, 1)), "cuMemAlloc");
  return address;
}

cuda::Address Gpu::upload(const void *data, size_t bytes) {
  cuda::Address address = allocate(bytes);
  check(driver->memcpyHtoD(address, data, bytes), "cuMemcpyHtoD");
  return address;
}

cuda::Address Gpu::copy(cuda::Address source, size_t bytes) {
  cuda::Address address = allocate(bytes);
  check(driver->memcpyDtoD(address, source, bytes), "cuMemcpyDtoD");
  return address;
}

void Gpu::fill(cuda::Address address, uint8_t value, size_t bytes) {
  check(driver->memsetD8(address, value, bytes), "cuMemsetD8");
}

void Gpu::download(void *data, cuda::Address source, size_t bytes) {
  check(driver->memcpyDtoH(data, source, bytes), "cuMemcpyDtoH");
}

cuda::Function Gpu::find(const std::string &moduleName, const std::string &kernel) {
  cuda::Function function;
  check(driver->moduleGetFunction(&function, modules.at(moduleName), kernel.c_str()),
        ("cuModuleGetFunction of " + kernel).c_str());
  return function;
}

int Gpu::registersOf(cuda::Function kernel) {
  int count = 0;
  check(driver->funcGetAttribute(&count, cuda::RegisterCount, kernel), "cuFuncGetAttribute");
  return count;
}

void Gpu::launch(const Launch &launch, std::vector<void *> arguments) {
  check(driver->funcSetAttribute(launch.kernel, cuda::MaxDynamicSharedBytes, int(launch.sharedBytes)),
        "cuFuncSetAttribute");
  check(driver->launchKernel(launch.kernel, launch.gridX, launch.gridY, 1, launch.threads, 1, 1, launch.sharedBytes,
                             nullptr, arguments.data(), nullptr),
        "cuLaunchKernel");
}

double Gpu::time(const std::function<void(unsigned)> &run, unsigned count) {
  constexpr unsigned unmeasured = 4;
  std::vector<double> times;
  for (unsigned i = 0; i < count + unmeasured; ++i) {
    check(driver->eventRecord(begin, nullptr), "cuEventRecord");
    run(i);
    check(driver->eventRecord(end, nullptr), "cuEventRecord");
    check(driver->eventSynchronize(end), "cuEventSynchronize");
    float milliseconds = 0;
    check(driver->eventElapsedTime(&milliseconds, begin, end), "cuEventElapsedTime");
    if (i >= unmeasured)
      times.push_back(milliseconds * 1e3);
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

} // namespace ecf8::bench
