// mbarriers: their phases, counts and tokens.
#include "SimtTest.h"

using namespace ecf8::test;

static const char *kGlobals = "@barrier = internal addrspace(3) global i64 undef, align 8\n"
                              "@data = internal addrspace(3) global [64 x i32] undef, align 4\n";

/// One thread makes the barrier for `count` arrivals, all meet.
static std::string prepared(const std::string &init, unsigned count) {
  return "  %isFirst = icmp eq i32 %tid, 0\n  br i1 %isFirst, label %init, label %ready\ninit:\n" + init + ", i32 " +
         std::to_string(count) +
         ")\n  br label %ready\nready:\n  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n";
}

static const char *kInit = "  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @barrier";

/// Threads write, arrive by `arrive`, wait by `wait` and read what the next one wrote.
static void passAround(const std::string &arrive, const std::string &wait, const std::string &init = kInit,
                       unsigned count = 64) {
  std::string code = prepared(init, count) + R"(
  %own = getelementptr i32, ptr addrspace(3) @data, i32 %tid
  store i32 %tid, ptr addrspace(3) %own
)" + arrive + R"(
  br label %wait
wait:
)" + wait + R"(
  br i1 %done, label %go, label %wait
go:
  %next0 = add i32 %tid, 33
  %next = urem i32 %next0, 64
  %other = getelementptr i32, ptr addrspace(3) @data, i32 %next
  %r = load i32, ptr addrspace(3) %other
)";
  for (bool check : {false, true})
    for (uint64_t seed : {0, 4}) {
      std::vector<Cell> out =
          run({{}, {{"i32", "r"}}, code, kGlobals}, {}, {.threads = 64, .check = check, .seed = seed});
      for (unsigned t = 0; t < 64; ++t)
        ASSERT_EQ(out[t].u32(), (t + 33) % 64) << arrive << wait;
    }
}

static const char *kTryParity =
    "  %done = call i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) "
    "@barrier, i32 0)";
static const char *kArrive = "  %token = call i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3) @barrier)";

OP_TEST(MBarrier, Arrivals,
        {"mbarrier.init", "mbarrier.init.shared", "mbarrier.arrive", "mbarrier.arrive.shared",
         "mbarrier.arrive.noComplete", "mbarrier.arrive.noComplete.shared", "mbarrier.arrive.scope.cta.space.cta",
         "mbarrier.arrive.scope.cluster.space.cta", "mbarrier.arrive.scope.cluster.space.cluster"}) {
  std::string generic = "ptr addrspacecast (ptr addrspace(3) @barrier to ptr)", shared = "ptr addrspace(3) @barrier";
  passAround(kArrive, kTryParity, "  call void @llvm.nvvm.mbarrier.init(" + generic);
  passAround("  %token = call i64 @llvm.nvvm.mbarrier.arrive(" + generic + ")", kTryParity);
  // Two arrivals of each thread: the first of two counts as one here, too.
  passAround("  %t0 = call i64 @llvm.nvvm.mbarrier.arrive.noComplete(" + generic + ", i32 2)\n" + kArrive, kTryParity,
             kInit, 192);
  passAround("  %t0 = call i64 @llvm.nvvm.mbarrier.arrive.noComplete.shared(" + shared + ", i32 1)\n" + kArrive,
             kTryParity, kInit, 128);
  for (const char *scope : {"cta", "cluster"})
    passAround(std::string("  %token = call i64 @llvm.nvvm.mbarrier.arrive.scope.") + scope + ".space.cta(" + shared +
                   ", i32 3)",
               kTryParity, kInit, 192);
  passAround("  %far = addrspacecast " + shared +
                 " to ptr addrspace(7)\n  call void "
                 "@llvm.nvvm.mbarrier.arrive.scope.cluster.space.cluster(ptr addrspace(7) %far, i32 1)",
             kTryParity);
}

OP_TEST(MBarrier, Waits,
        {"mbarrier.test.wait", "mbarrier.test.wait.shared", "mbarrier.test.wait.scope.cta.space.cta",
         "mbarrier.test.wait.parity.scope.cta.space.cta", "mbarrier.try.wait.scope.cta.space.cta",
         "mbarrier.try.wait.tl.scope.cta.space.cta", "mbarrier.try.wait.parity.scope.cta.space.cta",
         "mbarrier.try.wait.parity.scope.cluster.space.cta", "mbarrier.try.wait.parity.tl.scope.cta.space.cta"}) {
  std::string call = "  %done = call i1 @llvm.nvvm.mbarrier.", shared = "(ptr addrspace(3) @barrier";
  passAround(kArrive, call + "test.wait(ptr addrspacecast (ptr addrspace(3) @barrier to ptr), i64 %token)");
  for (const char *name : {"test.wait.shared", "test.wait.scope.cta.space.cta", "try.wait.scope.cta.space.cta"})
    passAround(kArrive, call + name + shared + ", i64 %token)");
  passAround(kArrive, call + "try.wait.tl.scope.cta.space.cta" + shared + ", i64 %token, i32 100)");
  for (const char *name : {"test.wait.parity.scope.cta.space.cta", "try.wait.parity.scope.cta.space.cta",
                           "try.wait.parity.scope.cluster.space.cta"})
    passAround(kArrive, call + name + shared + ", i32 0)");
  passAround(kArrive, call + "try.wait.parity.tl.scope.cta.space.cta" + shared + ", i32 0, i32 100)");
}

// 5 phases of arrivals that expect transactions, and transactions that complete them.
OP_TEST(MBarrier, Transactions,
        {"mbarrier.arrive.expect.tx.scope.cta.space.cta", "mbarrier.arrive.expect.tx.scope.cluster.space.cta",
         "mbarrier.arrive.expect.tx.relaxed.scope.cta.space.cta", "mbarrier.expect.tx.scope.cta.space.cta",
         "mbarrier.expect.tx.scope.cluster.space.cta", "mbarrier.complete.tx.scope.cta.space.cta"}) {
  std::string shared = "(ptr addrspace(3) @barrier, i32 48)";
  for (const char *arrive : {"arrive.expect.tx.scope.cta.space.cta", "arrive.expect.tx.scope.cluster.space.cta",
                             "arrive.expect.tx.relaxed.scope.cta.space.cta", "expect.tx.scope.cta.space.cta",
                             "expect.tx.scope.cluster.space.cta"}) {
    bool arrives = std::string(arrive).starts_with("arrive");
    std::string code = prepared(kInit, 32) + R"(  br label %loop
loop:
  %phase = phi i32 [ 0, %ready ], [ %phase1, %next ]
)" + (arrives ? "  %t = call i64 @llvm.nvvm.mbarrier." : "  call void @llvm.nvvm.mbarrier.") +
                       arrive + shared + "\n" + (arrives ? "" : std::string(kArrive) + "\n") + R"(
  %mine = icmp eq i32 %phase, %tid
  call void @llvm.nvvm.mbarrier.complete.tx.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 16)
  call void @llvm.nvvm.mbarrier.complete.tx.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 32)
  br label %wait
wait:
  %parity = and i32 %phase, 1
  %done = call i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 %parity)
  br i1 %done, label %next, label %wait
next:
  %phase1 = add i32 %phase, 1
  %more = icmp ult i32 %phase1, 5
  br i1 %more, label %loop, label %end
end:
  %r = add i32 %phase1, 0
)";
    std::vector<Cell> out = run({{}, {{"i32", "r"}}, code, kGlobals}, {}, {.check = true, .seed = 2});
    for (unsigned t = 0; t < 32; ++t)
      EXPECT_EQ(out[t].u32(), 5u) << arrive;
  }
}

// Of 4 arrivals, two leave for good: the next phase takes 2.
OP_TEST(MBarrier, Drops,
        {"mbarrier.arrive.drop", "mbarrier.arrive.drop.shared", "mbarrier.arrive.drop.scope.cta.space.cta",
         "mbarrier.arrive.drop.expect.tx.scope.cta.space.cta", "mbarrier.pending.count", "mbarrier.inval",
         "mbarrier.inval.shared"}) {
  std::string shared = "ptr addrspace(3) @barrier", generic = "ptr addrspacecast (ptr addrspace(3) @barrier to ptr)";
  for (const std::string &drop : {"arrive.drop(" + generic + ")", "arrive.drop.shared(" + shared + ")",
                                  "arrive.drop.scope.cta.space.cta(" + shared + ", i32 1)",
                                  "arrive.drop.expect.tx.scope.cta.space.cta(" + shared + ", i32 0)"}) {
    std::string arrive = "call i64 @llvm.nvvm.mbarrier.arrive.shared(" + shared + ")\n";
    std::string code = "  call void @llvm.nvvm.mbarrier.init.shared(" + shared +
                       ", i32 4)\n  %a = call i64 @llvm.nvvm.mbarrier." + drop +
                       "\n  %b = call i64 @llvm.nvvm.mbarrier." + drop + "\n  %c = " + arrive + "  %d = " + arrive +
                       "  %e = " + arrive;
    std::string sum = "0";
    for (const char *token : {"a", "b", "c", "d", "e"}) {
      std::string t = token;
      code += "  %n" + t + " = call i32 @llvm.nvvm.mbarrier.pending.count(i64 %" + t + ")\n  %s" + t + " = mul i32 " +
              sum + ", 10\n  %u" + t + " = add i32 %s" + t + ", %n" + t + "\n";
      sum = "%u" + t;
    }
    code += "  %done = call i1 @llvm.nvvm.mbarrier.test.wait.shared(" + shared +
            ", i64 %e)\n  %d32 = zext i1 %done to i32\n" + "  %r = shl i32 " + sum +
            ", %d32\n  call void @llvm.nvvm.mbarrier.inval" +
            (drop.starts_with("arrive.drop(") ? "(" + generic : ".shared(" + shared) + ")\n";
    std::vector<Cell> out = run({{}, {{"i32", "r"}}, code, kGlobals}, {}, {.threads = 1});
    EXPECT_EQ(out[0].u32(), 43212u) << drop << ": pending before each arrival 4 3 2 1, then 2, and not done";
  }
}

TEST(MBarrier, Faults) {
  std::string where = "kernel 'k', block (0,0,0), thread (0,0,0): ";
  EXPECT_EQ(checkError(kGlobals, kArrive, {.threads = 1}),
            where + "mbarrier.arrive.shared (in k): expected an initialized mbarrier, found something else");
  std::string init = std::string(kInit) + ", i32 ";
  EXPECT_EQ(checkError(kGlobals, init + "0)", {.threads = 1}),
            where + "mbarrier.init.shared (in k): expected a count from 1 to 1048575, got 0");
  EXPECT_EQ(checkError(kGlobals,
                       init + "1)\n  %t = call i64 @llvm.nvvm.mbarrier.arrive.scope.cta.space.cta(ptr addrspace(3) "
                              "@barrier, i32 2)",
                       {.threads = 1}),
            where + "mbarrier.arrive.scope.cta.space.cta (in k): more arrivals than the mbarrier expects, 1");
  EXPECT_EQ(checkError(kGlobals, R"(
  %odd = getelementptr i8, ptr addrspace(3) @barrier, i32 4
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) %odd, i32 1))",
                       {.threads = 1}),
            where + "mbarrier.init.shared (in k): misaligned mbarrier: expected a multiple of 8, got shared offset 12");
}
