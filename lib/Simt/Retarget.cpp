// Rewrites a module for the NVPTX backend into one for this machine.
#include "Retarget.h"
#include "Block.h"
#include "SpecialRegisters.h"

#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/DebugInfo.h>
#include <llvm/IR/DebugInfoMetadata.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/IntrinsicsNVPTX.h>
#include <llvm/IR/ModuleSlotTracker.h>
#include <llvm/IR/ReplaceConstant.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Transforms/Utils/ModuleUtils.h>

#include <cstddef>
#include <map>

using namespace ecf8;
using namespace ecf8::simt;
using llvm::StringRef;

namespace {

constexpr unsigned kSharedSpace = 3;
constexpr StringRef kNvvm = "llvm.nvvm.";

class Retargeter {
public:
  Retargeter(llvm::Module &module, bool check) : module(module), check(check), builder(module.getContext()) {}

  Status run(const llvm::DataLayout &layout) {
    if (Status status = placeSharedVariables(); !status.isOk())
      return status;
    std::vector<llvm::Function *> functions;
    for (llvm::Function &function : module)
      if (!function.isDeclaration())
        functions.push_back(&function);
    std::vector<llvm::Function *> kernels;
    for (llvm::Function *function : functions)
      if (function->getCallingConv() == llvm::CallingConv::PTX_Kernel)
        kernels.push_back(function);
    if (kernels.empty())
      return Status(StatusCode::InvalidArgument, "expected a kernel (calling convention ptx_kernel), found none");
    for (llvm::Function *function : functions)
      rewriteFunction(*function);
    if (!unknown.empty()) {
      std::string list;
      for (const auto &[name, where] : unknown)
        list += "\n  " + name + where;
      return Status(StatusCode::Unsupported, "not known to the simulator:" + list);
    }
    for (llvm::Function *kernel : kernels)
      result.kernels.push_back(addEntry(*kernel));
    for (llvm::GlobalVariable *variable : sharedVariables) {
      variable->replaceAllUsesWith(llvm::PoisonValue::get(variable->getType()));
      variable->eraseFromParent();
    }
    finish(layout);
    return Status::ok();
  }

  RetargetedModule result;

private:
  llvm::Module &module;
  bool check;
  llvm::IRBuilder<> builder;
  std::map<std::string, std::string> unknown;
  std::vector<llvm::GlobalVariable *> sharedVariables;
  std::map<llvm::GlobalVariable *, uint32_t> sharedOffsets; ///< ~0: the dynamic area
  // Of the function that is being rewritten.
  llvm::Function *function = nullptr;
  llvm::Value *contextAddress = nullptr, *sharedBase = nullptr;
  llvm::AllocaInst *slots = nullptr;
  unsigned numSlots = 0;
  std::vector<llvm::Instruction *> dead;
  llvm::DenseMap<const llvm::Instruction *, std::string> texts; ///< of accesses

  llvm::Type *byteType() { return builder.getInt8Ty(); }
  llvm::Constant *hostPointer(const void *pointer) {
    return llvm::ConstantExpr::getIntToPtr(builder.getInt64(reinterpret_cast<uint64_t>(pointer)), builder.getPtrTy());
  }

  /// Gives each shared variable its place: aligned to what it declares and, where that can be, to no more, so that a
  /// program that relies on more is found out. The area of unknown size comes last.
  Status placeSharedVariables() {
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
      sharedVariables.push_back(&variable);
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
        sharedOffsets[&variable] = ~0u;
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
      sharedOffsets[&variable] = offset;
      result.shared.push_back({name, offset, uint32_t(size)});
      end = offset + size;
    }
    result.staticSharedBytes = end;
    llvm::convertUsersOfConstantsToInstructions(constants);
    return Status::ok();
  }

  std::string describePlace(const llvm::Instruction &instruction) {
    std::string where = "in " + instruction.getFunction()->getName().str();
    if (const llvm::DebugLoc &location = instruction.getDebugLoc())
      where += ", line " + std::to_string(location.getLine());
    return where;
  }

  CallSite &newSite(const llvm::Instruction &instruction, std::string what) {
    CallSite &site = result.sites.emplace_back();
    site.what = std::move(what);
    site.where = describePlace(instruction);
    return site;
  }

  /// The context, computed once from the stack's address (Fiber.h).
  llvm::Value *context() {
    if (contextAddress)
      return contextAddress;
    llvm::IRBuilder<>::InsertPointGuard guard(builder);
    builder.SetInsertPoint(&function->getEntryBlock(), function->getEntryBlock().getFirstInsertionPt());
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

  llvm::Value *shared() {
    if (sharedBase)
      return sharedBase;
    llvm::Value *base = context();
    llvm::IRBuilder<>::InsertPointGuard guard(builder);
    builder.SetInsertPoint(llvm::cast<llvm::Instruction>(base)->getNextNode());
    llvm::Value *field = builder.CreateConstGEP1_64(byteType(), base, offsetof(Context, shared));
    sharedBase = builder.CreateLoad(builder.getPtrTy(), field, "shared");
    return sharedBase;
  }

  llvm::Value *slot(unsigned index) {
    numSlots = std::max(numSlots, index + 1);
    return builder.CreateConstGEP1_64(byteType(), slots, index * sizeof(Slot));
  }

  void storeArgument(unsigned index, llvm::Value *value) {
    if (value->getType()->isIntegerTy(1))
      value = builder.CreateZExt(value, byteType());
    builder.CreateAlignedStore(value, slot(index), llvm::Align(16));
  }

  llvm::Value *loadResult(unsigned index, llvm::Type *type) {
    llvm::Type *stored = type->isIntegerTy(1) ? byteType() : type;
    llvm::Value *value = builder.CreateAlignedLoad(stored, slot(index), llvm::Align(16));
    return type->isIntegerTy(1) ? builder.CreateTrunc(value, type) : value;
  }

  llvm::Value *loadResults(llvm::Type *type) {
    auto *structure = llvm::dyn_cast<llvm::StructType>(type);
    if (!structure)
      return loadResult(0, type);
    llvm::Value *all = llvm::PoisonValue::get(type);
    for (unsigned i = 0; i < structure->getNumElements(); ++i)
      all = builder.CreateInsertValue(all, loadResult(i, structure->getElementType(i)), i);
    return all;
  }

  void callRuntime(const void *address, llvm::ArrayRef<llvm::Value *> arguments) {
    llvm::SmallVector<llvm::Type *> types;
    for (llvm::Value *argument : arguments)
      types.push_back(argument->getType());
    builder.CreateCall(llvm::FunctionType::get(builder.getVoidTy(), types, false), hostPointer(address), arguments);
  }

  void replace(llvm::CallInst &call, llvm::Value *value) {
    if (value && !call.getType()->isVoidTy()) {
      value->takeName(&call);
      call.replaceAllUsesWith(value);
    }
    dead.push_back(&call);
  }

  void rewriteFunction(llvm::Function &f) {
    function = &f;
    contextAddress = sharedBase = nullptr;
    numSlots = 0;
    dead.clear();
    builder.SetInsertPoint(&f.getEntryBlock(), f.getEntryBlock().begin());
    slots = builder.CreateAlloca(llvm::ArrayType::get(byteType(), 0), nullptr, "slots");
    std::vector<llvm::Instruction *> instructions;
    for (llvm::Instruction &instruction : llvm::instructions(f))
      instructions.push_back(&instruction);
    // As the program has them; numbering the values of a function takes a walk over it, so it is done once.
    llvm::ModuleSlotTracker numbers(&module);
    numbers.incorporateFunction(f);
    texts.clear();
    for (llvm::Instruction *instruction : instructions)
      if (instruction->mayReadOrWriteMemory() && (check || instruction->isAtomic() || instruction->isVolatile()))
        texts[instruction] = describe(*instruction, numbers);
    if (check)
      countIterations(f);
    replaceSharedVariables(f); // before new uses arise; its own load needs no check
    for (llvm::Instruction *instruction : instructions) {
      builder.SetInsertPoint(instruction);
      if (auto *call = llvm::dyn_cast<llvm::CallInst>(instruction))
        rewriteCall(*call);
      else
        rewriteAccess(*instruction);
    }
    for (llvm::Instruction *instruction : dead)
      instruction->eraseFromParent();
    if (numSlots == 0) {
      slots->eraseFromParent();
    } else {
      slots->setAllocatedType(llvm::ArrayType::get(byteType(), numSlots * sizeof(Slot)));
      slots->setAlignment(llvm::Align(16));
    }
    // Features of the other target, and knowledge about memory that no longer holds.
    for (const char *attribute : {"target-cpu", "target-features", "tune-cpu"})
      f.removeFnAttr(attribute);
    f.setMemoryEffects(llvm::MemoryEffects::unknown());
    for (llvm::Attribute::AttrKind kind :
         {llvm::Attribute::NoUnwind, llvm::Attribute::WillReturn, llvm::Attribute::NoSync, llvm::Attribute::NoFree,
          llvm::Attribute::Speculatable})
      f.removeFnAttr(kind);
    f.addFnAttr(llvm::Attribute::NoUnwind);
    f.addFnAttr("probe-stack", "inline-asm"); // a large frame hits the guard, not what lies behind it
  }

  /// Calls the runtime in each turn of each loop, so that one without an end is found out.
  void countIterations(llvm::Function &f) {
    llvm::DominatorTree dominators(f);
    for (llvm::BasicBlock &block : f) {
      bool isLatch = llvm::any_of(llvm::successors(&block),
                                  [&](llvm::BasicBlock *successor) { return dominators.dominates(successor, &block); });
      if (!isLatch)
        continue;
      builder.SetInsertPoint(block.getTerminator());
      CallSite &site = newSite(*block.getTerminator(), "loop");
      callRuntime(reinterpret_cast<const void *>(&ecf8_simt_iteration), {context(), hostPointer(&site)});
    }
  }

  void replaceSharedVariables(llvm::Function &f) {
    for (const auto &[variable, offset] : sharedOffsets) {
      llvm::Value *address = nullptr;
      for (llvm::Use &use : llvm::make_early_inc_range(variable->uses())) {
        auto *user = llvm::dyn_cast<llvm::Instruction>(use.getUser());
        if (!user || user->getFunction() != &f)
          continue;
        if (!address) {
          auto *base = llvm::cast<llvm::Instruction>(shared());
          builder.SetInsertPoint(base->getNextNode());
          // The place of the dynamic area is known here, too: behind the static variables.
          uint32_t at = offset == ~0u ? dynamicOffset() : offset;
          address = builder.CreateAddrSpaceCast(builder.CreateConstGEP1_64(byteType(), base, at), variable->getType(),
                                                variable->getName());
        }
        use.set(address);
      }
    }
  }

  uint32_t dynamicOffset() const {
    uint32_t alignment = std::max(result.dynamicAlignment, 16u);
    return (result.staticSharedBytes + alignment - 1) / alignment * alignment;
  }

  void rewriteCall(llvm::CallInst &call) {
    if (auto *assembly = llvm::dyn_cast<llvm::InlineAsm>(call.getCalledOperand())) {
      rewriteAsm(call, *assembly);
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
    if (auto *memory = llvm::dyn_cast<llvm::MemIntrinsic>(&call)) {
      rewriteMemIntrinsic(*memory);
      return;
    }
    if (callee->isIntrinsic())
      return;
    if (!findLibraryFunction(name))
      unknown.emplace("function " + name.str(), " (" + describePlace(call) + ")");
  }

  void rewriteIntrinsic(llvm::CallInst &call, StringRef name) {
    StringRef reg = name;
    if (reg.consume_front("read.ptx.sreg.")) {
      std::string_view key(reg.data(), reg.size());
      if (std::optional<size_t> field = registerOffset(key)) {
        llvm::Value *address = builder.CreateConstGEP1_64(byteType(), context(), *field);
        auto *load = builder.CreateLoad(call.getType(), address);
        load->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(module.getContext(), {}));
        replace(call, load);
        return;
      }
      if (std::optional<uint32_t> value = registerConstant(key)) {
        call.replaceAllUsesWith(llvm::ConstantInt::get(call.getType(), *value));
        dead.push_back(&call);
        return;
      }
    }
    const Op *op = findOp(std::string_view(name.data(), name.size()));
    if (!op) {
      unknown.emplace((kNvvm + name).str(), " (" + describePlace(call) + ")");
      return;
    }
    callOp(call, name, *op);
  }

  void callOp(llvm::CallInst &call, StringRef name, const Op &op) {
    CallSite &site = newSite(call, name.str());
    site.op = &op;
    result.ops.insert(std::string(op.name));
    unsigned index = 0;
    for (llvm::Value *argument : call.args())
      storeArgument(index++, argument);
    const void *target =
        op.thread ? reinterpret_cast<const void *>(op.thread) : reinterpret_cast<const void *>(&ecf8_simt_warp_op);
    slot(0);
    callRuntime(target, {context(), hostPointer(&site), slots});
    replace(call, call.getType()->isVoidTy() ? nullptr : loadResults(call.getType()));
  }

  void rewriteAsm(llvm::CallInst &call, const llvm::InlineAsm &assembly) {
    std::string text(assembly.getAsmString()), constraints(assembly.getConstraintString());
    if (text.empty()) { // a barrier for the optimizer
      dead.push_back(&call);
      if (!call.getType()->isVoidTy())
        unknown.emplace("empty inline assembly with results", " (" + describePlace(call) + ")");
      return;
    }
    Result<AsmProgram> parsed = parseAsm(text, constraints);
    if (!parsed) {
      unknown.emplace(parsed.status().message(), " (" + describePlace(call) + ")");
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
    CallSite &site = newSite(call, "inline assembly");
    site.program = &program;
    unsigned index = program.numOutputs;
    for (llvm::Value *argument : call.args()) {
      if (program.types[index] == 'n') // read as 64 bits, whatever its type
        argument = builder.CreateSExtOrTrunc(argument, builder.getInt64Ty());
      storeArgument(index++, argument);
    }
    slot(0);
    callRuntime(reinterpret_cast<const void *>(&ecf8_simt_asm), {context(), hostPointer(&site), slots});
    replace(call, call.getType()->isVoidTy() ? nullptr : loadResults(call.getType()));
  }

  //===--- Accesses of memory
  //---------------------------------------------------------------------------------------===//

  static uint32_t orderingFlags(llvm::AtomicOrdering ordering) {
    return kAtomic | (llvm::isAcquireOrStronger(ordering) ? kAcquire : 0) |
           (llvm::isReleaseOrStronger(ordering) ? kRelease : 0);
  }

  void rewriteAccess(llvm::Instruction &instruction) {
    llvm::Value *pointer = nullptr;
    llvm::Type *type = nullptr;
    uint32_t kind = 0;
    bool polls = false; // may be the body of a spin loop
    if (auto *load = llvm::dyn_cast<llvm::LoadInst>(&instruction)) {
      pointer = load->getPointerOperand(), type = load->getType();
      kind = kRead | (load->isAtomic() || load->isVolatile() ? orderingFlags(load->getOrdering()) : 0);
      polls = load->isAtomic() || load->isVolatile();
    } else if (auto *store = llvm::dyn_cast<llvm::StoreInst>(&instruction)) {
      pointer = store->getPointerOperand(), type = store->getValueOperand()->getType();
      kind = kWrite | (store->isAtomic() || store->isVolatile() ? orderingFlags(store->getOrdering()) : 0);
    } else if (auto *update = llvm::dyn_cast<llvm::AtomicRMWInst>(&instruction)) {
      pointer = update->getPointerOperand(), type = update->getType();
      kind = kWrite | orderingFlags(update->getOrdering());
      polls = true;
    } else if (auto *exchange = llvm::dyn_cast<llvm::AtomicCmpXchgInst>(&instruction)) {
      pointer = exchange->getPointerOperand(), type = exchange->getNewValOperand()->getType();
      kind = kWrite | orderingFlags(exchange->getSuccessOrdering());
      polls = true;
    } else if (llvm::isa<llvm::FenceInst>(instruction)) {
      if (check) {
        CallSite &site = newSite(instruction, "fence");
        slot(0);
        callRuntime(reinterpret_cast<const void *>(findOp("membar.gl")->thread),
                    {context(), hostPointer(&site), slots});
      }
      return;
    } else {
      return;
    }
    if (llvm::isa<llvm::AllocaInst>(llvm::getUnderlyingObject(pointer)))
      return;
    if (polls) {
      CallSite &site = newSite(instruction, texts[&instruction]);
      callRuntime(reinterpret_cast<const void *>(&ecf8_simt_poll), {context(), hostPointer(&site)});
    }
    if (check)
      checkAccess(instruction, pointer, builder.getInt64(module.getDataLayout().getTypeStoreSize(type)), kind);
  }

  void checkAccess(llvm::Instruction &instruction, llvm::Value *pointer, llvm::Value *sizeBytes, uint32_t kind) {
    CallSite &site = newSite(instruction, texts[&instruction]);
    llvm::Value *generic = builder.CreateAddrSpaceCast(pointer, builder.getPtrTy());
    callRuntime(reinterpret_cast<const void *>(&ecf8_simt_access),
                {context(), hostPointer(&site), generic, sizeBytes, builder.getInt32(kind)});
  }

  void rewriteMemIntrinsic(llvm::MemIntrinsic &memory) {
    if (!check)
      return;
    llvm::Value *size = builder.CreateZExtOrTrunc(memory.getLength(), builder.getInt64Ty());
    if (auto *transfer = llvm::dyn_cast<llvm::MemTransferInst>(&memory))
      checkAccess(memory, transfer->getRawSource(), size, kRead);
    checkAccess(memory, memory.getRawDest(), size, kWrite);
  }

  static std::string describe(const llvm::Instruction &instruction, llvm::ModuleSlotTracker &numbers) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    instruction.print(stream, numbers);
    size_t begin = text.find_first_not_of(' ');
    size_t end = text.find(", !"); // without metadata
    return text.substr(begin, end == std::string::npos ? end : end - begin);
  }

  //===--- Entries and the rest
  //-------------------------------------------------------------------------------------===//

  void finish(const llvm::DataLayout &layout) {
    for (llvm::GlobalVariable &variable : module.globals()) {
      if (variable.isDeclaration() || variable.getName().starts_with("llvm."))
        continue;
      if (!variable.hasName())
        variable.setName("ecf8.global");
      variable.setLinkage(llvm::GlobalValue::ExternalLinkage);
      variable.setVisibility(llvm::GlobalValue::DefaultVisibility);
      result.globals.push_back(variable.getName().str());
    }
    for (StringRef name : {"llvm.used", "llvm.compiler.used", "llvm.global.annotations"})
      if (llvm::GlobalVariable *variable = module.getGlobalVariable(name))
        variable->eraseFromParent();
    llvm::StripDebugInfo(module);
    if (llvm::NamedMDNode *annotations = module.getNamedMetadata("nvvm.annotations"))
      annotations->eraseFromParent();
    for (llvm::Function &f : llvm::make_early_inc_range(module))
      if (f.isDeclaration() && f.use_empty())
        f.eraseFromParent();
    module.setDataLayout(layout);
  }
};

} // namespace

Result<RetargetedModule> ecf8::simt::retarget(llvm::Module &module, const llvm::DataLayout &layout, bool check) {
  Retargeter retargeter(module, check);
  if (Status status = retargeter.run(layout); !status.isOk())
    return status;
  std::string problems;
  llvm::raw_string_ostream stream(problems);
  if (llvm::verifyModule(module, &stream))
    return Status(StatusCode::Unsupported, "the rewritten module does not verify: " + problems);
  return std::move(retargeter.result);
}
