// Checks of asynchronous copies: waits, and fences between proxies.
#include "CheckerTest.h"

using namespace ecf8::test;

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
