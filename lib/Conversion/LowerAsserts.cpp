// ecf8-lower-asserts: an assertion that fails ends the call with a status and a message, not the process.
#include "ecf8/Conversion/Passes.h"
#include "ecf8/Conversion/RuntimeImports.h"
#include "ecf8/Support/Status.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/Support/Path.h"

namespace mlir::ecf8 {
#define GEN_PASS_DEF_LOWERASSERTSPASS
#include "ecf8/Conversion/Passes.h.inc"
} // namespace mlir::ecf8

using namespace mlir;
using namespace mlir::ecf8;

/// The first file position inside `location`, as file:line:column, or an empty string.
static std::string describeLocation(Location location) {
  std::string text;
  location->walk([&](Location inner) {
    auto file = dyn_cast<FileLineColLoc>(inner);
    if (!file)
      return WalkResult::advance();
    // Without its folders, so that the same program gives the same code wherever it lies.
    text = (llvm::sys::path::filename(file.getFilename().getValue()) + ":" + Twine(file.getLine()) + ":" +
            Twine(file.getColumn()))
               .str();
    return WalkResult::interrupt();
  });
  return text;
}

std::string mlir::ecf8::describeAssertion(cf::AssertOp op) {
  std::string message = ("assertion failed: " + op.getMsg()).str();
  if (std::string where = describeLocation(op.getLoc()); !where.empty())
    message += " at " + where;
  return message;
}

namespace {

class LowerAssertsPass : public mlir::ecf8::impl::LowerAssertsPassBase<LowerAssertsPass> {
public:
  using LowerAssertsPassBase::LowerAssertsPassBase;

  void runOnOperation() override {
    SmallVector<cf::AssertOp> assertions;
    getOperation().walk([&](cf::AssertOp op) { assertions.push_back(op); });
    for (cf::AssertOp op : assertions) {
      if (isa<FunctionOpInterface>(op->getParentOp())) {
        lower(op);
        continue;
      }
      op.emitOpError() << "expected an assertion directly in a function, got one inside '"
                       << op->getParentOp()->getName() << "'; run convert-scf-to-cf first";
      signalPassFailure();
    }
  }

private:
  void lower(cf::AssertOp op) {
    IRRewriter rewriter(op);
    Location location = op.getLoc();
    Block *before = op->getBlock();
    Block *after = rewriter.splitBlock(before, std::next(op->getIterator()));
    Block *failed = rewriter.createBlock(before->getParent(), before->getParent()->end());

    Value text = messageAddress(rewriter, location, describeAssertion(op));
    Value code = LLVM::ConstantOp::create(rewriter, location, rewriter.getI32Type(),
                                          rewriter.getI32IntegerAttr(static_cast<int>(::ecf8::StatusCode::Aborted)));
    LLVM::CallOp::create(rewriter, location, getOrCreateRuntimeFail(getOperation()), ValueRange{code, text});
    LLVM::UnreachableOp::create(rewriter, location);

    rewriter.setInsertionPoint(op);
    cf::CondBranchOp::create(rewriter, location, op.getArg(), after, failed);
    rewriter.eraseOp(op);
  }

  /// The address of a constant with `message` and a zero byte; equal messages share one.
  Value messageAddress(IRRewriter &rewriter, Location location, const std::string &message) {
    LLVM::GlobalOp &global = messages[message];
    if (!global) {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(getOperation().getBody());
      StringRef bytes(message.c_str(), message.size() + 1);
      auto type = LLVM::LLVMArrayType::get(rewriter.getI8Type(), bytes.size());
      global = LLVM::GlobalOp::create(rewriter, location, type, /*isConstant=*/true, LLVM::Linkage::Internal,
                                      freshName(), rewriter.getStringAttr(bytes));
    }
    return LLVM::AddressOfOp::create(rewriter, location, global);
  }

  std::string freshName() {
    std::string name;
    do
      name = "ecf8_assert_message_" + std::to_string(nextName++);
    while (getOperation().lookupSymbol(name));
    return name;
  }

  llvm::StringMap<LLVM::GlobalOp> messages;
  unsigned nextName = 0;
};

} // namespace
