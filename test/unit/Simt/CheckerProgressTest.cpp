// Checks of how threads go on: divergence, member masks, deadlock and livelock.
#include "CheckerTest.h"

using namespace ecf8::test;

TEST(Checker, DivergentBarrier) {
  auto code = [](const char *then, const char *otherwise) {
    return std::string("  %low = icmp ult i32 %tid, 5\n  br i1 %low, label %a, label %b\na:\n") + then +
           "  br label %c\nb:\n" + otherwise + "  br label %c\nc:\n";
  };
  expectBug("", code(kBarrier, kBarrier),
            "thread (5,0,0): barrier.cta.sync.aligned.all (in k): divergence: other lanes of the "
            "warp are at another barrier, barrier.cta.sync.aligned.all (in k)");
  // The branches of whole warps may differ.
  std::string twin = code(kBarrier, kBarrier);
  twin.replace(twin.find("%tid, 5"), 7, "%tid, 32");
  expectFine("", twin, {.threads = 64});
}

TEST(Checker, Deadlock) {
  std::string half = "  %low = icmp ult i32 %tid, 16\n  br i1 %low, label %a, label %c\na:\n"
                     "  %v = call i32 @llvm.nvvm.vote.ballot.sync(i32 MASK, i1 true)\n  br label %c\nc:\n";
  auto with = [&](const std::string &mask, const std::string &rest) {
    std::string code = half;
    code.replace(code.find("MASK"), 4, mask);
    return code + rest;
  };
  expectBug(
      "", with("-1", kBarrier),
      "thread (0,0,0): deadlock: no thread can go on; threads 0-15 at vote.ballot.sync (in k) with members 0xffffffff; "
      "threads 16-31 at barrier.cta.sync.aligned.all (in k)");
  expectFine("", with("65535", kBarrier));
  expectBug("", "  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 64)\n",
            "deadlock: no thread can go on; threads 0-31 at barrier.cta.sync.aligned.count (in k)");
  expectFine("", "  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 1, i32 64)\n", {.threads = 64});
}

TEST(Checker, Livelock) {
  const char *spin = R"(
  store i32 VALUE, ptr addrspace(1) @flag
  br label %wait
wait:
  %now = load volatile i32, ptr addrspace(1) @flag
  %done = icmp eq i32 %now, 1
  br i1 %done, label %end, label %wait
end:)";
  auto with = [&](const std::string &value) {
    std::string code = spin;
    return code.replace(code.find("VALUE"), 5, value);
  };
  const char *flag = "@flag = addrspace(1) global i32 0\n";
  expectBug(flag, with("0"), "livelock: all runnable threads only poll", {.livelockRounds = 1000});
  expectFine(flag, with("1"));
  // A loop that nobody outside can end.
  const char *loop = R"(
  br label %loop
loop:
  %i = phi i32 [ 1, %0 ], [ %i1, %loop ]
  %i1 = add i32 %i, STEP
  %done = icmp eq i32 %i1, 1001
  br i1 %done, label %end, label %loop
end:)";
  auto by = [&](const std::string &step) {
    std::string code = loop;
    return code.replace(code.find("STEP"), 4, step);
  };
  expectBug("", by("0"), "thread (0,0,0): loop (in k): livelock: 268435456 turns of loops");
  expectFine("", by("1"));
  // The arrival that the others wait for never comes.
  expectBug("@barrier = internal addrspace(3) global i64 undef, align 8\n", R"(
  %first = icmp eq i32 %tid, 0
  br i1 %first, label %init, label %ready
init:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @barrier, i32 33)
  br label %ready
ready:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %t = call i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3) @barrier)
  br label %wait
wait:
  %done = call i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 0)
  br i1 %done, label %end, label %wait
end:)",
            "livelock: all runnable threads only poll", {.livelockRounds = 1000});
}

TEST(Checker, MemberMask) {
  expectBug("", "  %v = call i32 @llvm.nvvm.vote.ballot.sync(i32 -2, i1 true)",
            "thread (0,0,0): vote.ballot.sync (in k): the member mask does not name the lane 0 itself");
  // Different collectives with the same members.
  expectBug("", R"(
  %low = icmp ult i32 %tid, 16
  br i1 %low, label %a, label %b
a:
  %va = call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 true)
  br label %c
b:
  %vb = call i32 @llvm.nvvm.redux.sync.add(i32 1, i32 -1)
  br label %c
c:)",
            "thread (16,0,0): redux.sync.add (in k): divergence: other lanes of the warp wait with the same members at "
            "vote.ballot.sync (in k)");
  expectBug("",
            "  %mask = shl i32 1, %tid\n  %v = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 %mask, i32 7, i32 1, i32 31)",
            "reads the value of lane 1, which does not take part");
  expectBug(
      "",
      "  %v = call { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 0, i32 0, i32 0, i32 0, "
      "i32 0, i32 0, float 0.0, float 0.0, float 0.0, float 0.0)",
      "all 32 lanes of the warp must execute it, and this warp has 8", {.threads = 40});
}
