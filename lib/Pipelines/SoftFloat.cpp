// f16 and bf16 conversions as LLVM IR.
#include "SoftFloat.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/SourceMgr.h"

using namespace llvm;

// Integer arithmetic throughout, so that the back end cannot turn a body into a call of itself.
static constexpr StringLiteral functions = R"(
define hidden float @__extendhfsf2(half %value) {
  %bits16 = bitcast half %value to i16
  %bits = zext i16 %bits16 to i32
  %signBit = and i32 %bits, 32768
  %sign = shl i32 %signBit, 16
  %abs = and i32 %bits, 32767
  %shifted = shl i32 %abs, 13
  %normal = add i32 %shifted, 939524096        ; exponent bias 127 - 15
  %special = or i32 %shifted, 2139095040
  %quiet = or i32 %special, 4194304
  %isNaN = icmp ugt i32 %abs, 31744
  %isSpecial = icmp uge i32 %abs, 31744
  %isTiny = icmp ult i32 %abs, 1024
  %count = uitofp i32 %abs to float
  %tiny = fmul float %count, 0x3E70000000000000 ; 2^-24, exact
  %tinyBits = bitcast float %tiny to i32
  %a = select i1 %isTiny, i32 %tinyBits, i32 %normal
  %b = select i1 %isSpecial, i32 %special, i32 %a
  %c = select i1 %isNaN, i32 %quiet, i32 %b
  %all = or i32 %c, %sign
  %result = bitcast i32 %all to float
  ret float %result
}

define hidden half @__truncsfhf2(float %value) {
  %bits = bitcast float %value to i32
  %signBit = lshr i32 %bits, 16
  %sign = and i32 %signBit, 32768
  %abs = and i32 %bits, 2147483647
  %isNaN = icmp ugt i32 %abs, 2139095040
  %isLarge = icmp uge i32 %abs, 1199570944      ; 2^16 and above
  %isTiny = icmp ult i32 %abs, 947912704        ; below 2^-14
  %payload = lshr i32 %abs, 13
  %payload9 = and i32 %payload, 511
  %nan = or i32 %payload9, 32256
  %odd = and i32 %payload, 1
  %half = add i32 %abs, 4095
  %rounded = add i32 %half, %odd
  %rebiased = sub i32 %rounded, 939524096
  %normal = lshr i32 %rebiased, 13
  %absFloat = bitcast i32 %abs to float
  %aligned = fadd float %absFloat, 5.000000e-01 ; one unit of 0.5 is 2^-24, the smallest half
  %alignedBits = bitcast float %aligned to i32
  %tiny = sub i32 %alignedBits, 1056964608
  %a = select i1 %isTiny, i32 %tiny, i32 %normal
  %b = select i1 %isLarge, i32 31744, i32 %a
  %c = select i1 %isNaN, i32 %nan, i32 %b
  %all = or i32 %c, %sign
  %bits16 = trunc i32 %all to i16
  %result = bitcast i16 %bits16 to half
  ret half %result
}

define hidden bfloat @__truncsfbf2(float %value) {
  %bits = bitcast float %value to i32
  %abs = and i32 %bits, 2147483647
  %isNaN = icmp ugt i32 %abs, 2139095040
  %high = lshr i32 %bits, 16
  %nan = or i32 %high, 64
  %odd = and i32 %high, 1
  %half = add i32 %bits, 32767
  %rounded = add i32 %half, %odd
  %number = lshr i32 %rounded, 16
  %all = select i1 %isNaN, i32 %nan, i32 %number
  %bits16 = trunc i32 %all to i16
  %result = bitcast i16 %bits16 to bfloat
  ret bfloat %result
}

; Rounds a double to a float such that rounding once more to fewer bits gives what one rounding would have given:
; toward zero, and the last bit set where anything was lost ("round to odd").
define internal float @ecf8_round_to_odd(double %value) {
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
  %isKept = fcmp ueq double %back, %value
  %all = select i1 %isKept, i32 %nearBits, i32 %odd
  %result = bitcast i32 %all to float
  ret float %result
}

define hidden half @__truncdfhf2(double %value) {
  %odd = call float @ecf8_round_to_odd(double %value)
  %result = call half @__truncsfhf2(float %odd)
  ret half %result
}

define hidden bfloat @__truncdfbf2(double %value) {
  %odd = call float @ecf8_round_to_odd(double %value)
  %result = call bfloat @__truncsfbf2(float %odd)
  ret bfloat %result
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
