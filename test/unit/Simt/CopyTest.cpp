// cp.async and bulk copies, with and without checks.
#include "SimtTest.h"

#include <array>

using namespace ecf8::test;

static const char *kBuffer = "@buffer = internal addrspace(3) global [4096 x i8] undef, align 16\n"
                             "@barrier = internal addrspace(3) global i64 undef, align 8\n";

/// Each thread's input at %source, 16 bytes of its own in shared memory at %mine, of which all are 7 at first.
static const char *kPlaces = R"(
  %source = getelementptr [16 x i8], ptr addrspace(1) %in, i32 %tid
  %offset = mul i32 %tid, 16
  %mine = getelementptr i8, ptr addrspace(3) @buffer, i32 %offset
  store <16 x i8> splat (i8 7), ptr addrspace(3) %mine
)";

static std::vector<Cell> pattern(unsigned count) {
  std::vector<Cell> in(count);
  for (unsigned i = 0; i < count; ++i)
    for (unsigned b = 0; b < 16; ++b)
      in[i].bytes[b] = uint8_t(i * 16 + b + 1);
  return in;
}

OP_TEST(Copy, Async,
        {"cp.async.ca.shared.global.4", "cp.async.ca.shared.global.4.s", "cp.async.ca.shared.global.8",
         "cp.async.ca.shared.global.8.s", "cp.async.ca.shared.global.16", "cp.async.ca.shared.global.16.s",
         "cp.async.cg.shared.global.16", "cp.async.cg.shared.global.16.s", "cp.async.commit.group",
         "cp.async.wait.group", "cp.async.wait.all"}) {
  for (bool check : {false, true})
    for (const char *cache : {"ca", "cg"})
      for (unsigned bytes : {4, 8, 16})
        for (int sourceBytes : {-1, 0, 3}) { // -1: not given
          if (cache[1] == 'g' && bytes != 16)
            continue;
          std::string call = std::string("  call void @llvm.nvvm.cp.async.") + cache + ".shared.global." +
                             std::to_string(bytes) + (sourceBytes < 0 ? "" : ".s") +
                             "(ptr addrspace(3) %mine, ptr addrspace(1) %source" +
                             (sourceBytes < 0 ? "" : ", i32 " + std::to_string(sourceBytes)) + ")\n";
          std::string wait = bytes == 8 ? "  call void @llvm.nvvm.cp.async.wait.all()\n"
                                        : "  call void @llvm.nvvm.cp.async.commit.group()\n"
                                          "  call void @llvm.nvvm.cp.async.wait.group(i32 0)\n";
          Body body{{{"<16 x i8>", "unused"}},
                    {{"<16 x i8>", "r"}},
                    kPlaces + call + wait + "  %r = load <16 x i8>, ptr addrspace(3) %mine\n",
                    kBuffer};
          std::vector<Cell> in = pattern(32), out = run(body, in, {.check = check});
          unsigned copied = sourceBytes < 0 ? bytes : unsigned(sourceBytes);
          for (unsigned t = 0; t < 32; ++t)
            for (unsigned b = 0; b < 16; ++b)
              ASSERT_EQ(out[t].bytes[b], b < copied ? in[t].bytes[b] : b < bytes ? 0 : 7) << call << b;
        }
}

// Of two groups, the first is there when one may be pending.
TEST(Copy, WaitsForOlderGroups) {
  const char *code = R"(
  %second = getelementptr i8, ptr addrspace(3) %mine, i32 2048
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %mine, ptr addrspace(1) %source)
  call void @llvm.nvvm.cp.async.commit.group()
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %second, ptr addrspace(1) %source)
  call void @llvm.nvvm.cp.async.commit.group()
  call void @llvm.nvvm.cp.async.wait.group(i32 1)
  %r = load <16 x i8>, ptr addrspace(3) %mine
  call void @llvm.nvvm.cp.async.wait.group(i32 0)
)";
  Body body{{{"<16 x i8>", "unused"}}, {{"<16 x i8>", "r"}}, std::string(kPlaces) + code, kBuffer};
  std::vector<Cell> in = pattern(32), out = run(body, in, {.check = true});
  for (unsigned t = 0; t < 32; ++t)
    EXPECT_EQ(out[t].as<uint64_t>(), in[t].as<uint64_t>());
}

OP_TEST(Copy, ArriveAfterCopies,
        {"cp.async.mbarrier.arrive", "cp.async.mbarrier.arrive.shared", "cp.async.mbarrier.arrive.noinc",
         "cp.async.mbarrier.arrive.noinc.shared"}) {
  for (bool isCounted : {false, true})
    for (bool isShared : {false, true}) {
      std::string pointer =
          isShared ? "ptr addrspace(3) @barrier" : "ptr addrspacecast (ptr addrspace(3) @barrier to ptr)";
      std::string name = std::string("@llvm.nvvm.cp.async.mbarrier.arrive") + (isCounted ? "" : ".noinc") +
                         (isShared ? ".shared" : "");
      // The next thread's bytes are read, which only the mbarrier makes visible.
      std::string code =
          R"(
  %isFirst = icmp eq i32 %tid, 0
  br i1 %isFirst, label %init, label %ready
init:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @barrier, i32 32)
  br label %ready
ready:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) %mine, ptr addrspace(1) %source)
  call void )" +
          name + "(" + pointer + ")\n" +
          (isCounted ? "  %t = call i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3) @barrier)\n" : "") +
          R"(  br label %wait
wait:
  %done = call i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 0)
  br i1 %done, label %go, label %wait
go:
  %next0 = add i32 %offset, 16
  %next = urem i32 %next0, 512
  %other = getelementptr i8, ptr addrspace(3) @buffer, i32 %next
  %r = load <16 x i8>, ptr addrspace(3) %other
)";
      Body body{{{"<16 x i8>", "unused"}}, {{"<16 x i8>", "r"}}, kPlaces + code, kBuffer};
      std::vector<Cell> in = pattern(32);
      for (bool check : {false, true}) {
        std::vector<Cell> out = run(body, in, {.check = check});
        for (unsigned t = 0; t < 32; ++t)
          EXPECT_EQ(out[t].as<uint64_t>(), in[(t + 1) % 32].as<uint64_t>());
      }
    }
}

OP_TEST(Copy, BulkToShared,
        {"cp.async.bulk.global.to.shared.cluster", "cp.async.bulk.global.to.shared.cta",
         "mbarrier.arrive.expect.tx.scope.cta.space.cta", "mbarrier.try.wait.parity.scope.cta.space.cta"}) {
  for (bool isCluster : {false, true})
    for (bool check : {false, true})
      for (uint64_t seed : {0, 9}) {
        std::string copy = isCluster ? R"(
  %far = addrspacecast ptr addrspace(3) @buffer to ptr addrspace(7)
  call void @llvm.nvvm.cp.async.bulk.global.to.shared.cluster(ptr addrspace(7) %far, ptr addrspace(3) @barrier, ptr addrspace(1) %in, i32 1024, i16 0, i64 0, i1 false, i1 false))"
                                     : R"(
  call void @llvm.nvvm.cp.async.bulk.global.to.shared.cta(ptr addrspace(3) @buffer, ptr addrspace(3) @barrier, ptr addrspace(1) %in, i32 1024, i64 0, i1 false))";
        std::string code = R"(
  %isFirst = icmp eq i32 %tid, 0
  br i1 %isFirst, label %init, label %ready
init:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @barrier, i32 1)
  br label %ready
ready:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br i1 %isFirst, label %copy, label %wait
copy:
  %token = call i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 1024))" +
                           copy + R"(
  br label %wait
wait:
  %done = call i1 @llvm.nvvm.mbarrier.try.wait.parity.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 0)
  br i1 %done, label %go, label %wait
go:
  %offset = mul i32 %tid, 16
  %mine = getelementptr i8, ptr addrspace(3) @buffer, i32 %offset
  %r = load <16 x i8>, ptr addrspace(3) %mine
)";
        Body body{{{"<16 x i8>", "unused"}}, {{"<16 x i8>", "r"}}, code, kBuffer};
        std::vector<Cell> in = pattern(64), out = run(body, in, {.threads = 64, .check = check, .seed = seed});
        for (unsigned t = 0; t < 64; ++t)
          ASSERT_EQ(out[t].as<uint64_t>(), in[t].as<uint64_t>());
      }
}

OP_TEST(Copy, BulkToGlobal,
        {"cp.async.bulk.shared.cta.to.global", "cp.async.bulk.commit.group", "cp.async.bulk.wait.group",
         "cp.async.bulk.wait.group.read"}) {
  for (const char *wait : {"wait.group", "wait.group.read"})
    for (bool check : {false, true}) {
      std::string code = R"(
  %offset = mul i32 %tid, 16
  %mine = getelementptr i8, ptr addrspace(3) @buffer, i32 %offset
  store <16 x i8> %a, ptr addrspace(3) %mine
  call void @llvm.nvvm.fence.proxy.async.shared_cta()
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %isFirst = icmp eq i32 %tid, 0
  br i1 %isFirst, label %store, label %end
store:
  call void @llvm.nvvm.cp.async.bulk.shared.cta.to.global(ptr addrspace(1) %out, ptr addrspace(3) @buffer, i32 512, i64 0, i1 false)
  call void @llvm.nvvm.cp.async.bulk.commit.group()
  call void @llvm.nvvm.cp.async.bulk.)" +
                         std::string(wait) + "(i32 0)\n  br label %end\nend:\n";
      Body body{{{"<16 x i8>", "a"}}, {}, code, kBuffer};
      std::vector<Cell> in = pattern(32), out = run(body, in, {.check = check});
      for (unsigned t = 0; t < 32; ++t)
        EXPECT_EQ(out[t].as<uint64_t>(), in[t].as<uint64_t>());
    }
}
