// Places shared variables, and turns their addresses into offsets.
#include "SharedVariables.h"
#include "Block.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/ReplaceConstant.h>
#include <llvm/Transforms/Utils/ModuleUtils.h>

using namespace ecf8;
using namespace ecf8::simt;

static constexpr unsigned kSharedSpace = 3;
static constexpr uint32_t kDynamicArea = ~0u; ///< in the place of an offset

/// Aligned to what it declares and, where that can be, to no more, so that a program that relies on more is found out.
/// The area of unknown size comes last.
Status SharedVariables::place(llvm::Module &module, RetargetedModule &result) {
  llvm::removeFromUsedLists(module, [](llvm::Constant *c) {
    auto *variable = llvm::dyn_cast<llvm::GlobalVariable>(c->stripPointerCasts());
    return variable && variable->getAddressSpace() == kSharedSpace;
  });
  const llvm::DataLayout &layout = module.getDataLayout();
  uint32_t end = 0;
  std::vector<llvm::Constant *> constants;
  for (llvm::GlobalVariable &variable : module.globals()) {
    if (variable.getAddressSpace() != kSharedSpace)
      continue;
    constants.push_back(&variable);
    uint64_t size = layout.getTypeAllocSize(variable.getValueType());
    uint32_t alignment = variable.getAlign().value_or(layout.getABITypeAlign(variable.getValueType())).value();
    std::string name = variable.getName().str();
    if (size == 0) {
      if (!variable.isDeclaration())
        return Status(StatusCode::InvalidArgument,
                      "shared variable '" + name +
                          "': expected an external declaration for the dynamic area, got a definition of 0 bytes, of "
                          "which PTX makes a variable of its own");
      variables.push_back({&variable, kDynamicArea});
      result.dynamicAlignment = std::max({result.dynamicAlignment, alignment, 16u});
      continue;
    }
    if (variable.hasInitializer() && !llvm::isa<llvm::UndefValue>(variable.getInitializer()))
      return Status(StatusCode::InvalidArgument,
                    "shared variable '" + name +
                        "': expected no initial value, got one; shared memory starts undefined");
    uint32_t offset = (end + alignment - 1) / alignment * alignment;
    if (alignment < 128 && offset % (2 * alignment) == 0)
      offset += alignment;
    if (offset + size > kArenaBytes)
      return Status(StatusCode::OutOfMemory, "shared variable '" + name + "': expected at most " +
                                                 std::to_string(kMaxSharedBytes) + " bytes of shared memory, got " +
                                                 std::to_string(offset + size));
    variables.push_back({&variable, offset});
    result.shared.push_back({name, offset, uint32_t(size)});
    end = offset + size;
  }
  result.staticSharedBytes = end;
  llvm::convertUsersOfConstantsToInstructions(constants);
  // The place of the dynamic area is known now, too: behind the static variables.
  uint32_t alignment = std::max(result.dynamicAlignment, 16u);
  for (auto &[variable, offset] : variables)
    if (offset == kDynamicArea)
      offset = (end + alignment - 1) / alignment * alignment;
  return Status::ok();
}

void SharedVariables::replaceUses(FunctionEmitter &emitter) const {
  llvm::IRBuilder<> &builder = emitter.builder;
  for (const auto &[variable, offset] : variables) {
    llvm::Value *address = nullptr;
    for (llvm::Use &use : llvm::make_early_inc_range(variable->uses())) {
      auto *user = llvm::dyn_cast<llvm::Instruction>(use.getUser());
      if (!user || user->getFunction() != &emitter.function)
        continue;
      if (!address) {
        llvm::Value *base = emitter.shared();
        builder.SetInsertPoint(llvm::cast<llvm::Instruction>(base)->getNextNode());
        address = builder.CreateAddrSpaceCast(builder.CreateConstGEP1_64(emitter.byteType(), base, offset),
                                              variable->getType(), variable->getName());
      }
      use.set(address);
    }
  }
}

void SharedVariables::erase() {
  for (const auto &[variable, offset] : variables) {
    variable->replaceAllUsesWith(llvm::PoisonValue::get(variable->getType()));
    variable->eraseFromParent();
  }
}
