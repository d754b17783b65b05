// Tests of checks: each check has a program with the bug that it must find, and a twin without it that must pass.
#ifndef ECF8_TEST_UNIT_SIMT_CHECKERTEST_H
#define ECF8_TEST_UNIT_SIMT_CHECKERTEST_H

#include "SimtTest.h"

namespace ecf8::test {

inline constexpr const char *kBarrier = "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n";

/// As checkError; the message contains `message`.
inline void expectBug(const std::string &globals, const std::string &code, const std::string &message,
                      Shape shape = {}) {
  std::string got = checkError(globals, code, shape);
  EXPECT_NE(got.find(message), std::string::npos) << "expected '" << message << "' in '" << got << "'";
}

/// In several orders of the threads.
inline void expectFine(const std::string &globals, const std::string &code, Shape shape = {}) {
  for (uint64_t seed : {0, 1, 2, 3}) {
    shape.seed = seed;
    EXPECT_EQ(checkError(globals, code, shape), "");
  }
}

} // namespace ecf8::test

#endif // ECF8_TEST_UNIT_SIMT_CHECKERTEST_H
