// The op table: what the simulator knows, by family.
#ifndef ECF8_SIMT_OPTABLE_H
#define ECF8_SIMT_OPTABLE_H

#include "InlineAsm.h"
#include "Runtime.h"

#include <vector>

namespace ecf8::simt {

using OpList = std::vector<Op>;

/// Each family adds its entries.
void addBarrierOps(OpList &ops);    // barriers, fences, hints
void addWarpOps(OpList &ops);       // shuffles, votes, match, redux, elect
void addArithmeticOps(OpList &ops); // integer and floating-point instructions
void addConversionOps(OpList &ops); // FP8, f16, bf16
void addMatrixOps(OpList &ops);     // ldmatrix, stmatrix, mma
void addCopyOps(OpList &ops);       // cp.async, cp.async.bulk
void addMBarrierOps(OpList &ops);
void addWgmmaOps(OpList &ops);

using AsmOpList = std::vector<AsmOp>;
void addBasicAsmOps(AsmOpList &ops);
void addAsyncAsmOps(AsmOpList &ops);
void addWgmmaAsmOps(AsmOpList &ops);

} // namespace ecf8::simt

#endif // ECF8_SIMT_OPTABLE_H
