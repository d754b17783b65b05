# Stands for an MLIR of another version, which configuring ECF8 must refuse by name.
set(LLVM_VERSION_MAJOR 21)
set(LLVM_PACKAGE_VERSION 21.1.0)
