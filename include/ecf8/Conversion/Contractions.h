// The contract between `ecf8-lower-storage`, which declares contraction functions and calls them, and
// `ecf8-emit-decoders`, which fills in their bodies for one instruction set.
//
//   func.func private @ecf8_contract_huffman_L8_S1024_f8E4M3FN_f32_f32rows(
//       %payload: memref<?xi8>, %activations: memref<?x?xf32, strided<[?, 1], offset: ?>>,
//       %out: memref<?x?xf32, strided<[?, 1], offset: ?>>, %scale: memref<?x?xf32, strided<[?, 1], offset: ?>>,
//       %blockRows: index, %blockColumns: index, %row: index)
//       attributes {ecf8.contraction = !ecf8.compressed<...>, ecf8.scale = "rows"}
//
// adds to `out` what `ecf8.contract` says. The weight is `row` and the rows behind it, as many as `out` has columns.
// The three arguments before `row` are there where the weight is scaled: `ecf8.scale` is "rows" (one scale for each
// row) or "blocks" (one for at least 32 rows and 64 columns). The shape of the type in the attribute does not matter:
// all weights of one encoding, element type and scale share a function.
//
// With an epilogue `out` is not read, and may be of bf16 or f16. `ecf8.epilogue` names a function with a body:
//
//   func.func private @ecf8_epilogue_0(%sum: f32, %extra: f32, ...) -> bf16
//
// which makes an element of `out` of a sum and an element of each extra operand. These stand before `row`,
// memref<?x?xf32, strided<[?, 1], offset: ?>>, with the size 1 where all rows or columns share an element. Equal
// epilogues are one function. `ecf8-emit-decoders` puts its ops into the kernels and removes it.
#ifndef ECF8_CONVERSION_CONTRACTIONS_H
#define ECF8_CONVERSION_CONTRACTIONS_H

#include "ecf8/Dialect/ECF8/IR/ECF8.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::ecf8 {

inline constexpr llvm::StringLiteral kContractionAttrName = "ecf8.contraction";
inline constexpr llvm::StringLiteral kScaleKindAttrName = "ecf8.scale";
inline constexpr llvm::StringLiteral kScalesSumsAttrName = "ecf8.scales_sums";
inline constexpr llvm::StringLiteral kDividesAttrName = "ecf8.divides";
inline constexpr llvm::StringLiteral kEpilogueAttrName = "ecf8.epilogue";

enum class ScaleKind { None, Rows, Blocks };

/// What a contraction function is compiled for.
struct ContractionSpec {
  CompressedType weight;
  Type activations; ///< f32, bf16, f16 or FP8
  ScaleKind scaleKind = ScaleKind::None;
  Type scale;                    ///< f32, bf16 or f16; null without a scale
  bool scalesSums = false;       ///< scales are applied to sums instead of weights
  bool divides = false;          ///< by scales, instead of multiplying
  Type result;                   ///< f32; with an epilogue bf16 or f16, too
  Region *epilogue = nullptr;    ///< of the op or the function; null without one
  SmallVector<MemRefType> extra; ///< what the epilogue reads

  bool hasFP8Activations() const { return CompressedType::isValidElementType(activations); }
  /// The same as far as single weights go: without a scale where sums are scaled.
  ContractionSpec ofWeights() const;

  static ContractionSpec of(ContractOp op);
  /// Reads it off a declaration; failure, with a diagnostic, where the type is not the one above.
  static FailureOr<ContractionSpec> of(func::FuncOp function);
  FunctionType getFunctionType() const;
  /// The index of the first extra operand among the arguments of the function.
  unsigned getFirstExtra() const { return scaleKind == ScaleKind::None ? 3 : 6; }
};

/// The functions of a module that wait for their bodies.
struct KernelDeclarations {
  SmallVector<func::FuncOp> decoders, contractions;

  static KernelDeclarations of(ModuleOp module);
};

/// The function for `spec`; declared at the start of `module` where it does not exist.
func::FuncOp getOrCreateContraction(ModuleOp module, const ContractionSpec &spec);

} // namespace mlir::ecf8

#endif // ECF8_CONVERSION_CONTRACTIONS_H
