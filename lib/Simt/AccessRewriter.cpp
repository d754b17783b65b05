// Calls the runtime in front of accesses of memory.
#include "AccessRewriter.h"

#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/ModuleSlotTracker.h>
#include <llvm/Support/raw_ostream.h>

using namespace ecf8::simt;

static std::string describe(const llvm::Instruction &instruction, llvm::ModuleSlotTracker &numbers) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  instruction.print(stream, numbers);
  size_t begin = text.find_first_not_of(' ');
  size_t end = text.find(", !"); // without metadata
  return text.substr(begin, end == std::string::npos ? end : end - begin);
}

static uint32_t orderingFlags(llvm::AtomicOrdering ordering) {
  return kAtomic | (llvm::isAcquireOrStronger(ordering) ? kAcquire : 0) |
         (llvm::isReleaseOrStronger(ordering) ? kRelease : 0);
}

AccessRewriter::AccessRewriter(FunctionEmitter &emitter, bool check)
    : emitter(emitter), builder(emitter.builder), checks(check) {
  // Numbering the values of a function takes a walk over it, so it is done once.
  llvm::ModuleSlotTracker numbers(emitter.function.getParent());
  numbers.incorporateFunction(emitter.function);
  for (llvm::Instruction &instruction : llvm::instructions(emitter.function))
    if (instruction.mayReadOrWriteMemory() && (checks || instruction.isAtomic() || instruction.isVolatile()))
      texts[&instruction] = describe(instruction, numbers);
}

void AccessRewriter::rewrite(llvm::Instruction &instruction) {
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
    if (checks)
      emitter.callWithSlots(reinterpret_cast<const void *>(findOp("membar.gl")->thread),
                            emitter.newSite(instruction, "fence"));
    return;
  } else {
    return;
  }
  if (llvm::isa<llvm::AllocaInst>(llvm::getUnderlyingObject(pointer)))
    return;
  if (polls)
    emitter.callRuntime(reinterpret_cast<const void *>(&ecf8_simt_poll),
                        emitter.newSite(instruction, texts[&instruction]));
  if (checks)
    check(instruction, pointer, builder.getInt64(emitter.function.getDataLayout().getTypeStoreSize(type)), kind);
}

void AccessRewriter::rewrite(llvm::MemIntrinsic &memory) {
  if (!checks)
    return;
  llvm::Value *size = builder.CreateZExtOrTrunc(memory.getLength(), builder.getInt64Ty());
  if (auto *transfer = llvm::dyn_cast<llvm::MemTransferInst>(&memory))
    check(memory, transfer->getRawSource(), size, kRead);
  check(memory, memory.getRawDest(), size, kWrite);
}

void AccessRewriter::check(llvm::Instruction &instruction, llvm::Value *pointer, llvm::Value *sizeBytes,
                           uint32_t kind) {
  CallSite &site = emitter.newSite(instruction, texts[&instruction]);
  llvm::Value *generic = builder.CreateAddrSpaceCast(pointer, builder.getPtrTy());
  emitter.callRuntime(reinterpret_cast<const void *>(&ecf8_simt_access), site,
                      {generic, sizeBytes, builder.getInt32(kind)});
}
