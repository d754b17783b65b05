// Special registers become loads from the context, intrinsics and inline assembly calls of ops.
#include "CallRewriter.h"
#include "SpecialRegisters.h"

#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/Intrinsics.h>

using namespace ecf8;
using namespace ecf8::simt;
using llvm::StringRef;

static constexpr StringRef kNvvm = "llvm.nvvm.";

void CallRewriter::addUnknown(const std::string &what, const llvm::CallInst &call) {
  unknown.emplace(what, " (" + describePlace(call) + ")");
}

void CallRewriter::rewrite(llvm::CallInst &call) {
  if (auto *assembly = llvm::dyn_cast<llvm::InlineAsm>(call.getCalledOperand())) {
    rewriteAssembly(call, *assembly);
    return;
  }
  llvm::Function *callee = call.getCalledFunction();
  if (!callee) {
    call.setCallingConv(llvm::CallingConv::C);
    return;
  }
  if (!callee->isDeclaration())
    return;
  StringRef name = callee->getName();
  if (name.consume_front(kNvvm)) {
    // With the types of overloaded intrinsics where the table has that, such as ex2.approx.f32, else without.
    if (callee->getIntrinsicID() && !findOp(std::string_view(name.data(), name.size())))
      name = llvm::Intrinsic::getBaseName(callee->getIntrinsicID()).drop_front(kNvvm.size());
    rewriteIntrinsic(call, name);
    return;
  }
  if (name == "llvm.trap" || name == "__assertfail") {
    callOp(call, name, *findOp("trap"));
    return;
  }
  if (callee->isIntrinsic())
    return;
  if (!findLibraryFunction(name))
    addUnknown("function " + name.str(), call);
}

void CallRewriter::rewriteIntrinsic(llvm::CallInst &call, StringRef name) {
  StringRef reg = name;
  if (reg.consume_front("read.ptx.sreg.")) {
    std::string_view key(reg.data(), reg.size());
    if (std::optional<size_t> field = registerOffset(key)) {
      llvm::Value *address = builder.CreateConstGEP1_64(emitter.byteType(), emitter.context(), *field);
      auto *load = builder.CreateLoad(call.getType(), address);
      load->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(call.getContext(), {}));
      emitter.replace(call, load);
      return;
    }
    if (std::optional<uint32_t> value = registerConstant(key)) {
      call.replaceAllUsesWith(llvm::ConstantInt::get(call.getType(), *value));
      emitter.replace(call, nullptr);
      return;
    }
  }
  const Op *op = findOp(std::string_view(name.data(), name.size()));
  if (!op) {
    addUnknown((kNvvm + name).str(), call);
    return;
  }
  callOp(call, name, *op);
}

void CallRewriter::replaceByResults(llvm::CallInst &call) {
  emitter.replace(call, call.getType()->isVoidTy() ? nullptr : emitter.loadResults(call.getType()));
}

void CallRewriter::callOp(llvm::CallInst &call, StringRef name, const Op &op) {
  CallSite &site = emitter.newSite(call, name.str());
  site.op = &op;
  result.ops.insert(std::string(op.name));
  unsigned index = 0;
  for (llvm::Value *argument : call.args())
    emitter.storeArgument(index++, argument);
  emitter.callWithSlots(
      op.thread ? reinterpret_cast<const void *>(op.thread) : reinterpret_cast<const void *>(&ecf8_simt_warp_op), site);
  replaceByResults(call);
}

void CallRewriter::rewriteAssembly(llvm::CallInst &call, const llvm::InlineAsm &assembly) {
  std::string text(assembly.getAsmString()), constraints(assembly.getConstraintString());
  if (text.empty()) { // a barrier for the optimizer
    emitter.replace(call, nullptr);
    if (!call.getType()->isVoidTy())
      addUnknown("empty inline assembly with results", call);
    return;
  }
  Result<AsmProgram> parsed = parseAsm(text, constraints);
  if (!parsed) {
    addUnknown(parsed.status().message(), call);
    return;
  }
  AsmProgram &program = result.programs.emplace_back(parsed.take());
  std::string where = describePlace(call);
  for (AsmStatement &statement : program.statements) {
    statement.site.what = statement.opcode;
    statement.site.where = where;
    if (statement.op && !statement.op->intrinsic.empty())
      statement.siteOp = *findOp(statement.op->intrinsic);
    else
      statement.siteOp = {statement.opcode, nullptr, statement.op ? statement.op->warp : nullptr};
    statement.site.op = &statement.siteOp;
    if (statement.op)
      result.ops.insert(std::string(statement.op->name));
  }
  CallSite &site = emitter.newSite(call, "inline assembly");
  site.program = &program;
  unsigned index = program.numOutputs;
  for (llvm::Value *argument : call.args()) {
    if (program.types[index] == 'n') // read as 64 bits, whatever its type
      argument = builder.CreateSExtOrTrunc(argument, builder.getInt64Ty());
    emitter.storeArgument(index++, argument);
  }
  emitter.callWithSlots(reinterpret_cast<const void *>(&ecf8_simt_asm), site);
  replaceByResults(call);
}
