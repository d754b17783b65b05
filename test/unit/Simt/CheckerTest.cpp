// Each check has a program with the bug that it must find, and a twin without it that must pass.
#include "SimtTest.h"

using namespace ecf8::test;

static const char *kBuffer = "@buffer = internal addrspace(3) global [64 x i32] undef, align 4\n";
static const char *kTwoWarps = "@buffer = internal addrspace(3) global [64 x i32] undef, align 16\n"
                               "@flag = internal addrspace(3) global i32 undef, align 4\n"
                               "@barrier = internal addrspace(3) global i64 undef, align 8\n";

/// %own is the thread's word, %other that of the next thread.
static const char *kPlaces = R"(
  %own = getelementptr i32, ptr addrspace(3) @buffer, i32 %tid
  %next0 = add i32 %tid, 1
  %next = urem i32 %next0, 64
  %other = getelementptr i32, ptr addrspace(3) @buffer, i32 %next
)";

static const char *kBarrier = "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n";

static void expectBug(const std::string &globals, const std::string &code, const std::string &message,
                      Shape shape = {}) {
  std::string got = checkError(globals, code, shape);
  EXPECT_NE(got.find(message), std::string::npos) << "expected '" << message << "' in '" << got << "'";
}

static void expectFine(const std::string &globals, const std::string &code, Shape shape = {}) {
  for (uint64_t seed : {0, 1, 2, 3}) {
    shape.seed = seed;
    EXPECT_EQ(checkError(globals, code, shape), "");
  }
}

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
  expectBug(kTwoWarps, R"(
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

TEST(Checker, Race) {
  std::string write = "  store i32 %tid, ptr addrspace(3) %own\n", read = "  %v = load i32, ptr addrspace(3) %other\n";
  expectBug(kBuffer, kPlaces + write + kBarrier + write + read, "racing shared", {.threads = 64, .seed = 11});
  expectBug(kBuffer, kPlaces + write + kBarrier + read + write, " read it without a barrier in between",
            {.threads = 64});
  expectFine(kBuffer, kPlaces + write + kBarrier + read + kBarrier + write, {.threads = 64});
  // All write to one place.
  std::string same = "  store i32 0, ptr addrspace(3) @buffer\n";
  expectBug(kBuffer, same,
            "thread (1,0,0): store i32 0, ptr addrspace(3) @buffer, align 4 (in k): racing shared write of 4 "
            "bytes at offset 4: thread 0 wrote it without a barrier in between");
  // A barrier of the warp orders its own lanes only.
  std::string warp = "  call void @llvm.nvvm.bar.warp.sync(i32 -1)\n";
  expectBug(kBuffer, kPlaces + write + kBarrier + write + warp + read, "racing shared", {.threads = 64, .seed = 2});
  expectFine(kBuffer, R"(
  %own = getelementptr i32, ptr addrspace(3) @buffer, i32 %tid
  %flip = xor i32 %tid, 1
  %other = getelementptr i32, ptr addrspace(3) @buffer, i32 %flip
)" + write + warp + read,
             {.threads = 64});
  // A shuffle orders nothing.
  expectBug(kBuffer,
            R"(
  %own = getelementptr i32, ptr addrspace(3) @buffer, i32 %tid
  %flip = xor i32 %tid, 1
  %other = getelementptr i32, ptr addrspace(3) @buffer, i32 %flip
)" + write + "  %b = call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 true)\n" +
                read,
            "racing shared read");
}

// One warp hands a value to the other through a flag.
TEST(Checker, RaceThroughFlags) {
  auto code = [](const char *storeOrder, const char *loadOrder, const char *fence) {
    return std::string(R"(
  %first = icmp eq i32 %tid, 0
  br i1 %first, label %init, label %ready
init:
  store i32 0, ptr addrspace(3) @flag
  br label %ready
ready:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %isWriter = icmp eq i32 %tid, 0
  %isReader = icmp eq i32 %tid, 32
  br i1 %isWriter, label %write, label %others
others:
  br i1 %isReader, label %wait, label %end
write:
  store i32 5, ptr addrspace(3) @buffer
)") + fence +
           "  store atomic i32 1, ptr addrspace(3) @flag " + storeOrder + ", align 4\n  br label %end\nwait:\n" +
           "  %now = load atomic i32, ptr addrspace(3) @flag " + loadOrder + ", align 4\n" + R"(
  %done = icmp eq i32 %now, 1
  br i1 %done, label %read, label %wait
read:
)" + fence +
           R"(
  %v = load i32, ptr addrspace(3) @buffer
  br label %end
end:)";
  };
  const char *fence = "  call void @llvm.nvvm.membar.cta()\n";
  expectFine(kTwoWarps, code("release", "acquire", ""), {.threads = 64});
  expectFine(kTwoWarps, code("monotonic", "monotonic", fence), {.threads = 64});
  expectFine(kTwoWarps, code("monotonic", "monotonic", "  fence seq_cst\n"), {.threads = 64});
  expectFine("", "  fence seq_cst\n"); // in a function that calls nothing else of the runtime
  expectBug(kTwoWarps, code("monotonic", "monotonic", ""), "racing shared read", {.threads = 64});
  expectBug(kTwoWarps, code("release", "monotonic", ""), "racing shared read", {.threads = 64});
  // Atomics do not race with each other, but with plain accesses.
  expectBug(kTwoWarps, "  %old = atomicrmw add ptr addrspace(3) @flag, i32 1 seq_cst\n", "uninitialised shared read");
  std::string init = "  %first = icmp eq i32 %tid, 0\n  br i1 %first, label %init, label %ready\ninit:\n"
                     "  store i32 0, ptr addrspace(3) @flag\n  br label %ready\nready:\n";
  expectFine(kTwoWarps, init + kBarrier + "  %old = atomicrmw add ptr addrspace(3) @flag, i32 1 monotonic\n",
             {.threads = 64});
  expectBug(kTwoWarps,
            init + kBarrier +
                "  %old = atomicrmw add ptr addrspace(3) @flag, i32 1 monotonic\n"
                "  %v = load i32, ptr addrspace(3) @flag\n",
            "racing shared", {.threads = 64});
}

TEST(Checker, Uninitialised) {
  expectBug(
      kBuffer, kPlaces + std::string("  %v = load i32, ptr addrspace(3) %own\n"),
      "thread (0,0,0): %v = load i32, ptr addrspace(3) %own, align 4 (in k): uninitialised shared read of 4 bytes at "
      "offset 4");
  expectFine(kBuffer,
             kPlaces + std::string("  store i32 1, ptr addrspace(3) %own\n  %v = load i32, ptr addrspace(3) %own\n"));
  // One byte of four is missing.
  expectBug(kBuffer,
            kPlaces + std::string("  store i24 1, ptr addrspace(3) %own\n  %v = load i32, ptr addrspace(3) %own\n"),
            "uninitialised shared read of 4 bytes at offset 7");
}

TEST(Checker, SharedBounds) {
  auto store = [](const std::string &index) {
    return "  %i = add i32 %tid, " + index + "\n  %p = getelementptr i32, ptr addrspace(3) @buffer, i32 %i\n" +
           "  %g = addrspacecast ptr addrspace(3) %p to ptr\n  store i32 1, ptr %g\n";
  };
  expectBug(kBuffer, store("33"),
            "thread (31,0,0): store i32 1, ptr %g, align 4 (in k): out-of-bounds shared write of 4 bytes "
            "at offset 260");
  expectBug(kBuffer, store("-1"), "out-of-bounds shared write of 4 bytes at offset 0");
  expectFine(kBuffer, store("32"));
  // The dynamic area ends where the launch says.
  std::string dynamic = "@area = external addrspace(3) global [0 x i32], align 16\n"
                        "@buffer = internal addrspace(3) global [64 x i32] undef, align 4\n";
  std::string code =
      "  %d = getelementptr i32, ptr addrspace(3) @area, i32 %tid\n  store i32 1, ptr addrspace(3) %d\n" + store("0");
  expectBug(dynamic, code, "thread (31,0,0)", {.dynamicSharedBytes = 124});
  expectFine(dynamic, code, {.dynamicSharedBytes = 128});
}

TEST(Checker, GlobalBounds) {
  std::string table = "@table = addrspace(1) global [32 x i32] zeroinitializer\n"
                      "@constants = internal addrspace(4) constant [32 x i32] zeroinitializer\n";
  auto access = [](const std::string &index) {
    return "  %i = add i32 %tid, " + index + "\n  %p = getelementptr i32, ptr addrspace(1) @table, i32 %i\n" +
           "  store i32 1, ptr addrspace(1) %p\n  %q = getelementptr i32, ptr addrspace(4) @constants, i32 %tid\n" +
           "  %v = load i32, ptr addrspace(4) %q\n";
  };
  expectBug(table, access("1000"), "out-of-bounds global write of 4 bytes");
  expectFine(table, access("0"));
}

// An overrun of an allocation is found without checks, too, where it leaves the last 256 bytes.
TEST(Checker, GuardPages) {
  for (bool check : {false, true})
    for (unsigned threads : {64, 65}) {
      ecf8::simt::Module module = load(withDeclarations(R"(
define ptx_kernel void @k(ptr addrspace(1) %a) {
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %p = getelementptr i32, ptr addrspace(1) %a, i32 %tid
  store i32 1, ptr addrspace(1) %p
  ret void
}
)"),
                                       check);
      void *a = ecf8::simt::allocate(256);
      void *parameters[] = {&a};
      std::string message = ecf8::simt::launch(*module.kernel("k"), {}, {threads}, 0, parameters, 1).message();
      if (threads == 64)
        EXPECT_EQ(message, "");
      else
        EXPECT_NE(message.find("thread (64,0,0)"), std::string::npos) << message;
      if (threads == 65)
        EXPECT_NE(message.find(check ? "3 bytes past the end of the allocation of 256 bytes"
                                     : "0 bytes past the end of the "
                                       "allocation of 256 bytes"),
                  std::string::npos)
            << message;
      EXPECT_TRUE(ecf8::simt::release(a).isOk());
    }
}

TEST(Checker, Faults) {
  EXPECT_NE(launchError("define ptx_kernel void @k() {\n  %v = load volatile i32, ptr null\n  ret void\n}\n")
                .find("a null pointer"),
            std::string::npos);
  EXPECT_NE(launchError(R"(
define ptx_kernel void @k() {
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %v = udiv i32 100, %tid
  %p = inttoptr i64 16 to ptr
  %c = icmp eq i32 %v, 77
  br i1 %c, label %a, label %b
a:
  store i32 %v, ptr %p
  ret void
b:
  ret void
}
)")
                .find("thread (0,0,0): integer division by zero"),
            std::string::npos);
  // 256 KiB of local memory.
  std::string deep = launchError(R"(
define ptx_kernel void @k() {
  %a = alloca [262144 x i8]
  %p = getelementptr i8, ptr %a, i64 10
  store volatile i8 1, ptr %p
  %q = getelementptr i8, ptr %a, i64 200000
  store volatile i8 1, ptr %q
  ret void
}
)");
  EXPECT_NE(deep.find("local memory and calls need more than 128 KiB"), std::string::npos) << deep;
}

TEST(Checker, Misaligned) {
  std::string buffer = "@buffer = internal addrspace(3) global [1024 x i8] undef, align 16\n"
                       "@source = addrspace(1) global [1024 x i8] zeroinitializer, align 16\n";
  auto row = [](const std::string &offset) {
    return "  %scaled = mul i32 %tid, 16\n  %at = add i32 %scaled, " + offset +
           "\n  %row = getelementptr i8, ptr addrspace(3) @buffer, i32 %at\n"
           "  %from = getelementptr i8, ptr addrspace(1) @source, i32 %at\n";
  };
  std::string fill = "  store <4 x i32> zeroinitializer, ptr addrspace(3) %row, align 4\n"
                     "  call void @llvm.nvvm.bar.warp.sync(i32 -1)\n";
  std::string load = fill + "  %v = call i32 @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x1.b16.p3(ptr addrspace(3) %row)\n";
  std::string copy =
      "  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %row, ptr addrspace(1) %from)\n"
      "  call void @llvm.nvvm.cp.async.wait.all()\n";
  expectBug(buffer, row("4") + load,
            "ldmatrix.sync.aligned.m8n8.x1.b16 (in k): misaligned row address: expected a multiple of "
            "16, got shared offset");
  expectFine(buffer, row("16") + load);
  expectBug(buffer, row("8") + copy, "misaligned destination: expected a multiple of 16, got shared offset");
  expectFine(buffer, row("0") + copy);
  // A variable that declares 2 is placed at no more than 2.
  std::string lowly = buffer;
  lowly.replace(lowly.find("align 16"), 8, "align 2");
  expectBug(lowly, row("0") + copy, "misaligned destination");
}

TEST(Checker, CopyWithoutWait) {
  std::string globals = "@buffer = internal addrspace(3) global [1024 x i8] undef, align 16\n"
                        "@source = addrspace(1) global [1024 x i8] zeroinitializer, align 16\n"
                        "@barrier = internal addrspace(3) global i64 undef, align 8\n";
  std::string copy = R"(
  %at = mul i32 %tid, 16
  %row = getelementptr i8, ptr addrspace(3) @buffer, i32 %at
  %from = getelementptr i8, ptr addrspace(1) @source, i32 %at
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %row, ptr addrspace(1) %from)
  call void @llvm.nvvm.cp.async.commit.group()
)";
  std::string read = "  %v = load i32, ptr addrspace(3) %row\n",
              wait = "  call void @llvm.nvvm.cp.async.wait.group(i32 ";
  expectBug(globals, copy + read, "read at shared offset");
  expectBug(globals, copy + read, "the destination of an asynchronous copy that was not waited for");
  expectBug(globals, copy + wait + "1)\n" + read, "the destination of an asynchronous copy that was not waited for");
  expectFine(globals, copy + wait + "0)\n" + read);
  // What another thread has copied takes a barrier, too.
  std::string other = "  %flip = xor i32 %at, 16\n  %there = getelementptr i8, ptr addrspace(3) @buffer, i32 %flip\n"
                      "  %w = load i32, ptr addrspace(3) %there\n";
  expectBug(globals, copy + wait + "0)\n" + other, "thread");
  expectFine(globals, copy + wait + "0)\n" + kBarrier + other);
  // Bulk: the reader does not wait on the mbarrier.
  auto bulk = [](const std::string &behind) {
    return R"(
  %isFirst = icmp eq i32 %tid, 0
  br i1 %isFirst, label %init, label %ready
init:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @barrier, i32 1)
  br label %ready
ready:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br i1 %isFirst, label %copy, label %wait
copy:
  %token = call i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 1024)
  call void @llvm.nvvm.cp.async.bulk.global.to.shared.cta(ptr addrspace(3) @buffer, ptr addrspace(3) @barrier, ptr addrspace(1) @source, i32 1024, i64 0, i1 false)
  br label %wait
wait:
)" + behind +
           "  %v = load i32, ptr addrspace(3) @buffer\n";
  };
  expectBug(globals, bulk(kBarrier), "the destination of an asynchronous copy that was not waited for");
  expectFine(globals, bulk(R"(  br label %spin
spin:
  %done = call i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 0)
  br i1 %done, label %go, label %spin
go:
)"));
}

TEST(Checker, ProxyFence) {
  std::string globals = "@buffer = internal addrspace(3) global [512 x i8] undef, align 16\n"
                        "@target = addrspace(1) global [512 x i8] zeroinitializer, align 16\n"
                        "@spare = internal addrspace(3) global i32 undef\n";
  auto code = [](const char *fence, const char *behind) {
    return std::string(R"(
  %at = mul i32 %tid, 16
  %row = getelementptr i8, ptr addrspace(3) @buffer, i32 %at
  store <4 x i32> zeroinitializer, ptr addrspace(3) %row
)") + fence +
           kBarrier +
           R"(  %first = icmp eq i32 %tid, 0
  br i1 %first, label %copy, label %after
copy:
  call void @llvm.nvvm.cp.async.bulk.shared.cta.to.global(ptr addrspace(1) @target, ptr addrspace(3) @buffer, i32 512, i64 0, i1 false)
  call void @llvm.nvvm.cp.async.bulk.commit.group()
)" + behind +
           "  br label %after\nafter:\n";
  };
  const char *fence = "  call void @llvm.nvvm.fence.proxy.async.shared_cta()\n";
  const char *wait = "  call void @llvm.nvvm.cp.async.bulk.wait.group(i32 0)\n";
  expectBug(globals, code("", wait), "wrote without fence.proxy.async behind it");
  expectFine(globals, code(fence, wait));
  // The source is overwritten before the copy has read it.
  std::string overwrite = std::string(kBarrier) + R"(
  %there = select i1 %first, ptr addrspace(3) @spare, ptr addrspace(3) %row
  store i32 1, ptr addrspace(3) %there
)";
  expectBug(globals, code(fence, "") + overwrite, "racing shared");
  expectFine(globals, code(fence, wait) + overwrite);
}
