// Links an object file into the shared object of a bundle. Needs ld.lld, and neither a compiler nor a -dev package.
#ifndef ECF8_PIPELINES_LINKER_H
#define ECF8_PIPELINES_LINKER_H

#include "ecf8/Support/Status.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace mlir::ecf8 {

/// The linker to use: `requested` where it is given (a path, or a name to find in PATH), else the one found when ECF8
/// was configured, else ld.lld or ld.lld-22 in PATH.
::ecf8::Result<std::string> findLinker(llvm::StringRef requested);

/// Links `objectPath` into the shared object `outputPath`. An undefined symbol that neither libc nor libm defines is an
/// error. The same object gives the same bytes.
::ecf8::Status linkSharedObject(llvm::StringRef linker, llvm::StringRef objectPath, llvm::StringRef outputPath);

} // namespace mlir::ecf8

#endif // ECF8_PIPELINES_LINKER_H
