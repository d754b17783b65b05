// f64 to f16 as LLVM IR.
#include "SoftFloat.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/SourceMgr.h"

using namespace llvm;

// First to f32 such that rounding once more gives what one rounding would have given: toward zero, and the last bit set
// where anything was lost ("round to odd", Boldo and Melquiond, 2008).
static constexpr StringLiteral functions = R"(
define hidden half @__truncdfhf2(double %value) {
  %near = fptrunc double %value to float
  %back = fpext float %near to double
  %nearBits = bitcast float %near to i32
  %valueBits = bitcast double %value to i64
  %backBits = bitcast double %back to i64
  %valueAbs = and i64 %valueBits, 9223372036854775807
  %backAbs = and i64 %backBits, 9223372036854775807
  %isAbove = icmp ugt i64 %backAbs, %valueAbs
  %isAboveBit = zext i1 %isAbove to i32
  %toZero = sub i32 %nearBits, %isAboveBit
  %odd = or i32 %toZero, 1
  %isExact = fcmp ueq double %back, %value
  %bits = select i1 %isExact, i32 %nearBits, i32 %odd
  %float = bitcast i32 %bits to float
  %result = fptrunc float %float to half
  ret half %result
}
)";

void mlir::ecf8::addSoftFloatFunctions(llvm::Module &module) {
  SMDiagnostic diagnostic;
  std::unique_ptr<llvm::Module> source = parseAssemblyString(functions, diagnostic, module.getContext());
  if (!source)
    llvm::report_fatal_error(Twine("soft float functions: ") + diagnostic.getMessage());
  source->setTargetTriple(module.getTargetTriple());
  source->setDataLayout(module.getDataLayout());
  if (llvm::Linker::linkModules(module, std::move(source)))
    llvm::report_fatal_error("soft float functions: the module defines one of them");
}
