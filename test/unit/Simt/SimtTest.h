// Kernels for tests, written as the body of a function in LLVM IR.
#ifndef ECF8_TEST_UNIT_SIMT_SIMTTEST_H
#define ECF8_TEST_UNIT_SIMT_SIMTTEST_H

#include "ecf8/Simt/Simt.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace ecf8::test {

/// 16 bytes that hold one value of any type.
struct alignas(16) Cell {
  unsigned char bytes[16] = {};
  Cell() = default;
  template <typename T> Cell(T value) { std::memcpy(bytes, &value, sizeof value); }
  template <typename T> T as() const {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  uint32_t u32() const { return as<uint32_t>(); }
  float f32() const { return as<float>(); }
};

/// A value by its type and name in the body: {"i32", "a"} is %a.
struct Value {
  std::string type, name;
};

/// Which cells a kernel reads and writes, and what it does in between. Intrinsics are declared from their calls.
struct Body {
  std::vector<Value> inputs, outputs;
  std::string code;
  std::string globals = {}; ///< shared variables and functions
};

struct Shape {
  uint32_t threads = 32, blocks = 1, dynamicSharedBytes = 0;
  bool check = false;
  uint64_t seed = 0;
  unsigned workers = 1;
  uint64_t livelockRounds = 2000;
};

/// `code` with a declaration of each intrinsic that it calls.
std::string withDeclarations(const std::string &code);

/// Loads a module; the test fails where that does.
simt::Module load(const std::string &text, bool check = false);

/// A module with the kernel `k(in, out)`: each thread of the grid has its own cells.
std::string kernelText(const Body &body);

/// Runs kernelText(body): `in` holds the inputs of each thread one after another, the result its outputs. The test
/// fails where the launch does.
std::vector<Cell> run(const Body &body, const std::vector<Cell> &in, const Shape &shape = {});

/// The message of the failing launch of a kernel without parameters, `define ptx_kernel void @k()`; empty if it
/// succeeds.
std::string launchError(const std::string &text, const Shape &shape = {});
/// Runs with checks a kernel whose body is `code`.
std::string checkError(const std::string &globals, const std::string &code, Shape shape = {});

/// The message of a module that does not load.
std::string loadError(const std::string &text);

/// Ops of the modules that ran in the current test.
std::vector<std::string> &executedOps();
bool registerOpTest(std::vector<std::string> ops);
const std::vector<std::string> &testedOps();
void expectExecuted(const std::vector<std::string> &ops);

/// Small integers and what else makes a float interesting, different in each call.
float integer(unsigned seed, unsigned range = 8);

} // namespace ecf8::test

/// A test of entries of the op table: it fails if it does not run them, and OpTable.EachEntryHasATest if an entry has
/// none.
#define OP_TEST(suite, name, ...)                                                                                      \
  static void suite##name##Body();                                                                                     \
  static const std::vector<std::string> suite##name##Ops = __VA_ARGS__;                                                \
  [[maybe_unused]] static const bool suite##name##Registered = ecf8::test::registerOpTest(suite##name##Ops);           \
  TEST(suite, name) {                                                                                                  \
    ecf8::test::executedOps().clear();                                                                                 \
    suite##name##Body();                                                                                               \
    ecf8::test::expectExecuted(suite##name##Ops);                                                                      \
  }                                                                                                                    \
  static void suite##name##Body()

#endif // ECF8_TEST_UNIT_SIMT_SIMTTEST_H
