// GPU kernels on the CPU: LLVM IR that is meant for the NVPTX backend runs here with warp semantics (docs/Simt.md).
#ifndef ECF8_SIMT_SIMT_H
#define ECF8_SIMT_SIMT_H

#include "ecf8/Support/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ecf8::simt {

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
};

struct LoadOptions {
  /// Compile the checks of memory into the module: bounds, uninitialised and racing shared accesses, missing waits.
  /// Collectives, alignment of matrix and copy instructions, deadlocks and livelocks are always checked.
  bool check = false;
  /// Names the module in messages.
  std::string name = "module";
};

struct LaunchOptions {
  /// Another order of threads, warps and blocks for each value; 0 is the ascending order.
  uint64_t seed = 0;
  /// Operating system threads over the blocks; 0 is as many as the machine has. The same blocks on one worker run in
  /// the same order each time.
  unsigned numWorkers = 0;
  /// Rounds in which all runnable threads of a block only polled, until the launch is called a livelock.
  uint64_t livelockRounds = 100000;
};

struct KernelImpl;
struct ModuleImpl;

/// A kernel of a loaded module; lives as long as the module.
class Kernel {
public:
  const std::string &name() const;
  size_t numParameters() const;
  /// Bytes of shared memory that the kernel's module declares, without the dynamic area.
  uint32_t staticSharedBytes() const;

private:
  explicit Kernel(KernelImpl *impl) : impl(impl) {}
  KernelImpl *impl;
  friend class Module;
  friend struct KernelAccess;
};

/// LLVM IR, compiled for this machine.
class Module {
public:
  /// Loads bitcode or textual IR. Errors: IR that does not parse or verify (Corrupt); intrinsics, inline assembly or
  /// functions that are not known here, all of them in one message (Unsupported).
  static Result<Module> load(std::string_view bitcodeOrText, const LoadOptions &options = {});
  Module(Module &&) noexcept;
  Module &operator=(Module &&) noexcept;
  ~Module();

  std::vector<std::string> kernelNames() const;
  Result<Kernel> kernel(std::string_view name) const;
  /// The address of a global variable in global or constant memory, and its size.
  Result<std::pair<void *, size_t>> global(std::string_view name) const;
  /// The entries of the op table that the module calls, sorted.
  std::vector<std::string> opNames() const;

private:
  explicit Module(std::unique_ptr<ModuleImpl> impl);
  std::unique_ptr<ModuleImpl> impl;
};

/// Runs a kernel to its end. `parameters` points to the values of the kernel's parameters, in order. A fault of the
/// kernel is an error (Aborted) that names kernel, block and thread; the process and the module stay usable, and memory
/// holds what was written until then.
Status launch(const Kernel &kernel, Dim3 grid, Dim3 block, uint32_t dynamicSharedBytes, void *const *parameters,
              size_t numParameters, const LaunchOptions &options = {});

/// Global memory, between guard pages, aligned to 256 bytes, filled with 0xff. Null for 0 bytes and where there is no
/// memory. Kernels of modules with checks may access nothing else but registered memory and their module's globals.
void *allocate(size_t sizeBytes);
/// Frees memory of allocate(); null is fine, anything else is an error.
Status release(void *pointer);
/// Lets kernels with checks access memory of the host.
void registerHostMemory(const void *pointer, size_t sizeBytes);
void unregisterHostMemory(const void *pointer);

/// What this library knows: entries of the op table, by name, sorted. Intrinsics go by their name without `llvm.nvvm.`,
/// instructions of inline assembly by `asm:` and their name.
std::vector<std::string> knownOps();

} // namespace ecf8::simt

#endif // ECF8_SIMT_SIMT_H
