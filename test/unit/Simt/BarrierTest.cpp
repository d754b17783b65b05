// Barriers of block and warp, fences, clocks, atomics, and what changes nothing.
#include "SimtTest.h"

#include <set>

using namespace ecf8::test;

static const char *kBuffer = "@buffer = internal addrspace(3) global [1024 x i32] undef, align 4\n";

/// Writes the own word, meets the others by `barrier`, reads that of the thread `distance` further on.
static std::string exchange(const std::string &barrier, unsigned threads) {
  return "  %own = getelementptr i32, ptr addrspace(3) @buffer, i32 %tid\n  store i32 %tid, ptr addrspace(3) %own\n" +
         barrier + "\n  %next = add i32 %tid, 33\n  %other = urem i32 %next, " + std::to_string(threads) +
         "\n  %place = getelementptr i32, ptr addrspace(3) @buffer, i32 %other\n"
         "  %r = load i32, ptr addrspace(3) %place\n";
}

OP_TEST(Barrier, All,
        {"barrier.cta.sync.aligned.all", "barrier.cta.sync.aligned.count", "barrier.cta.sync.all",
         "barrier.cta.sync.count"}) {
  for (uint64_t seed : {0, 1, 7})
    for (const char *barrier :
         {"aligned.all(i32 0)", "aligned.count(i32 3, i32 256)", "all(i32 15)", "count(i32 1, i32 256)"}) {
      Body body{{},
                {{"i32", "r"}},
                exchange(std::string("  call void @llvm.nvvm.barrier.cta.sync.") + barrier, 256),
                kBuffer};
      std::vector<Cell> out = run(body, {}, {.threads = 256, .check = true, .seed = seed});
      for (unsigned t = 0; t < 256; ++t)
        EXPECT_EQ(out[t].u32(), (t + 33) % 256);
    }
}

// Producers arrive and go on; consumers wait for them.
OP_TEST(Barrier, Arrive, {"barrier.cta.arrive.aligned.count", "barrier.cta.arrive.count"}) {
  for (const char *arrive : {"arrive.aligned.count", "arrive.count"}) {
    Body body{{},
              {{"i32", "r"}},
              std::string(R"(
  %isProducer = icmp ult i32 %tid, 32
  br i1 %isProducer, label %producer, label %consumer
producer:
  %own = getelementptr i32, ptr addrspace(3) @buffer, i32 %tid
  store i32 %tid, ptr addrspace(3) %own
  call void @llvm.nvvm.barrier.cta.)") +
                  arrive + R"((i32 2, i32 64)
  br label %join
consumer:
  call void @llvm.nvvm.barrier.cta.sync.aligned.count(i32 2, i32 64)
  %lane = sub i32 %tid, 32
  %place = getelementptr i32, ptr addrspace(3) @buffer, i32 %lane
  %v = load i32, ptr addrspace(3) %place
  br label %join
join:
  %r = phi i32 [ 100, %producer ], [ %v, %consumer ]
)",
              kBuffer};
    for (uint64_t seed : {0, 5}) {
      std::vector<Cell> out = run(body, {}, {.threads = 64, .check = true, .seed = seed});
      for (unsigned t = 0; t < 64; ++t)
        EXPECT_EQ(out[t].u32(), t < 32 ? 100 : t - 32);
    }
  }
}

OP_TEST(Barrier, Reduce,
        {"barrier.cta.red.and.aligned.all", "barrier.cta.red.and.aligned.count", "barrier.cta.red.or.aligned.all",
         "barrier.cta.red.or.aligned.count", "barrier.cta.red.popc.aligned.all",
         "barrier.cta.red.popc.aligned.count"}) {
  for (unsigned first : {0u, 1u, 64u, 65u}) // threads from there on say yes
    for (const char *count : {"all(i32 0, ", "count(i32 0, i32 64, "}) {
      std::string name = "@llvm.nvvm.barrier.cta.red.";
      Body body{{},
                {{"i32", "all"}, {"i32", "any"}, {"i32", "number"}},
                "  %p = icmp uge i32 %tid, " + std::to_string(first) + "\n  %a = call i1 " + name + "and.aligned." +
                    count + "i1 %p)\n  %o = call i1 " + name + "or.aligned." + count + "i1 %p)\n  %number = call i32 " +
                    name + "popc.aligned." + count +
                    "i1 %p)\n  %all = zext i1 %a to i32\n  %any = zext i1 %o to i32\n"};
      std::vector<Cell> out = run(body, {}, {.threads = 64});
      for (unsigned t = 0; t < 64; ++t) {
        EXPECT_EQ(out[3 * t].u32(), uint32_t(first == 0));
        EXPECT_EQ(out[3 * t + 1].u32(), uint32_t(first < 64));
        EXPECT_EQ(out[3 * t + 2].u32(), 64 - std::min(first, 64u));
      }
    }
}

OP_TEST(Barrier, Warp, {"bar.warp.sync"}) {
  Body body{{},
            {{"i32", "r"}},
            "  %warp = and i32 %tid, -32\n" + exchange("  call void @llvm.nvvm.bar.warp.sync(i32 -1)", 32),
            kBuffer};
  std::vector<Cell> out = run(body, {}, {.threads = 32, .check = true, .seed = 3});
  for (unsigned t = 0; t < 32; ++t)
    EXPECT_EQ(out[t].u32(), (t + 1) % 32);
}

OP_TEST(Barrier, FencesAndHints,
        {"membar.cta",
         "membar.gl",
         "membar.sys",
         "fence.sc.cluster",
         "fence.proxy.async",
         "fence.proxy.async.shared_cta",
         "fence.proxy.async.shared_cluster",
         "fence.proxy.async.global",
         "fence.mbarrier_init.release.cluster",
         "griddepcontrol.wait",
         "griddepcontrol.launch.dependents",
         "prefetch.global.L1",
         "prefetch.global.L2",
         "prefetch.L1",
         "prefetch.L2",
         "prefetchu.L1",
         "prefetch.global.L2.evict.last",
         "prefetch.global.L2.evict.normal",
         "setmaxnreg.inc.sync.aligned.u32",
         "setmaxnreg.dec.sync.aligned.u32",
         "cp.async.bulk.prefetch.L2",
         "nanosleep"}) {
  std::string code = "  %g = addrspacecast ptr addrspace(1) %in to ptr\n";
  for (const char *call : {"membar.cta()",
                           "membar.gl()",
                           "membar.sys()",
                           "fence.sc.cluster()",
                           "fence.proxy.async()",
                           "fence.proxy.async.shared_cta()",
                           "fence.proxy.async.shared_cluster()",
                           "fence.proxy.async.global()",
                           "fence.mbarrier_init.release.cluster()",
                           "griddepcontrol.wait()",
                           "griddepcontrol.launch.dependents()",
                           "prefetch.global.L1(ptr addrspace(1) %in)",
                           "prefetch.global.L2(ptr addrspace(1) %in)",
                           "prefetch.L1(ptr %g)",
                           "prefetch.L2(ptr %g)",
                           "prefetchu.L1(ptr %g)",
                           "prefetch.global.L2.evict.last(ptr addrspace(1) %in)",
                           "prefetch.global.L2.evict.normal(ptr addrspace(1) %in)",
                           "setmaxnreg.inc.sync.aligned.u32(i32 64)",
                           "setmaxnreg.dec.sync.aligned.u32(i32 64)",
                           "cp.async.bulk.prefetch.L2(ptr addrspace(1) %in, i32 16, i64 0, i1 false)",
                           "nanosleep(i32 100)"})
    code += std::string("  call void @llvm.nvvm.") + call + "\n";
  Body body{{{"i32", "a"}}, {{"i32", "r"}}, code + "  %r = add i32 %a, 1\n"};
  std::vector<Cell> in;
  for (uint32_t t = 0; t < 32; ++t)
    in.emplace_back(t);
  for (bool check : {false, true}) {
    std::vector<Cell> out = run(body, in, {.check = check});
    for (unsigned t = 0; t < 32; ++t)
      EXPECT_EQ(out[t].u32(), t + 1);
  }
}

OP_TEST(Barrier, Exit, {"exit"}) {
  Body body{{},
            {{"i32", "r"}},
            R"(
  %high = icmp uge i32 %tid, 7
  br i1 %high, label %leave, label %stay
leave:
  call void @llvm.nvvm.exit()
  unreachable
stay:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %r = add i32 %tid, 1
)"};
  std::vector<Cell> out = run(body, {}, {.threads = 64});
  for (unsigned t = 0; t < 64; ++t)
    EXPECT_EQ(out[t].u32(), t < 7 ? t + 1 : 0);
}

OP_TEST(Barrier, Trap, {"trap"}) {
  const char *text = R"(
define ptx_kernel void @k() {
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %mine = icmp eq i32 %tid, 37
  br i1 %mine, label %bad, label %good
bad:
  call void @llvm.trap()
  unreachable
good:
  ret void
}
)";
  EXPECT_EQ(launchError(text, {.threads = 64}),
            "kernel 'k', block (0,0,0), thread (37,0,0): llvm.trap (in k): the kernel stopped itself");
  executedOps().emplace_back("trap"); // a launch that fails does not count
}

OP_TEST(Barrier, Clocks,
        {"read.ptx.sreg.clock", "read.ptx.sreg.clock64", "read.ptx.sreg.globaltimer", "read.ptx.sreg.globaltimer.lo"}) {
  for (const std::string name : {"clock64", "globaltimer"}) {
    std::string narrow = name == "clock64" ? "clock" : "globaltimer.lo", call = " @llvm.nvvm.read.ptx.sreg.";
    Body body{{},
              {{"i64", "a"}, {"i64", "b"}, {"i32", "c"}, {"i32", "d"}},
              "  %a = call i64" + call + name + "()\n  %c = call i32" + call + narrow + "()\n  %b = call i64" + call +
                  name + "()\n  %d = call i32" + call + narrow + "()\n"};
    std::vector<Cell> out = run(body, {}, {.threads = 1});
    EXPECT_GE(out[1].as<uint64_t>(), out[0].as<uint64_t>());
    EXPECT_GE(out[3].u32() - out[2].u32(), 0u);
    EXPECT_LT(out[3].u32() - out[2].u32(), 1000000000u);
    EXPECT_LE(out[2].u32() - uint32_t(out[0].as<uint64_t>()), 1000000000u);
  }
}

OP_TEST(Barrier, AddressSpaces, {"isspacep.shared", "isspacep.local", "isspacep.global"}) {
  std::string code = "  %l = alloca i32\n  store volatile i32 1, ptr %l\n"
                     "  %s = addrspacecast ptr addrspace(3) @buffer to ptr\n"
                     "  %g = addrspacecast ptr addrspace(1) %in to ptr\n";
  std::string sum = "0";
  unsigned bit = 0;
  for (const char *pointer : {"%s", "%l", "%g"})
    for (const char *space : {"shared", "local", "global"}) {
      std::string n = std::to_string(bit);
      code += "  %p" + n + " = call i1 @llvm.nvvm.isspacep." + space + "(ptr " + pointer + ")\n  %z" + n +
              " = zext i1 %p" + n + " to i32\n  %y" + n + " = shl i32 %z" + n + ", " + n + "\n  %sum" + n +
              " = or i32 " + sum + ", %y" + n + "\n";
      sum = "%sum" + n;
      ++bit;
    }
  Body body{{}, {{"i32", "r"}}, code + "  %r = or i32 0, " + sum, kBuffer};
  EXPECT_EQ(run(body, {}, {.threads = 1})[0].u32(), 0b100010001u);
}

TEST(Barrier, AtomicsOfManyBlocks) {
  Body body{{},
            {{"i32", "old"}},
            "  %old = atomicrmw add ptr addrspace(1) @counter, i32 1 seq_cst\n",
            "@counter = addrspace(1) global i32 0\n"};
  for (unsigned workers : {1u, 2u}) {
    std::vector<Cell> out = run(body, {}, {.threads = 96, .blocks = 50, .check = workers == 1, .workers = workers});
    std::set<uint32_t> seen;
    for (const Cell &cell : out)
      seen.insert(cell.u32());
    EXPECT_EQ(seen.size(), 4800u);
    EXPECT_EQ(*seen.rbegin(), 4799u);
  }
}

// Each block waits for the one before it, whatever the order in which they begin.
TEST(Barrier, BlocksThatWaitForOthers) {
  for (uint64_t seed : {0, 1, 2})
    for (unsigned workers : {1u, 2u}) {
      Body body{{},
                {{"i32", "r"}},
                R"(
  %turn = sub i32 19, %ctaid
  %first0 = icmp eq i32 %tid, 0
  br i1 %first0, label %spin, label %after
spin:
  %now = load atomic volatile i32, ptr addrspace(1) @ticket acquire, align 4
  %mine = icmp eq i32 %now, %turn
  br i1 %mine, label %go, label %spin
go:
  br label %after
after:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %r = load volatile i32, ptr addrspace(1) @ticket
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br i1 %first0, label %pass, label %end
pass:
  %old = atomicrmw add ptr addrspace(1) @ticket, i32 1 release
  br label %end
end:
)",
                "@ticket = addrspace(1) global i32 0\n"};
      std::vector<Cell> out = run(body, {}, {.threads = 64, .blocks = 20, .seed = seed, .workers = workers});
      for (unsigned i = 0; i < 64 * 20; ++i)
        ASSERT_EQ(out[i].u32(), 19 - i / 64);
    }
}
