// Runs ld.lld on one object file. ECF8_CONFIGURED_LINKER is the path that CMake found.
#include "ecf8/Pipelines/Linker.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include <dlfcn.h>
#include <link.h>
#include <string>

using namespace llvm;
using ::ecf8::Result;
using ::ecf8::Status;
using ::ecf8::StatusCode;

namespace mlir::ecf8 {

Result<std::string> findLinker(StringRef requested) {
  if (!requested.empty()) {
    ErrorOr<std::string> found = sys::findProgramByName(requested);
    std::error_code code = found ? sys::fs::access(*found, sys::fs::AccessMode::Execute) : found.getError();
    if (code)
      return Status(StatusCode::NotFound,
                    "expected the path of ld.lld in --linker, got '" + requested.str() + "': " + code.message());
    return *found;
  }
  if (sys::fs::can_execute(ECF8_CONFIGURED_LINKER))
    return std::string(ECF8_CONFIGURED_LINKER);
  for (StringRef name : {"ld.lld", "ld.lld-22"})
    if (ErrorOr<std::string> found = sys::findProgramByName(name))
      return *found;
  return Status(StatusCode::NotFound, "expected ld.lld at " ECF8_CONFIGURED_LINKER
                                      " or in PATH, found none; install lld or pass --linker=<path of ld.lld>");
}

/// The file from which this process would load the library `name`. The compiled code needs the same library when it
/// runs, so the search path of the dynamic loader is the right one, and no -dev package is needed.
static Result<std::string> findLoadedLibrary(const char *name) {
  void *handle = dlopen(name, RTLD_LAZY);
  struct link_map *map = nullptr;
  if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0)
    return Status(StatusCode::NotFound, std::string("expected to find the system's ") + name + ": " + dlerror());
  std::string path = map->l_name;
  dlclose(handle);
  return path;
}

Status linkSharedObject(StringRef linker, StringRef objectPath, StringRef outputPath) {
  Result<std::string> libm = findLoadedLibrary("libm.so.6");
  if (!libm)
    return libm.status();
  Result<std::string> libc = findLoadedLibrary("libc.so.6");
  if (!libc)
    return libc.status();
  std::string logPath = (outputPath + ".log").str();
  FileRemover removeLog(logPath);
  StringRef arguments[] = {linker,
                           "-m",
                           "elf_x86_64",
                           "-shared",
                           "--no-undefined",
                           "--gc-sections",
                           "--build-id=none",
                           "--hash-style=gnu",
                           "--threads=1",
                           "-z",
                           "relro",
                           "-z",
                           "now",
                           "-z",
                           "noexecstack",
                           "-o",
                           outputPath,
                           objectPath,
                           *libm,
                           *libc};
  std::string error;
  std::optional<StringRef> redirects[] = {StringRef(""), StringRef(logPath), StringRef(logPath)};
  int exitCode = sys::ExecuteAndWait(linker, arguments, std::nullopt, redirects, 0, 0, &error);
  if (exitCode == 0)
    return Status::ok();
  if (error.empty())
    if (ErrorOr<std::unique_ptr<MemoryBuffer>> log = MemoryBuffer::getFile(logPath))
      error = (*log)->getBuffer().trim().str();
  return Status(StatusCode::IoError, linker.str() + " failed (" + std::to_string(exitCode) + "): " + error);
}

} // namespace mlir::ecf8
