// Shuffles, votes and other instructions of a warp, with all lanes and with some, next to plain C++.
#include "SimtTest.h"

#include <algorithm>
#include <functional>
#include <set>

using namespace ecf8::test;

namespace {

/// Lanes of a mask run `code`, which sets %r, and the others give 0.
Body withMask(uint32_t mask, const std::string &code, const std::string &type = "i32") {
  return {{{"i32", "a"}, {"i32", "b"}},
          {{"i32", "r"}},
          "  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()\n  %shifted = lshr i32 " + std::to_string(mask) +
              ", %lane\n  %bit = trunc i32 %shifted to i1\n  br i1 %bit, label %in.mask, label %join\nin.mask:\n" +
              code + "\n  br label %join\njoin:\n  %r = phi i32 [ %v, %in.mask ], [ 0, %0 ]\n"};
}

const uint32_t kMasks[] = {0xffffffff, 0x0000ffff, 0xf0f00001, 0x80000000};

std::vector<Cell> operands(unsigned seed) {
  std::vector<Cell> in;
  for (unsigned lane = 0; lane < 32; ++lane) {
    in.emplace_back(uint32_t(1000 + lane * 7 + seed));
    in.emplace_back(uint32_t((lane * 5 + seed) % 40));
  }
  return in;
}

struct ShuffleResult {
  int source;
  bool inRange;
};

/// As the PTX ISA says, in its own words.
ShuffleResult shuffleSource(const std::string &mode, int lane, int b, int c) {
  int segmask = c >> 8 & 31, cval = c & 31, bval = b & 31;
  int maxLane = (lane & segmask) | (cval & ~segmask & 31), minLane = lane & segmask;
  int j = 0;
  bool pval = false;
  if (mode == "up")
    j = lane - bval, pval = j >= maxLane;
  else if (mode == "down")
    j = lane + bval, pval = j <= maxLane;
  else if (mode == "bfly")
    j = lane ^ bval, pval = j <= maxLane;
  else
    j = minLane | (bval & ~segmask & 31), pval = j <= maxLane;
  return {pval ? j : lane, pval};
}

} // namespace

OP_TEST(Warp, Shuffle,
        {"shfl.sync.idx.i32", "shfl.sync.idx.f32", "shfl.sync.idx.i32p", "shfl.sync.idx.f32p", "shfl.sync.up.i32",
         "shfl.sync.up.f32", "shfl.sync.up.i32p", "shfl.sync.up.f32p", "shfl.sync.down.i32", "shfl.sync.down.f32",
         "shfl.sync.down.i32p", "shfl.sync.down.f32p", "shfl.sync.bfly.i32", "shfl.sync.bfly.f32",
         "shfl.sync.bfly.i32p", "shfl.sync.bfly.f32p"}) {
  for (const std::string mode : {"idx", "up", "down", "bfly"})
    for (const std::string type : {"i32", "f32"})
      for (int width : {32, 8}) {
        int c = (32 - width) << 8 | (mode == "up" ? 0 : 31);
        std::string ir = type == "i32" ? "i32" : "float", call = "@llvm.nvvm.shfl.sync." + mode + "." + type;
        std::string arguments = "(i32 -1, " + ir + " %a, i32 %b, i32 " + std::to_string(c) + ")";
        Body body{{{ir, "a"}, {"i32", "b"}},
                  {{ir, "r"}, {ir, "rp"}, {"i32", "p"}},
                  "  %r = call " + ir + " " + call + arguments + "\n  %both = call { " + ir + ", i1 } " + call + "p" +
                      arguments + "\n  %rp = extractvalue { " + ir + ", i1 } %both, 0\n  %p1 = extractvalue { " + ir +
                      ", i1 } %both, 1\n  %p = zext i1 %p1 to i32\n"};
        std::vector<Cell> in = operands(3);
        std::vector<Cell> out = run(body, in);
        for (int lane = 0; lane < 32; ++lane) {
          ShuffleResult want = shuffleSource(mode, lane, int(in[2 * lane + 1].u32()), c);
          EXPECT_EQ(out[3 * lane].u32(), in[2 * want.source].u32()) << mode << " lane " << lane;
          EXPECT_EQ(out[3 * lane + 1].u32(), in[2 * want.source].u32()) << mode << " lane " << lane;
          EXPECT_EQ(out[3 * lane + 2].u32(), uint32_t(want.inRange)) << mode << " lane " << lane;
        }
      }
}

OP_TEST(Warp, Vote, {"vote.ballot.sync", "vote.all.sync", "vote.any.sync", "vote.uni.sync"}) {
  for (uint32_t mask : kMasks)
    for (uint32_t predicates : {0u, 0xffffffffu, 0x12345678u, 0x80000001u}) {
      auto vote = [&](const std::string &mode, bool isBallot) {
        std::string code = "  %p = trunc i32 %a to i1\n  ";
        if (isBallot)
          code += "%v = call i32 @llvm.nvvm.vote.ballot.sync(i32 " + std::to_string(mask) + ", i1 %p)";
        else
          code += "%v1 = call i1 @llvm.nvvm.vote." + mode + ".sync(i32 " + std::to_string(mask) +
                  ", i1 %p)\n  %v = zext i1 %v1 to i32";
        std::vector<Cell> in;
        for (unsigned lane = 0; lane < 32; ++lane) {
          in.emplace_back(predicates >> lane & 1);
          in.emplace_back(0u);
        }
        return run(withMask(mask, code), in);
      };
      uint32_t ballot = predicates & mask;
      std::vector<Cell> b = vote("ballot", true), all = vote("all", false), any = vote("any", false),
                        uni = vote("uni", false);
      for (unsigned lane = 0; lane < 32; ++lane) {
        bool isMember = mask >> lane & 1;
        EXPECT_EQ(b[lane].u32(), isMember ? ballot : 0);
        EXPECT_EQ(all[lane].u32(), uint32_t(isMember && ballot == mask));
        EXPECT_EQ(any[lane].u32(), uint32_t(isMember && ballot));
        EXPECT_EQ(uni[lane].u32(), uint32_t(isMember && (ballot == mask || !ballot)));
      }
    }
}

OP_TEST(Warp, Match, {"match.any.sync.i32", "match.any.sync.i64", "match.all.sync.i32p", "match.all.sync.i64p"}) {
  for (uint32_t mask : kMasks)
    for (bool isWide : {false, true})
      for (unsigned different : {1u, 3u}) {
        std::string type = isWide ? "i64" : "i32", value = isWide ? "%wide" : "%b";
        std::string widen = isWide ? "  %w0 = zext i32 %b to i64\n  %wide = shl i64 %w0, 32\n" : "";
        std::string arguments = "(i32 " + std::to_string(mask) + ", " + type + " " + value + ")";
        std::vector<Cell> in;
        for (unsigned lane = 0; lane < 32; ++lane) {
          in.emplace_back(0u);
          in.emplace_back(uint32_t(lane * lane % different));
        }
        std::vector<Cell> any =
            run(withMask(mask, widen + "  %v = call i32 @llvm.nvvm.match.any.sync." + type + arguments), in);
        std::vector<Cell> all = run(
            withMask(mask, widen + "  %both = call { i32, i1 } @llvm.nvvm.match.all.sync." + type + "p" + arguments +
                               "\n  %m = extractvalue { i32, i1 } %both, 0\n  %p = extractvalue { "
                               "i32, i1 } %both, 1\n  %p32 = zext i1 %p to i32\n  %v = add i32 %m, %p32"),
            in);
        bool isEqual = true;
        uint32_t first = in[2 * __builtin_ctz(mask) + 1].u32();
        for (unsigned lane = 0; lane < 32; ++lane)
          isEqual &= !(mask >> lane & 1) || in[2 * lane + 1].u32() == first;
        for (unsigned lane = 0; lane < 32; ++lane) {
          uint32_t equal = 0;
          for (unsigned other = 0; other < 32; ++other)
            equal |= uint32_t((mask >> other & 1) && in[2 * other + 1].u32() == in[2 * lane + 1].u32()) << other;
          bool isMember = mask >> lane & 1;
          EXPECT_EQ(any[lane].u32(), isMember ? equal : 0);
          EXPECT_EQ(all[lane].u32(), isMember && isEqual ? mask + 1 : 0);
        }
      }
}

OP_TEST(Warp, Redux,
        {"redux.sync.add", "redux.sync.min", "redux.sync.max", "redux.sync.umin", "redux.sync.umax", "redux.sync.and",
         "redux.sync.or", "redux.sync.xor"}) {
  using Function = std::function<uint32_t(uint32_t, uint32_t)>;
  auto less = [](uint32_t a, uint32_t b) { return int32_t(a) < int32_t(b); };
  const std::pair<std::string, Function> functions[] = {
      {"add", [](uint32_t a, uint32_t b) { return a + b; }},
      {"min", [&](uint32_t a, uint32_t b) { return less(a, b) ? a : b; }},
      {"max", [&](uint32_t a, uint32_t b) { return less(a, b) ? b : a; }},
      {"umin", [](uint32_t a, uint32_t b) { return a < b ? a : b; }},
      {"umax", [](uint32_t a, uint32_t b) { return a < b ? b : a; }},
      {"and", [](uint32_t a, uint32_t b) { return a & b; }},
      {"or", [](uint32_t a, uint32_t b) { return a | b; }},
      {"xor", [](uint32_t a, uint32_t b) { return a ^ b; }}};
  for (const auto &[name, function] : functions)
    for (uint32_t mask : kMasks) {
      std::vector<Cell> in;
      for (unsigned lane = 0; lane < 32; ++lane) {
        in.emplace_back(uint32_t(lane * 2654435761u + 0x70000000));
        in.emplace_back(0u);
      }
      std::vector<Cell> out = run(withMask(mask, "  %v = call i32 @llvm.nvvm.redux.sync." + name + "(i32 %a, i32 " +
                                                     std::to_string(mask) + ")"),
                                  in);
      bool isFirst = true;
      uint32_t want = 0;
      for (unsigned lane = 0; lane < 32; ++lane)
        if (mask >> lane & 1) {
          want = isFirst ? in[2 * lane].u32() : function(want, in[2 * lane].u32());
          isFirst = false;
        }
      for (unsigned lane = 0; lane < 32; ++lane)
        EXPECT_EQ(out[lane].u32(), mask >> lane & 1 ? want : 0) << name;
    }
}

OP_TEST(Warp, Elect, {"elect.sync"}) {
  for (uint32_t mask : kMasks) {
    std::vector<Cell> out =
        run(withMask(mask, "  %both = call { i32, i1 } @llvm.nvvm.elect.sync(i32 " + std::to_string(mask) +
                               ")\n  %l = extractvalue { i32, i1 } %both, 0\n  %p = extractvalue { i32, "
                               "i1 } %both, 1\n  %p32 = zext i1 %p to i32\n  %l2 = mul i32 %l, 2\n"
                               "  %v = add i32 %l2, %p32"),
            operands(0));
    unsigned leader = __builtin_ctz(mask);
    for (unsigned lane = 0; lane < 32; ++lane)
      EXPECT_EQ(out[lane].u32(), mask >> lane & 1 ? leader * 2 + (lane == leader) : 0);
  }
}

OP_TEST(Warp, ActiveMask, {"activemask"}) {
  for (uint32_t mask : kMasks) {
    std::vector<Cell> out = run(withMask(mask, "  %v = call i32 @llvm.nvvm.activemask()"), operands(0));
    for (unsigned lane = 0; lane < 32; ++lane)
      EXPECT_EQ(out[lane].u32(), mask >> lane & 1 ? mask : 0);
  }
}

// Lanes in both branches meet at shuffles of their own masks, and exited lanes are not waited for.
TEST(Warp, DivergentBranches) {
  Body body{{},
            {{"i32", "r"}},
            R"(
  %odd = trunc i32 %tid to i1
  br i1 %odd, label %a, label %b
a:
  %va = call i32 @llvm.nvvm.redux.sync.add(i32 %tid, i32 u0xAAAAAAAA)
  br label %join
b:
  %vb = call i32 @llvm.nvvm.redux.sync.add(i32 1, i32 u0x55555555)
  br label %join
join:
  %r = phi i32 [ %va, %a ], [ %vb, %b ]
)"};
  std::vector<Cell> out = run(body, {});
  for (unsigned lane = 0; lane < 32; ++lane)
    EXPECT_EQ(out[lane].u32(), lane % 2 ? 256u : 16u);
  EXPECT_EQ(checkError("", R"(
  %low = icmp ult i32 %tid, 16
  br i1 %low, label %end, label %rest
rest:
  %v = call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 true)
  br label %end
end:)"),
            "");
}

// Threads of a warp that is not full.
TEST(Warp, PartialWarp) {
  Body body{{}, {{"i32", "r"}}, "  %r = call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 true)"};
  std::vector<Cell> out = run(body, {}, {.threads = 40});
  EXPECT_EQ(out[0].u32(), 0xffffffffu);
  EXPECT_EQ(out[39].u32(), 0xffu);
}

TEST(Warp, SpecialRegisters) {
  const std::pair<const char *, std::function<uint32_t(uint32_t, uint32_t)>> registers[] = {
      {"tid.x", [](uint32_t t, uint32_t) { return t; }},
      {"tid.y", [](uint32_t, uint32_t) { return 0; }},
      {"ntid.x", [](uint32_t, uint32_t) { return 64; }},
      {"ctaid.x", [](uint32_t, uint32_t b) { return b; }},
      {"nctaid.x", [](uint32_t, uint32_t) { return 3; }},
      {"laneid", [](uint32_t t, uint32_t) { return t % 32; }},
      {"warpid", [](uint32_t t, uint32_t) { return t / 32; }},
      {"nwarpid", [](uint32_t, uint32_t) { return 2; }},
      {"warpsize", [](uint32_t, uint32_t) { return 32; }},
      {"lanemask.eq", [](uint32_t t, uint32_t) { return 1u << t % 32; }},
      {"lanemask.lt", [](uint32_t t, uint32_t) { return (1u << t % 32) - 1; }},
      {"lanemask.le", [](uint32_t t, uint32_t) { return (2u << t % 32) - 1; }},
      {"lanemask.gt", [](uint32_t t, uint32_t) { return ~((2u << t % 32) - 1); }},
      {"lanemask.ge", [](uint32_t t, uint32_t) { return ~((1u << t % 32) - 1); }},
      {"dynamic_smem_size", [](uint32_t, uint32_t) { return 48; }},
      {"cluster.ctarank", [](uint32_t, uint32_t) { return 0; }},
      {"cluster.nctarank", [](uint32_t, uint32_t) { return 1; }}};
  for (const auto &[name, want] : registers) {
    Body body{{}, {{"i32", "r"}}, std::string("  %r = call i32 @llvm.nvvm.read.ptx.sreg.") + name + "()"};
    std::vector<Cell> out = run(body, {}, {.threads = 64, .blocks = 3, .dynamicSharedBytes = 48});
    for (unsigned i = 0; i < 64 * 3; ++i)
      EXPECT_EQ(out[i].u32(), want(i % 64, i / 64)) << name;
  }
}
