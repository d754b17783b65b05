// Entry points and their types for the manifest.
#include "EntryPoints.h"

#include "ecf8/Conversion/RuntimeImports.h"
#include "ecf8/Pipelines/WeightFiles.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/JSON.h"

namespace mlir::ecf8 {

/// The manifest's type for `type`; nothing where a caller could not pass such a value.
static std::optional<BundleTensorType> getBundleType(Type type) {
  BundleTensorType result;
  Type elementType = type;
  if (auto tensor = dyn_cast<RankedTensorType>(type)) {
    if (tensor.getEncoding())
      return std::nullopt;
    elementType = tensor.getElementType();
    result.shape.emplace();
    for (int64_t dim : tensor.getShape())
      result.shape->push_back(ShapedType::isDynamic(dim) ? -1 : dim);
  }
  // An index is a 64-bit integer in memory and in registers.
  result.dtype = elementType.isIndex() ? "i64" : getDTypeName(elementType);
  if (result.dtype.empty() || isa<Float8E8M0FNUType>(elementType)) // which only weights have
    return std::nullopt;
  return result;
}

LogicalResult collectEntryPoints(ModuleOp module, std::vector<BundleEntryPoint> &entryPoints) {
  auto addTypes = [](func::FuncOp function, TypeRange types, StringRef what,
                     std::vector<BundleTensorType> &bundleTypes) -> LogicalResult {
    for (auto [index, type] : llvm::enumerate(types)) {
      std::optional<BundleTensorType> bundleType = getBundleType(type);
      if (!bundleType)
        return emitError(function.getLoc())
               << "entry point '" << function.getName()
               << "': expected a ranked tensor or a scalar of f8E4M3FN, f8E5M2, f16, bf16, f32, "
                  "f64, i1, i8, i16, i32, i64 or index as "
               << what << " " << index << ", got " << type;
      bundleTypes.push_back(std::move(*bundleType));
    }
    return success();
  };
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isPublic() || function.isDeclaration())
      continue;
    if (!llvm::json::isUTF8(function.getName()))
      return emitError(function.getLoc(), "expected a function name in UTF-8, got other bytes");
    BundleEntryPoint entry;
    entry.name = function.getName().str();
    entry.symbol = kEntryPrefix.str() + std::to_string(entryPoints.size());
    if (failed(addTypes(function, function.getArgumentTypes(), "input", entry.inputs)) ||
        failed(addTypes(function, function.getResultTypes(), "output", entry.outputs)))
      return failure();
    entryPoints.push_back(std::move(entry));
  }
  if (entryPoints.empty())
    return emitError(module.getLoc(), "expected a public function with a body as entry point, got none");
  return success();
}

} // namespace mlir::ecf8
