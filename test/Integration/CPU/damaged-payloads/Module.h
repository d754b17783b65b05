// The code of one instruction set, called without the runtime: memory and payloads lie between inaccessible pages.
#ifndef ECF8_TEST_INTEGRATION_CPU_MODULE_H
#define ECF8_TEST_INTEGRATION_CPU_MODULE_H

#include "GuardedMemory.h"

#include "ecf8/Codec/Format.h"

#include <map>
#include <string>

namespace ecf8::test {

/// What a call gave.
struct Outcome {
  int32_t code = 0;    ///< of `fail`; 0: the function returned
  std::string message; ///< of `fail`
  std::vector<uint8_t> output;
  std::string wrong; ///< what no call may do, and this one did: "wrote in front of its output"
};

/// A matrix that a function reads, its rows one behind the other.
struct MatrixInput {
  MatrixShape shape;
  unsigned elementBytes;
  std::vector<uint8_t> bytes;
};

struct Call {
  std::string function;
  std::span<const uint8_t> payload; ///< of all weights
  MatrixShape outputShape;          ///< of the one matrix that the function returns
  std::span<const int64_t> integers = {};
  std::span<const MatrixInput> matrices = {}; ///< behind the integers
  unsigned outputElementBytes = 1;
  bool isRepeatable = true; ///< whether the elements of a damaged payload are always the same
};

class Module {
public:
  enum class Found { Yes, Unsupported, No };

  /// Opens the code for `level` in the bundle at `path`. Unsupported: this machine lacks an instruction. No: the reason
  /// is on stderr.
  Found open(const std::string &path, const std::string &level);

  /// Payload, inputs and all that the function allocates lie as `placement` says.
  Outcome call(const Call &call, Placement placement) const;

private:
  std::map<std::string, void (*)(void **)> functions;
};

/// Where a crash happened, for its message: the payload of the running call.
std::string describeAddress(const void *address);

} // namespace ecf8::test

#endif // ECF8_TEST_INTEGRATION_CPU_MODULE_H
