// The functions by which launches call kernels.
#include "Block.h"
#include "Retarget.h"

#include <llvm/IR/IRBuilder.h>

using namespace ecf8::simt;

/// The product of an attribute's numbers, which also go into `values`; 0 without the attribute.
static uint32_t firstNumber(const llvm::Function &kernel, llvm::StringRef attribute, uint32_t *values) {
  if (!kernel.hasFnAttribute(attribute))
    return 0;
  llvm::SmallVector<llvm::StringRef, 3> parts;
  kernel.getFnAttribute(attribute).getValueAsString().split(parts, ',');
  uint64_t product = 1;
  for (unsigned i = 0; i < 3; ++i) {
    uint32_t number = 1;
    if (i < parts.size() && parts[i].trim().getAsInteger(10, number))
      return 0;
    product *= number;
    if (values)
      values[i] = number;
  }
  return uint32_t(std::min<uint64_t>(product, kMaxThreads));
}

RetargetedKernel ecf8::simt::addEntry(llvm::Function &kernel) {
  llvm::Module &module = *kernel.getParent();
  llvm::IRBuilder<> builder(module.getContext());
  kernel.setCallingConv(llvm::CallingConv::C);
  RetargetedKernel info = {};
  info.name = kernel.getName().str();
  info.entry = "ecf8.entry." + info.name;
  info.numParameters = kernel.arg_size();
  info.maxThreads = firstNumber(kernel, "nvvm.maxntid", nullptr);
  firstNumber(kernel, "nvvm.reqntid", info.required);
  auto *type = llvm::FunctionType::get(builder.getVoidTy(), {builder.getPtrTy()}, false);
  auto *entry = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, info.entry, module);
  entry->addFnAttr("probe-stack", "inline-asm");
  builder.SetInsertPoint(llvm::BasicBlock::Create(module.getContext(), "entry", entry));
  std::vector<llvm::Value *> arguments;
  for (llvm::Argument &parameter : kernel.args()) {
    llvm::Value *place = builder.CreateLoad(
        builder.getPtrTy(), builder.CreateConstGEP1_64(builder.getPtrTy(), entry->getArg(0), parameter.getArgNo()));
    if (parameter.hasByValAttr()) {
      llvm::Type *pointee = parameter.getParamByValType();
      llvm::Value *copy = builder.CreateAlloca(pointee);
      uint64_t size = module.getDataLayout().getTypeAllocSize(pointee);
      builder.CreateMemCpy(copy, llvm::Align(1), place, llvm::Align(1), size);
      arguments.push_back(builder.CreateAddrSpaceCast(copy, parameter.getType()));
      parameter.removeAttr(llvm::Attribute::ByVal);
    } else {
      arguments.push_back(builder.CreateAlignedLoad(parameter.getType(), place, llvm::Align(1)));
    }
  }
  builder.CreateCall(&kernel, arguments);
  builder.CreateRetVoid();
  kernel.setLinkage(llvm::GlobalValue::InternalLinkage);
  return info;
}
