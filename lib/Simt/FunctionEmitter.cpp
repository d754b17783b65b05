// The context of the running thread, slots of arguments, and calls of the runtime.
#include "FunctionEmitter.h"

#include <llvm/Support/MathExtras.h>

#include <cstddef>

using namespace ecf8::simt;

std::string ecf8::simt::describePlace(const llvm::Instruction &instruction) {
  std::string where = "in " + instruction.getFunction()->getName().str();
  if (const llvm::DebugLoc &location = instruction.getDebugLoc())
    where += ", line " + std::to_string(location.getLine());
  return where;
}

FunctionEmitter::FunctionEmitter(llvm::Function &function, RetargetedModule &result)
    : function(function), builder(function.getContext()), result(result) {
  builder.SetInsertPoint(&function.getEntryBlock(), function.getEntryBlock().begin());
  slots = builder.CreateAlloca(llvm::ArrayType::get(byteType(), 0), nullptr, "slots");
}

llvm::Constant *FunctionEmitter::hostPointer(const void *pointer) {
  return llvm::ConstantExpr::getIntToPtr(builder.getInt64(reinterpret_cast<uint64_t>(pointer)), builder.getPtrTy());
}

CallSite &FunctionEmitter::newSite(const llvm::Instruction &instruction, std::string what) {
  CallSite &site = result.sites.emplace_back();
  site.what = std::move(what);
  site.where = describePlace(instruction);
  return site;
}

/// From the stack's address, as contextAddress (Fiber.h) does it.
llvm::Value *FunctionEmitter::context() {
  if (contextAddress)
    return contextAddress;
  llvm::IRBuilder<>::InsertPointGuard guard(builder);
  builder.SetInsertPoint(&function.getEntryBlock(), function.getEntryBlock().getFirstInsertionPt());
  llvm::Value *frame =
      builder.CreateIntrinsic(llvm::Intrinsic::frameaddress, {builder.getPtrTy()}, {builder.getInt32(0)});
  llvm::Value *slot =
      builder.CreateLShr(builder.CreatePtrToInt(frame, builder.getInt64Ty()), llvm::Log2_64(kStackSlotBytes));
  llvm::Value *offset =
      builder.CreateMul(builder.CreateAnd(slot, kNumContextOffsets - 1), builder.getInt64(kContextBytes));
  llvm::Value *top = builder.CreateAdd(builder.CreateShl(slot, llvm::Log2_64(kStackSlotBytes)),
                                       builder.getInt64(kStackSlotBytes - kContextAreaBytes));
  contextAddress = builder.CreateIntToPtr(builder.CreateAdd(top, offset), builder.getPtrTy(), "context");
  return contextAddress;
}

llvm::Value *FunctionEmitter::shared() {
  if (sharedBase)
    return sharedBase;
  llvm::Value *base = context();
  llvm::IRBuilder<>::InsertPointGuard guard(builder);
  builder.SetInsertPoint(llvm::cast<llvm::Instruction>(base)->getNextNode());
  llvm::Value *field = builder.CreateConstGEP1_64(byteType(), base, offsetof(Context, shared));
  sharedBase = builder.CreateLoad(builder.getPtrTy(), field, "shared");
  return sharedBase;
}

llvm::Value *FunctionEmitter::slot(unsigned index) {
  numSlots = std::max(numSlots, index + 1);
  return builder.CreateConstGEP1_64(byteType(), slots, index * sizeof(Slot));
}

void FunctionEmitter::storeArgument(unsigned index, llvm::Value *value) {
  if (value->getType()->isIntegerTy(1))
    value = builder.CreateZExt(value, byteType());
  builder.CreateAlignedStore(value, slot(index), llvm::Align(16));
}

llvm::Value *FunctionEmitter::loadResult(unsigned index, llvm::Type *type) {
  llvm::Type *stored = type->isIntegerTy(1) ? byteType() : type;
  llvm::Value *value = builder.CreateAlignedLoad(stored, slot(index), llvm::Align(16));
  return type->isIntegerTy(1) ? builder.CreateTrunc(value, type) : value;
}

llvm::Value *FunctionEmitter::loadResults(llvm::Type *type) {
  auto *structure = llvm::dyn_cast<llvm::StructType>(type);
  if (!structure)
    return loadResult(0, type);
  llvm::Value *all = llvm::PoisonValue::get(type);
  for (unsigned i = 0; i < structure->getNumElements(); ++i)
    all = builder.CreateInsertValue(all, loadResult(i, structure->getElementType(i)), i);
  return all;
}

void FunctionEmitter::callRuntime(const void *target, CallSite &site, llvm::ArrayRef<llvm::Value *> arguments) {
  llvm::SmallVector<llvm::Value *> all{context(), hostPointer(&site)};
  all.append(arguments.begin(), arguments.end());
  llvm::SmallVector<llvm::Type *> types;
  for (llvm::Value *argument : all)
    types.push_back(argument->getType());
  builder.CreateCall(llvm::FunctionType::get(builder.getVoidTy(), types, false), hostPointer(target), all);
}

void FunctionEmitter::callWithSlots(const void *target, CallSite &site) {
  slot(0); // there is one, whatever the function makes of it
  callRuntime(target, site, {slots});
}

void FunctionEmitter::replace(llvm::CallInst &call, llvm::Value *value) {
  if (value && !call.getType()->isVoidTy()) {
    value->takeName(&call);
    call.replaceAllUsesWith(value);
  }
  dead.push_back(&call);
}

void FunctionEmitter::finish() {
  for (llvm::Instruction *instruction : dead)
    instruction->eraseFromParent();
  if (numSlots == 0) {
    slots->eraseFromParent();
  } else {
    slots->setAllocatedType(llvm::ArrayType::get(byteType(), numSlots * sizeof(Slot)));
    slots->setAlignment(llvm::Align(16));
  }
}
