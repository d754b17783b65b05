// Small safetensors files for tests, written by hand.
#ifndef ECF8_TEST_UNIT_CHECKPOINT_TESTFILES_H
#define ECF8_TEST_UNIT_CHECKPOINT_TESTFILES_H

#include "../Codec/TestData.h"
#include "../TemporaryFolder.h"

#include <string>
#include <vector>

namespace ecf8::test {

struct TestTensor {
  std::string name, dtype;
  std::vector<uint64_t> shape;
  std::string bytes;
};

/// A tensor of FP8 weights as they are in models.
inline TestTensor weight(const std::string &name, std::vector<uint64_t> shape, const std::string &dtype = "F8_E4M3",
                         Distribution distribution = Distribution::Gaussian) {
  uint64_t count = 1;
  for (uint64_t dim : shape)
    count *= dim;
  ElementType type = dtype == "F8_E5M2" ? ElementType::F8E5M2 : ElementType::F8E4M3FN;
  std::vector<uint8_t> elements = makeElements(distribution, type, count, /*seed=*/name.size() + count);
  return {name, dtype, std::move(shape), {elements.begin(), elements.end()}};
}

/// The file of `tensors`, their data in this order, their entries in the reverse order. `metadata` is JSON or empty.
inline std::string makeSafetensors(const std::vector<TestTensor> &tensors, const std::string &metadata = "",
                                   const std::string &padding = "") {
  std::string entries, data;
  for (const TestTensor &tensor : tensors) {
    std::string shape;
    for (uint64_t dim : tensor.shape)
      shape += (shape.empty() ? "" : ", ") + std::to_string(dim);
    std::string entry = "\"" + tensor.name + "\": {\"shape\":[" + shape + "], \"dtype\" :\"" + tensor.dtype +
                        "\", \"data_offsets\":[" + std::to_string(data.size()) + "," +
                        std::to_string(data.size() + tensor.bytes.size()) + "]}";
    entries = entry + (entries.empty() ? "" : ",\n ") + entries;
    data += tensor.bytes;
  }
  std::string header = "{" + entries;
  if (!metadata.empty())
    header += std::string(entries.empty() ? "" : ", ") + "\"__metadata__\" : " + metadata;
  header += "}" + padding;
  uint64_t size = header.size();
  return std::string(reinterpret_cast<const char *>(&size), 8) + header + data;
}

} // namespace ecf8::test

#endif // ECF8_TEST_UNIT_CHECKPOINT_TESTFILES_H
