// The weights of the test's program, and the program.
#ifndef ECF8_TEST_INTEGRATION_CPU_WEIGHTS_H
#define ECF8_TEST_INTEGRATION_CPU_WEIGHTS_H

#include "TestData.h"

#include <string>

namespace ecf8::test {

struct Weight {
  std::string name;     ///< also of the function that decodes it; NAME_slice decodes a slice, NAME_tiles to tile order
  std::string encoding; ///< as in a type: "#ecf8.huffman<...>"
  EncodeOptions options;
  ElementType elementType;
  MatrixShape shape;
  MatrixShape slice; ///< what NAME_slice decodes, from the row and the column that it is given
  bool hasTileOrder; ///< whether there is NAME_tiles
  std::vector<uint8_t> payload;

  bool isRows32() const { return options.order == Order::Rows32; }
  uint64_t tileTableBytes() const;
  /// Of the rest, or of the elements for raw.
  uint64_t planeBytes() const;
  /// What NAME_tiles writes.
  uint64_t tileOrderBytes() const;
};

/// Both element types, all encodings, ragged shapes; always the same.
std::vector<Weight> makeWeights();

/// Writes `program` and the payloads of `weights` into `folder`, as program.mlir and weights.safetensors.
Status writeFiles(const std::string &folder, const std::string &program, const std::vector<Weight> &weights);

/// Writes program.mlir and weights.safetensors into `folder`.
Status writeProgram(const std::string &folder, const std::vector<Weight> &weights);

} // namespace ecf8::test

#endif // ECF8_TEST_INTEGRATION_CPU_WEIGHTS_H
