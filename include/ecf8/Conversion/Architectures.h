// The GPU architectures that kernels are generated for, and what each can do. LLVM aborts on an intrinsic that an
// architecture or PTX version lacks, so this table is asked first.
#ifndef ECF8_CONVERSION_ARCHITECTURES_H
#define ECF8_CONVERSION_ARCHITECTURES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace mlir::ecf8 {

struct Architecture {
  llvm::StringRef name;       ///< as in `--gpu-arch`, LLVM and ptxas
  llvm::StringRef ptxFeature; ///< the PTX version that kernels are written in, as LLVM's feature: +ptx84
  bool convertsFP8;           ///< e4m3 and e5m2 to f16 by one instruction
  bool multipliesFP8;         ///< mma.sync of e4m3 and e5m2
  bool hasWarpgroups;         ///< wgmma
  int64_t sharedBytes;        ///< the most shared memory that a block can have
  bool isForwardCompatible;   ///< newer GPUs run its PTX, too
};

/// Oldest first.
llvm::ArrayRef<Architecture> getArchitectures();

/// The architecture called `name`, or null.
const Architecture *findArchitecture(llvm::StringRef name);

} // namespace mlir::ecf8

#endif // ECF8_CONVERSION_ARCHITECTURES_H
