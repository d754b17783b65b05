// Checks of accesses: races, uninitialised memory, bounds, alignment, faults.
#include "CheckerTest.h"

using namespace ecf8::test;

static const char *kBuffer = "@buffer = internal addrspace(3) global [64 x i32] undef, align 4\n";
static const char *kTwoWarps = "@buffer = internal addrspace(3) global [64 x i32] undef, align 16\n"
                               "@flag = internal addrspace(3) global i32 undef, align 4\n";

/// %own is the thread's word, %other that of the next thread.
static const char *kPlaces = R"(
  %own = getelementptr i32, ptr addrspace(3) @buffer, i32 %tid
  %next0 = add i32 %tid, 1
  %next = urem i32 %next0, 64
  %other = getelementptr i32, ptr addrspace(3) @buffer, i32 %next
)";

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
