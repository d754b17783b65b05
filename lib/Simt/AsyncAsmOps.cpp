// Instructions of inline assembly: barriers, fences, mbarriers and asynchronous copies.
#include "Copies.h"
#include "MBarrier.h"
#include "OpTable.h"

using namespace ecf8::simt;

namespace {

void *pointer(const AsmFrame &frame, const AsmOperand &operand) {
  return reinterpret_cast<void *>(operand.read(frame));
}

//===--- Barriers of the block
//------------------------------------------------------------------------------------------===//

std::string verifyBarrier(const AsmStatement &statement) {
  size_t count = statement.operands.size();
  bool arrives = statement.has("arrive");
  return count == 2 || (count == 1 && !arrives) ? "" : "expected a barrier and a number of threads";
}

void barrier(AsmFrame &frame, const AsmStatement &statement) {
  Block::BarrierArgs args;
  args.id = uint32_t(statement.operands[0].read(frame));
  if (statement.operands.size() == 2)
    args.count = uint32_t(statement.operands[1].read(frame));
  // `barrier` without `.aligned` may be executed by part of a warp; `bar` is always aligned.
  args.aligned = statement.opcode.starts_with("bar.") || statement.has("aligned");
  args.wait = !statement.has("arrive");
  frame.context.block->barrier(frame.context, statement.site, args);
}

//===--- mbarrier
//-------------------------------------------------------------------------------------------------------===//

/// `p, [address], parity or state{, time}`.
std::string verifyWait(const AsmStatement &statement) {
  size_t count = statement.operands.size();
  return count >= 3 && count <= 4 && statement.operands[1].isAddress ? ""
                                                                     : "expected a predicate, an address and a phase";
}

void wait(AsmFrame &frame, const AsmStatement &statement) {
  MBarrier barrier(frame.context, statement.site, pointer(frame, statement.operands[1]));
  uint64_t phase = statement.operands[2].read(frame);
  bool parity = statement.has("parity") ? phase & 1 : MBarrier::phaseOf(phase);
  statement.operands[0].write(frame, barrier.waitParity(parity, statement.opcode.starts_with("mbarrier.try_wait")));
}

//===--- cp.async
//-------------------------------------------------------------------------------------------------------===//

/// `[destination], [source], bytes{, source bytes}`.
std::string verifyCopy(const AsmStatement &statement) {
  size_t count = statement.operands.size();
  if (count < 3 || count > 4 || !statement.operands[0].isAddress || !statement.operands[1].isAddress)
    return "expected two addresses and a size";
  int64_t bytes = statement.operands[2].value;
  if (statement.operands[2].kind == AsmOperand::Immediate && bytes != 16 &&
      (statement.has("cg") || (bytes != 4 && bytes != 8)))
    return "expected 4, 8 or 16 bytes, and 16 for .cg, got " + std::to_string(bytes);
  return "";
}

void copy(AsmFrame &frame, const AsmStatement &statement) {
  auto bytes = uint32_t(statement.operands[2].read(frame));
  if (bytes != 4 && bytes != 8 && bytes != 16)
    fail(frame.context, &statement.site, "expected 4, 8 or 16 bytes, got " + std::to_string(bytes));
  uint32_t sourceBytes = statement.operands.size() == 4 ? uint32_t(statement.operands[3].read(frame)) : bytes;
  asyncCopy(frame.context, statement.site, pointer(frame, statement.operands[0]), pointer(frame, statement.operands[1]),
            bytes, sourceBytes);
}

/// `[destination], [source], bytes, [mbarrier]{, cache hint}`.
std::string verifyBulk(const AsmStatement &statement) {
  size_t count = statement.operands.size();
  if (!statement.opcode.starts_with("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes") &&
      !statement.opcode.starts_with("cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes"))
    return "expected a copy from global to shared memory with an mbarrier";
  if (statement.has("multicast::cluster"))
    return "expected no multicast";
  return count >= 4 && count <= 5 ? "" : "expected destination, source, size and mbarrier";
}

void bulkCopy(AsmFrame &frame, const AsmStatement &statement) {
  bulkCopyToShared(frame.context, statement.site, pointer(frame, statement.operands[0]),
                   pointer(frame, statement.operands[1]), uint32_t(statement.operands[2].read(frame)),
                   pointer(frame, statement.operands[3]));
}

} // namespace

void ecf8::simt::addAsyncAsmOps(AsmOpList &ops) {
  auto intrinsic = [&ops](std::string_view name, std::string_view same, unsigned results, unsigned arguments) {
    ops.push_back({name, runIntrinsic, verifyIntrinsic, nullptr, same, results, arguments});
  };
  for (std::string_view name : {"asm:bar.sync", "asm:bar.arrive", "asm:barrier.sync", "asm:barrier.arrive",
                                "asm:barrier.cta.sync", "asm:barrier.cta.arrive"})
    ops.push_back({name, barrier, verifyBarrier});
  for (std::string_view name : {"asm:membar", "asm:fence"})
    intrinsic(name, "membar.gl", 0, 0);
  intrinsic("asm:fence.proxy.async", "fence.proxy.async", 0, 0);
  intrinsic("asm:fence.mbarrier_init", "fence.mbarrier_init.release.cluster", 0, 0);
  intrinsic("asm:mbarrier.init", "mbarrier.init.shared", 0, 2);
  intrinsic("asm:mbarrier.inval", "mbarrier.inval.shared", 0, 1);
  intrinsic("asm:mbarrier.arrive", "mbarrier.arrive.scope.cta.space.cta", 1, 2);
  intrinsic("asm:mbarrier.arrive.expect_tx", "mbarrier.arrive.expect.tx.scope.cta.space.cta", 1, 2);
  intrinsic("asm:mbarrier.expect_tx", "mbarrier.expect.tx.scope.cta.space.cta", 0, 2);
  intrinsic("asm:mbarrier.complete_tx", "mbarrier.complete.tx.scope.cta.space.cta", 0, 2);
  ops.push_back({"asm:mbarrier.try_wait", wait, verifyWait});
  ops.push_back({"asm:mbarrier.test_wait", wait, verifyWait});
  ops.push_back({"asm:cp.async.ca.shared.global", copy, verifyCopy});
  ops.push_back({"asm:cp.async.cg.shared.global", copy, verifyCopy});
  ops.push_back({"asm:cp.async.ca.shared::cta.global", copy, verifyCopy});
  ops.push_back({"asm:cp.async.cg.shared::cta.global", copy, verifyCopy});
  intrinsic("asm:cp.async.commit_group", "cp.async.commit.group", 0, 0);
  intrinsic("asm:cp.async.wait_group", "cp.async.wait.group", 0, 1);
  intrinsic("asm:cp.async.wait_all", "cp.async.wait.all", 0, 0);
  ops.push_back({"asm:cp.async.bulk", bulkCopy, verifyBulk});
}
