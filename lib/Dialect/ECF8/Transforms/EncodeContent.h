// Encodes attributes through the codec.
#ifndef ECF8_LIB_DIALECT_ECF8_TRANSFORMS_ENCODECONTENT_H
#define ECF8_LIB_DIALECT_ECF8_TRANSFORMS_ENCODECONTENT_H

#include "ecf8/Dialect/ECF8/IR/ECF8.h"

namespace mlir::ecf8 {

/// The payload of `content`, a value of `type`'s decoded type, as a resource whose name begins with `name`. Fails with
/// a diagnostic when the content's bytes are not there (an elided resource) or the codec refuses.
FailureOr<ElementsAttr> encodeContent(ElementsAttr content, CompressedType type, llvm::StringRef name,
                                      llvm::function_ref<InFlightDiagnostic()> emitError);

/// Size of a payload attribute.
int64_t getPayloadSizeBytes(ElementsAttr payload);

} // namespace mlir::ecf8

#endif // ECF8_LIB_DIALECT_ECF8_TRANSFORMS_ENCODECONTENT_H
