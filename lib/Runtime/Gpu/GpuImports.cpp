// The imports of code for GPUs. Errors are recorded before the code is left by longjmp: no object with a destructor
// lives in a frame that is skipped.
#include "GpuProgram.h"

using namespace ecf8;

namespace {

/// Leaves the running call where `work(program)` fails; returns its value.
template <typename Value, typename Work> Value valueOf(Work work) {
  Value value = {};
  auto run = [&] {
    Result<Value> result = work(*runningCall()->gpu);
    if (result)
      value = *result;
    else
      runningCall()->record(result.status().code(), result.status().message().c_str());
    return result.isOk();
  };
  if (!run())
    leaveRunningCall();
  return value;
}

template <typename Work> void check(Work work) {
  (void)valueOf<bool>([&](GpuProgram &program) -> Result<bool> {
    Status status = work(program);
    if (!status.isOk())
      return status;
    return true;
  });
}

void launch(const char *kernel, int64_t gridX, int64_t gridY, int64_t blockX, int64_t sharedBytes, void **parameters,
            int64_t count) {
  check([&](GpuProgram &program) {
    return program.launch(kernel, gridX, gridY, blockX, sharedBytes, parameters, count);
  });
}

void copy(void *destination, const void *source, int64_t bytes) {
  check([&](GpuProgram &program) { return program.copy(destination, source, bytes); });
}

void read(void *host, const void *source, int64_t bytes) {
  check([&](GpuProgram &program) { return program.download(host, source, static_cast<uint64_t>(bytes)); });
}

void write(void *destination, const void *host, int64_t bytes) {
  check([&](GpuProgram &program) { return program.write(destination, host, bytes); });
}

const void *constant(const void *host, int64_t bytes) {
  return valueOf<const void *>([&](GpuProgram &program) { return program.constant(host, bytes); });
}

int64_t processors() { return runningCall()->gpu->processors(); }
int64_t sharedBytes() { return runningCall()->gpu->sharedBytes(); }

void *workspace(int64_t which, int64_t bytes) {
  return valueOf<void *>([&](GpuProgram &program) { return program.workspace(which, bytes); });
}

int64_t slot(const void *payload) {
  return valueOf<int64_t>([&](GpuProgram &program) { return program.slot(payload); });
}

const void *header(const void *payload) {
  return valueOf<const void *>([&](GpuProgram &program) { return program.header(payload); });
}

} // namespace

const EcfGpuImports &ecf8::gpuImports() {
  static const EcfGpuImports imports = {ECF8_MODULE_ABI_VERSION,
                                        sizeof(EcfGpuImports),
                                        launch,
                                        copy,
                                        read,
                                        write,
                                        constant,
                                        processors,
                                        sharedBytes,
                                        workspace,
                                        slot,
                                        header};
  return imports;
}
