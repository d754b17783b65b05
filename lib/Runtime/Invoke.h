// One invocation: DLPack tensors in, compiled code, DLPack tensors out.
#ifndef ECF8_LIB_RUNTIME_INVOKE_H
#define ECF8_LIB_RUNTIME_INVOKE_H

#include "Model.h"

namespace ecf8 {

/// See ecf8_model_invoke. `outputs` has as many places as the entry point has outputs and is written only on success.
Status invoke(const Model &model, size_t entry, std::span<const DLManagedTensorVersioned *const> inputs,
              std::span<DLManagedTensorVersioned *> outputs);

} // namespace ecf8

#endif // ECF8_LIB_RUNTIME_INVOKE_H
