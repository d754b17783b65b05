// The contract between `ecf8-lower-storage`, which declares decode functions and calls them, and
// `ecf8-emit-decoders`, which fills in their bodies for one instruction set.
//
//   func.func private @ecf8_decode_huffman_L8_S1024_f8E4M3FN(
//       %payload: memref<?xi8>, %out: memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>, %row: index, %column: index)
//       attributes {ecf8.decoder = !ecf8.compressed<...>}
//
// writes the slice of the matrix view that begins at (`row`, `column`) and has the shape of `out`. The shape of the
// type in the attribute does not matter: all weights of one encoding and element type share a decoder. With an `out` of
// type memref<?xi8> it writes the whole weight in the order of the format, padding included (benchmarks, and kernels
// that read tiles).
#ifndef ECF8_CONVERSION_DECODERS_H
#define ECF8_CONVERSION_DECODERS_H

#include "ecf8/Dialect/ECF8/IR/ECF8.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::ecf8 {

inline constexpr llvm::StringLiteral kDecoderAttrName = "ecf8.decoder";

/// A payload as kernels get it: memref<?xi8>.
MemRefType getPayloadType(MLIRContext *context);

/// A matrix as kernels get it: memref<?x?xT, strided<[?, 1], offset: ?>>.
MemRefType getKernelMatrixType(Type elementType);

/// The decoder for values of `type`; declared at the start of `module` where it does not exist.
func::FuncOp getOrCreateDecoder(ModuleOp module, CompressedType type);

/// Checks that `decoder` has one of the two types above.
LogicalResult verifyDecoderType(func::FuncOp decoder);

} // namespace mlir::ecf8

#endif // ECF8_CONVERSION_DECODERS_H
