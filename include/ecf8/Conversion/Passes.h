// The conversion passes: from linalg, vector and ecf8 ops to the LLVM dialect and the imports of the runtime.
#ifndef ECF8_CONVERSION_PASSES_H
#define ECF8_CONVERSION_PASSES_H

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir::ecf8 {

#define GEN_PASS_DECL
#include "ecf8/Conversion/Passes.h.inc"

#define GEN_PASS_REGISTRATION_DECLS
#define GEN_PASS_REGISTRATION
#include "ecf8/Conversion/Passes.h.inc"

/// Registers every conversion pass under its flag.
inline void registerConversionPasses() { registerECF8ConversionPasses(); }

} // namespace mlir::ecf8

#endif // ECF8_CONVERSION_PASSES_H
