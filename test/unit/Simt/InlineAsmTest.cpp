// Instructions of inline assembly, in the spellings that MLIR and CUDA code use.
#include "SimtTest.h"

#include <array>
#include <cmath>

using namespace ecf8::test;

static const char *kGlobals = "@barrier = internal addrspace(3) global i64 undef, align 8\n"
                              "@data = internal addrspace(3) global [256 x i32] undef, align 16\n";

static std::string escaped(const std::string &text) {
  std::string result;
  for (char c : text)
    result += c == '\n' ? std::string("\\0A") : c == '\t' ? std::string("\\09") : std::string(1, c);
  return result;
}

/// `call` of inline assembly: (result type, text, constraints, arguments).
static std::string assembly(const std::string &type, const std::string &text, const std::string &constraints,
                            const std::string &arguments) {
  return "call " + type + " asm sideeffect \"" + escaped(text) + "\", \"" + constraints + "\"(" + arguments + ")\n";
}

static std::vector<Cell> numbers(unsigned count) {
  std::vector<Cell> in;
  for (uint32_t i = 0; i < count; ++i)
    in.emplace_back(i * 2654435761u);
  return in;
}

OP_TEST(InlineAsm, MovesAndComparisons, {"asm:mov", "asm:setp", "asm:selp", "asm:lop3.b32", "asm:prmt.b32"}) {
  std::string text = R"({
  .reg .pred p, q;
  .reg .b32 t;
  setp.lt.s32 p, $1, $2; // signed
  setp.ge.u32 q, $1, $2;
  mov.b32 t, 0x10;
  selp.b32 $0, 1, 2, p;
  @q mov.b32 $0, t;
  @!p prmt.b32 $0, $0, $0, 0x0123;
  lop3.b32 $0, $0, $1, $2, 0x96;
})";
  Body body{
      {{"i32", "a"}, {"i32", "b"}}, {{"i32", "r"}}, "  %r = " + assembly("i32", text, "=r,r,r", "i32 %a, i32 %b")};
  std::vector<Cell> in = numbers(64), out = run(body, in);
  for (unsigned t = 0; t < 32; ++t) {
    uint32_t a = in[2 * t].u32(), b = in[2 * t + 1].u32();
    bool p = int32_t(a) < int32_t(b);
    uint32_t want = a >= b ? 16 : p ? 1 : 2;
    if (!p)
      want = __builtin_bswap32(want);
    EXPECT_EQ(out[t].u32(), want ^ a ^ b);
  }
  // All comparisons.
  for (const char *type : {"s32", "u32", "b32"})
    for (const char *comparison : {"eq", "ne", "lt", "le", "gt", "ge"}) {
      std::string compare =
          std::string("{ .reg .pred p; setp.") + comparison + "." + type + " p, $1, $2; selp.u32 $0, 1, 0, p; }";
      Body one{{{"i32", "a"}, {"i32", "b"}},
               {{"i32", "r"}},
               "  %r = " + assembly("i32", compare, "=r,r,r", "i32 %a, i32 %b")};
      in = {Cell(5u), Cell(5u), Cell(4u), Cell(5u), Cell(5u), Cell(4u), Cell(-1), Cell(1u)};
      out = run(one, in, {.threads = 4});
      for (unsigned t = 0; t < 4; ++t) {
        int64_t a = in[2 * t].u32(), b = in[2 * t + 1].u32();
        if (type[0] == 's')
          a = int32_t(a), b = int32_t(b);
        std::string c = comparison;
        bool want = c == "eq"   ? a == b
                    : c == "ne" ? a != b
                    : c == "lt" ? a < b
                    : c == "le" ? a <= b
                    : c == "gt" ? a > b
                                : a >= b;
        EXPECT_EQ(out[t].u32(), uint32_t(want)) << compare;
      }
    }
}

OP_TEST(InlineAsm, LoadsAndStores, {"asm:ld.global", "asm:st.global", "asm:ld.shared", "asm:st.shared"}) {
  std::string load =
      assembly("{ i32, i32, i32, i32 }", "ld.global.nc.L1::no_allocate.L2::128B.v4.u32 {$0, $1, $2, $3}, [$4];",
               "=r,=r,=r,=r,l", "ptr addrspace(1) %from");
  std::string code = R"(
  %from = getelementptr [16 x i8], ptr addrspace(1) %in, i32 %tid
  %v = )" + load + R"(
  %v0 = extractvalue { i32, i32, i32, i32 } %v, 0
  %v1 = extractvalue { i32, i32, i32, i32 } %v, 1
  %v2 = extractvalue { i32, i32, i32, i32 } %v, 2
  %v3 = extractvalue { i32, i32, i32, i32 } %v, 3
  %offset = mul i32 %tid, 16
  %mine = getelementptr i8, ptr addrspace(3) @data, i32 %offset
  %address = ptrtoint ptr addrspace(3) %mine to i32
  )" +
                     assembly("void", "st.shared.v2.b32 [$0], {$1, $2};\n\tst.shared.b32 [$0 + 8], $3;",
                              "r,r,r,r,~{memory}", "i32 %address, i32 %v0, i32 %v1, i32 %v2") +
                     "  %w = " + assembly("i64", "ld.shared.u64 $0, [$1];", "=l,r", "i32 %address") +
                     "  %s = " + assembly("i32", "ld.shared.s8 $0, [$1+11];", "=r,r", "i32 %address") +
                     "  %to = getelementptr [16 x i8], ptr addrspace(1) %out, i32 %tid\n  " +
                     assembly("void", "st.global.cs.b64 [$0], $1; st.global.b32 [$0+8], $2; st.global.b32 [$0+12], $3;",
                              "l,l,r,r", "ptr addrspace(1) %to, i64 %w, i32 %s, i32 %v3");
  Body body{{{"<4 x i32>", "unused"}}, {}, code, kGlobals};
  std::vector<Cell> in;
  for (uint32_t t = 0; t < 32; ++t)
    in.emplace_back(std::array<uint32_t, 4>{t, t * 3, t * 0x89000000u, ~t});
  for (bool check : {false, true}) {
    std::vector<Cell> out = run(body, in, {.check = check});
    for (unsigned t = 0; t < 32; ++t) {
      auto got = out[t].as<std::array<uint32_t, 4>>(), want = in[t].as<std::array<uint32_t, 4>>();
      want[2] = uint32_t(int32_t(want[2]) >> 24);
      EXPECT_EQ(got, want);
    }
  }
}

OP_TEST(InlineAsm, Conversions,
        {"asm:ex2.approx.ftz.f32", "asm:cvt.rn.f16x2.e4m3x2", "asm:cvt.rn.f16x2.e5m2x2",
         "asm:cvt.rn.satfinite.e4m3x2.f32", "asm:cvt.rn.satfinite.e5m2x2.f32"}) {
  std::string code;
  for (const std::string f : {"e4m3", "e5m2"})
    code += "  %" + f + " = " +
            assembly("i16", "cvt.rn.satfinite." + f + "x2.f32 $0, $1, $2;", "=h,f,f", "float %a, float %b") + "  %h" +
            f + " = " + assembly("i32", "cvt.rn.f16x2." + f + "x2 $0, $1;", "=r,h", "i16 %" + f);
  code += "  %e = " + assembly("float", "ex2.approx.ftz.f32 $0, $1;", "=f,f", "float %a");
  Body body{{{"float", "a"}, {"float", "b"}},
            {{"i16", "e4m3"}, {"i32", "he4m3"}, {"i16", "e5m2"}, {"i32", "he5m2"}, {"float", "e"}},
            code};
  std::vector<Cell> out = run(body, {Cell(1.5f), Cell(-2.0f)}, {.threads = 1});
  EXPECT_EQ(out[0].as<uint16_t>(), 0x3cc0);
  EXPECT_EQ(out[1].u32(), 0x3e00c000u);
  EXPECT_EQ(out[2].as<uint16_t>(), 0x3ec0);
  EXPECT_EQ(out[3].u32(), 0x3e00c000u);
  EXPECT_EQ(out[4].f32(), std::exp2(1.5f));
}

OP_TEST(InlineAsm, Hints,
        {"asm:prefetch", "asm:griddepcontrol", "asm:setmaxnreg", "asm:nanosleep.u32", "asm:membar", "asm:fence",
         "asm:fence.proxy.async", "asm:fence.mbarrier_init", "asm:elect.sync", "asm:bar.warp.sync"}) {
  std::string text = "griddepcontrol.wait; griddepcontrol.launch_dependents;\nprefetch.global.L2 [$1];\n"
                     "setmaxnreg.inc.sync.aligned.u32 232;\nnanosleep.u32 20;\nmembar.gl;\nfence.acq_rel.gpu;\n"
                     "fence.proxy.async.shared::cta;\nfence.mbarrier_init.release.cluster;\nbar.warp.sync 0xffffffff;\n"
                     "{ .reg .pred p; .reg .b32 lane; elect.sync lane|p, 0xffffffff; selp.b32 $0, 1, 0, p; }";
  Body body{
      {{"i32", "a"}}, {{"i32", "r"}}, "  %r = " + assembly("i32", text, "=r,l,~{memory}", "ptr addrspace(1) %in")};
  for (bool check : {false, true}) {
    std::vector<Cell> out = run(body, numbers(32), {.check = check});
    for (unsigned t = 0; t < 32; ++t)
      EXPECT_EQ(out[t].u32(), uint32_t(t == 0));
  }
}

/// Threads write, meet by `meet` and read what the next one wrote.
static void passAround(const std::string &meet, unsigned threads = 64) {
  std::string n = std::to_string(threads);
  std::string code = R"(
  %own = getelementptr i32, ptr addrspace(3) @data, i32 %tid
  store i32 %tid, ptr addrspace(3) %own
  %barrier = ptrtoint ptr addrspace(3) @barrier to i32
)" + meet + R"(
  %next0 = add i32 %tid, 33
  %next = urem i32 %next0, )" +
                     n + R"(
  %other = getelementptr i32, ptr addrspace(3) @data, i32 %next
  %r = load i32, ptr addrspace(3) %other
)";
  for (bool check : {false, true})
    for (uint64_t seed : {0, 6}) {
      std::vector<Cell> out =
          run({{}, {{"i32", "r"}}, code, kGlobals}, {}, {.threads = threads, .check = check, .seed = seed});
      for (unsigned t = 0; t < threads; ++t)
        ASSERT_EQ(out[t].u32(), (t + 33) % threads) << meet;
    }
}

OP_TEST(InlineAsm, Barriers,
        {"asm:bar.sync", "asm:bar.arrive", "asm:barrier.sync", "asm:barrier.arrive", "asm:barrier.cta.sync",
         "asm:barrier.cta.arrive"}) {
  for (const char *text : {"bar.sync 0;", "bar.sync 1, 64;", "barrier.sync 2;", "barrier.sync.aligned 2, 64;",
                           "barrier.cta.sync.aligned 3;"})
    passAround("  " + assembly("void", text, "~{memory}", ""));
  passAround("  " + assembly("void", "barrier.cta.sync $0, $1;", "r,n,~{memory}", "i32 7, i32 64"));
  // Warp 0 arrives at 1 and waits at 2, warp 1 the other way round.
  for (const std::string name : {"bar", "barrier", "barrier.cta"})
    passAround("  %low = icmp ult i32 %tid, 32\n  br i1 %low, label %a, label %b\na:\n  " +
               assembly("void", name + ".arrive 1, 64; " + name + ".sync 2, 64;", "", "") + "  br label %c\nb:\n  " +
               assembly("void", name + ".arrive 2, 64; " + name + ".sync 1, 64;", "", "") + "  br label %c\nc:\n");
}

OP_TEST(InlineAsm, MBarriers,
        {"asm:mbarrier.init", "asm:mbarrier.inval", "asm:mbarrier.arrive", "asm:mbarrier.arrive.expect_tx",
         "asm:mbarrier.expect_tx", "asm:mbarrier.complete_tx", "asm:mbarrier.try_wait", "asm:mbarrier.test_wait"}) {
  // As NVVM lowers them: predicates, and waiting in a loop of its own.
  std::string init =
      "  %isFirst = icmp eq i32 %tid, 0\n  " +
      assembly("void", "@$2 mbarrier.init.shared.b64 [$0], $1;", "r,r,b", "i32 %barrier, i32 64, i1 %isFirst") + "  " +
      assembly("void", "bar.sync 0;", "", "");
  std::string spin = "  " + assembly("void",
                                     "{\n\t.reg .pred       P1; \n\tLAB_WAIT: \n\t"
                                     "mbarrier.try_wait.parity.shared.b64 P1, [$0], $1, $2; \n\t@P1 bra.uni DONE; \n\t"
                                     "bra.uni     LAB_WAIT; \n\tDONE: \n\t}",
                                     "r,r,r", "i32 %barrier, i32 0, i32 10000000");
  std::string arrive =
      "  %state = " + assembly("i64", "mbarrier.arrive.shared::cta.b64 $0, [$1];", "=l,r", "i32 %barrier");
  passAround(init + arrive + spin);
  std::string arriveNobody = "  " + assembly("void", "mbarrier.arrive.shared.b64 _, [$0], 1;", "r", "i32 %barrier");
  std::string loop =
      "  br label %wait\nwait:\n  %p = " +
      assembly("i1", "mbarrier.test_wait.parity.shared.b64 $0, [$1], $2;", "=b,r,r", "i32 %barrier, i32 0") +
      "  br i1 %p, label %go, label %wait\ngo:\n";
  passAround(init + arriveNobody + loop);
  std::string token =
      "  br label %wait\nwait:\n  %p = " +
      assembly("i32", "{ .reg .pred p; mbarrier.try_wait.shared.b64 p, [$1], $2; selp.u32 $0, 1, 0, p; }", "=r,r,l",
               "i32 %barrier, i64 %state") +
      "  %done = trunc i32 %p to i1\n  br i1 %done, label %go, label %wait\ngo:\n";
  passAround(init + arrive + token);
  std::string expect =
      "  " + assembly("void", "mbarrier.arrive.expect_tx.shared.b64 _, [$0], $1;", "r,r", "i32 %barrier, i32 16") +
      "  " + assembly("void", "mbarrier.complete_tx.shared.b64 [$0], 12;", "r", "i32 %barrier") + "  " +
      assembly("void", "mbarrier.expect_tx.relaxed.cta.shared.b64 [$0], 8; mbarrier.complete_tx.shared.b64 [$0], 12;",
               "r", "i32 %barrier");
  passAround(init + expect + spin);
  // Of one thread, so that nobody waits on what is no barrier any more.
  run({{},
       {},
       "  %barrier = ptrtoint ptr addrspace(3) @barrier to i32\n  " +
           assembly("void", "mbarrier.init.shared.b64 [$0], 1; mbarrier.inval.shared.b64 [$0];", "r", "i32 %barrier"),
       kGlobals},
      {}, {.threads = 1});
}

OP_TEST(InlineAsm, Copies,
        {"asm:cp.async.ca.shared.global", "asm:cp.async.cg.shared.global", "asm:cp.async.ca.shared::cta.global",
         "asm:cp.async.cg.shared::cta.global", "asm:cp.async.commit_group", "asm:cp.async.wait_group",
         "asm:cp.async.wait_all", "asm:cp.async.bulk"}) {
  const std::string waits[] = {"cp.async.commit_group;\ncp.async.wait_group 0;", "cp.async.wait_all;"};
  for (const std::string &wait : waits)
    for (const std::string copy :
         {"cp.async.cg.shared.global [$0], [$1], 16;", "cp.async.ca.shared.global [$0], [$1], 16, 16;",
          "cp.async.cg.shared::cta.global.L2::128B [$0], [$1], 16;",
          "cp.async.ca.shared::cta.global [$0], [$1], 16;"}) {
      std::string code =
          "  %from = getelementptr [16 x i8], ptr addrspace(1) %in, i32 %tid\n  %offset = mul i32 %tid, 16\n"
          "  %mine = getelementptr i8, ptr addrspace(3) @data, i32 %offset\n"
          "  %address = ptrtoint ptr addrspace(3) %mine to i32\n  " +
          assembly("void", copy + "\n" + wait, "r,l,~{memory}", "i32 %address, ptr addrspace(1) %from") +
          "  %r = load <4 x i32>, ptr addrspace(3) %mine\n";
      Body body{{{"<4 x i32>", "unused"}}, {{"<4 x i32>", "r"}}, code, kGlobals};
      std::vector<Cell> in = numbers(32);
      for (bool check : {false, true}) {
        std::vector<Cell> out = run(body, in, {.check = check});
        for (unsigned t = 0; t < 32; ++t)
          EXPECT_EQ(out[t].u32(), in[t].u32());
      }
    }
  std::string code =
      R"(
  %isFirst = icmp eq i32 %tid, 0
  %barrier = ptrtoint ptr addrspace(3) @barrier to i32
  %data = ptrtoint ptr addrspace(3) @data to i32
  )" +
      assembly(
          "void",
          "@$3 mbarrier.init.shared.b64 [$0], 1;\nbar.sync 0;\n"
          "@$3 mbarrier.arrive.expect_tx.shared.b64 _, [$0], 512;\n"
          "@$3 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [$1], [$2], 512, [$0];\n"
          "{ .reg .pred p; again${:uid}: mbarrier.try_wait.parity.shared::cta.b64 p, [$0], 0; @!p bra again${:uid}; }",
          "r,r,l,b", "i32 %barrier, i32 %data, ptr addrspace(1) %in, i1 %isFirst") +
      "  %mine = getelementptr [16 x i8], ptr addrspace(3) @data, i32 %tid\n"
      "  %r = load <4 x i32>, ptr addrspace(3) %mine\n";
  Body body{{{"<4 x i32>", "unused"}}, {{"<4 x i32>", "r"}}, code, kGlobals};
  std::vector<Cell> in = numbers(32);
  for (bool check : {false, true}) {
    std::vector<Cell> out = run(body, in, {.check = check});
    for (unsigned t = 0; t < 32; ++t)
      EXPECT_EQ(out[t].u32(), in[t].u32());
  }
}

TEST(InlineAsm, Unknown) {
  auto error = [](const std::string &text, const std::string &constraints, const std::string &arguments) {
    return loadError("define ptx_kernel void @k(i32 %a) {\n  " + assembly("void", text, constraints, arguments) +
                     "  ret void\n}\n");
  };
  std::string begin = "test: not known to the simulator:\n  inline assembly: ";
  EXPECT_EQ(error("frobnicate.b32 $0;", "r", "i32 %a"),
            begin + "instruction 'frobnicate.b32' in 'frobnicate.b32 $0;' (in k)");
  EXPECT_EQ(error("mov.b32 x, $0;", "r", "i32 %a"), begin + "operand 'x' that is not known in 'mov.b32 x, $0;' (in k)");
  EXPECT_EQ(error("bra nowhere;", "r", "i32 %a"), begin + "no label 'nowhere' in 'bra nowhere;' (in k)");
  EXPECT_EQ(
      error("ld.global.sparkling.u32 _, [$0];", "r", "i32 %a"),
      begin +
          "'ld.global.sparkling.u32': modifier '.sparkling' that is not known in 'ld.global.sparkling.u32 _, [$0];' "
          "(in k)");
  EXPECT_EQ(error("cp.async.cg.shared.global [$0], [$0], 8;", "r", "i32 %a"),
            begin + "'cp.async.cg.shared.global': expected 4, 8 or 16 bytes, and 16 for .cg, got 8 in "
                    "'cp.async.cg.shared.global [$0], [$0], 8;' (in k)");
  EXPECT_EQ(
      error("setp.lt.f32 _, $0, $0;", "r", "i32 %a"),
      begin + "'setp.lt.f32': expected setp.{eq,ne,lt,le,gt,ge} of an integer type in 'setp.lt.f32 _, $0, $0;' (in k)");
  EXPECT_EQ(error("cp.async.bulk.global.shared::cta.bulk_group [$0], [$0], 16;", "r", "i32 %a"),
            begin +
                "'cp.async.bulk.global.shared::cta.bulk_group': expected a copy from global to shared memory with an "
                "mbarrier in 'cp.async.bulk.global.shared::cta.bulk_group [$0], [$0], 16;' (in k)");
  EXPECT_NE(error("mov.b32 _, $0;", "*m", "ptr elementtype(i32) null"), "");
  EXPECT_NE(error("mov.b32 _, ${0", "r", "i32 %a"), "");
  EXPECT_NE(error("mov.b32 _, {$0", "r", "i32 %a"), "");
  EXPECT_NE(error("mov.b32 _, [$0", "r", "i32 %a"), "");
  EXPECT_NE(error("@", "r", "i32 %a"), "");
  EXPECT_NE(error("/* no end", "r", "i32 %a"), "crash");
}
