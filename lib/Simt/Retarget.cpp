// Rewrites a module for the NVPTX backend into one for this machine: its functions one by one, and what is around them.
#include "Retarget.h"
#include "AccessRewriter.h"
#include "CallRewriter.h"
#include "SharedVariables.h"

#include <llvm/IR/DebugInfo.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>

using namespace ecf8;
using namespace ecf8::simt;

/// Calls the runtime in each turn of each loop, so that one without an end is found out.
static void countIterations(FunctionEmitter &emitter) {
  llvm::DominatorTree dominators(emitter.function);
  for (llvm::BasicBlock &block : emitter.function) {
    bool isLatch = llvm::any_of(llvm::successors(&block),
                                [&](llvm::BasicBlock *successor) { return dominators.dominates(successor, &block); });
    if (!isLatch)
      continue;
    emitter.builder.SetInsertPoint(block.getTerminator());
    emitter.callRuntime(reinterpret_cast<const void *>(&ecf8_simt_iteration),
                        emitter.newSite(*block.getTerminator(), "loop"));
  }
}

/// Removes features of the other target, and knowledge about memory that no longer holds.
static void replaceAttributes(llvm::Function &function) {
  for (const char *attribute : {"target-cpu", "target-features", "tune-cpu"})
    function.removeFnAttr(attribute);
  function.setMemoryEffects(llvm::MemoryEffects::unknown());
  for (llvm::Attribute::AttrKind kind :
       {llvm::Attribute::NoUnwind, llvm::Attribute::WillReturn, llvm::Attribute::NoSync, llvm::Attribute::NoFree,
        llvm::Attribute::Speculatable})
    function.removeFnAttr(kind);
  function.addFnAttr(llvm::Attribute::NoUnwind);
  function.addFnAttr("probe-stack", "inline-asm"); // a large frame hits the guard, not what lies behind it
}

static void rewriteFunction(llvm::Function &function, const SharedVariables &shared, bool check,
                            RetargetedModule &result, Unknown &unknown) {
  FunctionEmitter emitter(function, result);
  std::vector<llvm::Instruction *> instructions;
  for (llvm::Instruction &instruction : llvm::instructions(function))
    instructions.push_back(&instruction);
  AccessRewriter accesses(emitter, check);
  CallRewriter calls(emitter, result, unknown);
  if (check)
    countIterations(emitter);
  shared.replaceUses(emitter); // before new uses arise; its own load needs no check
  for (llvm::Instruction *instruction : instructions) {
    emitter.builder.SetInsertPoint(instruction);
    if (auto *memory = llvm::dyn_cast<llvm::MemIntrinsic>(instruction))
      accesses.rewrite(*memory);
    else if (auto *call = llvm::dyn_cast<llvm::CallInst>(instruction))
      calls.rewrite(*call);
    else
      accesses.rewrite(*instruction);
  }
  emitter.finish();
  replaceAttributes(function);
}

/// Makes variables visible to the host, and removes what only the other target reads.
static void finishModule(llvm::Module &module, const llvm::DataLayout &layout, RetargetedModule &result) {
  for (llvm::GlobalVariable &variable : module.globals()) {
    if (variable.isDeclaration() || variable.getName().starts_with("llvm."))
      continue;
    if (!variable.hasName())
      variable.setName("ecf8.global");
    variable.setLinkage(llvm::GlobalValue::ExternalLinkage);
    variable.setVisibility(llvm::GlobalValue::DefaultVisibility);
    result.globals.push_back(variable.getName().str());
  }
  for (llvm::StringRef name : {"llvm.used", "llvm.compiler.used", "llvm.global.annotations"})
    if (llvm::GlobalVariable *variable = module.getGlobalVariable(name))
      variable->eraseFromParent();
  llvm::StripDebugInfo(module);
  if (llvm::NamedMDNode *annotations = module.getNamedMetadata("nvvm.annotations"))
    annotations->eraseFromParent();
  for (llvm::Function &function : llvm::make_early_inc_range(module))
    if (function.isDeclaration() && function.use_empty())
      function.eraseFromParent();
  module.setDataLayout(layout);
}

Result<RetargetedModule> ecf8::simt::retarget(llvm::Module &module, const llvm::DataLayout &layout, bool check) {
  RetargetedModule result;
  SharedVariables shared;
  if (Status status = shared.place(module, result); !status.isOk())
    return status;
  std::vector<llvm::Function *> functions, kernels;
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    functions.push_back(&function);
    if (function.getCallingConv() == llvm::CallingConv::PTX_Kernel)
      kernels.push_back(&function);
  }
  if (kernels.empty())
    return Status(StatusCode::InvalidArgument, "expected a kernel (calling convention ptx_kernel), found none");
  Unknown unknown;
  for (llvm::Function *function : functions)
    rewriteFunction(*function, shared, check, result, unknown);
  if (!unknown.empty()) {
    std::string list;
    for (const auto &[name, where] : unknown)
      list += "\n  " + name + where;
    return Status(StatusCode::Unsupported, "not known to the simulator:" + list);
  }
  for (llvm::Function *kernel : kernels)
    result.kernels.push_back(addEntry(*kernel));
  shared.erase();
  finishModule(module, layout, result);
  std::string problems;
  llvm::raw_string_ostream stream(problems);
  if (llvm::verifyModule(module, &stream))
    return Status(StatusCode::Unsupported, "the rewritten module does not verify: " + problems);
  return result;
}
