// Generated GPU kernels on the CPU: a weight, encoded, and what the kernels for it make of it under the checks of Simt.
#ifndef ECF8_TEST_UNIT_GPU_KERNELS_H
#define ECF8_TEST_UNIT_GPU_KERNELS_H

#include "ecf8/Codec/Encoder.h"
#include "ecf8/Simt/Simt.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ecf8::test {

/// Memory that kernels may access.
class DeviceMemory {
public:
  explicit DeviceMemory(size_t bytes);
  DeviceMemory(const void *data, size_t bytes);
  DeviceMemory(const DeviceMemory &) = delete;
  ~DeviceMemory();
  uint8_t *data() { return static_cast<uint8_t *>(pointer); }
  void *pointer = nullptr;
};

/// One of the encodings in order mma: raw, quads, pairs or classic, with codes of up to `maxCodeLength` bits.
struct Layout {
  std::string codec;
  ElementType type = ElementType::F8E4M3FN;
  uint32_t tileColumns = 1024;
  unsigned maxCodeLength = 0; ///< 0: the default

  EncodeOptions options() const;
  std::string attribute() const; ///< in MLIR
  std::string elementName() const { return type == ElementType::F8E4M3FN ? "f8E4M3FN" : "f8E5M2"; }
};

/// How the weights of a contraction are scaled.
struct Scaling {
  std::string kind; ///< "", "rows" or "blocks"
  bool ofSums = false;
  uint32_t blockRows = 1, blockColumns = 1;
};

struct Matrix {
  uint64_t rows = 0, columns = 0;
};

/// The kernels for one layout, one type of activations (f16, bf16, f8E4M3FN or f8E5M2) and one kind of scale, compiled
/// for `architecture`. `epilogue` is empty, or a function @epilogue of a sum and elements of `Extras` (in that order).
class Kernels {
public:
  Kernels(const Layout &layout, const std::string &activations, const Scaling &scaling, const std::string &architecture,
          const std::string &epilogue = "");

  /// The whole of a weight, decoded to rows of `stride` bytes; bytes between rows are 0xA5.
  std::vector<uint8_t> decode(Matrix shape, const std::vector<uint8_t> &elements, uint64_t stride, unsigned blocks);
  /// The rows and columns from `row` and `column` on.
  std::vector<uint8_t> decodePart(Matrix whole, const std::vector<uint8_t> &elements, Matrix part, uint32_t row,
                                  uint32_t column, unsigned blocks);

  /// What an epilogue reads: f32 for each row of activations, for each row of the weight, for both, and one.
  struct Extras {
    std::vector<float> ofActivations, ofWeights, ofBoth, ofAll;
  };
  /// activations [count, columns] (their bytes) times the transposed weight, added to ones or made a result by the
  /// epilogue: [count, rows].
  std::vector<float> contract(Matrix shape, const std::vector<uint8_t> &elements,
                              const std::vector<uint8_t> &activations, uint32_t count, const std::vector<float> &scales,
                              unsigned columnBlocks, unsigned blocks, const Extras &extras = {});

private:
  struct Weight;
  std::vector<uint8_t> decodeWeight(Weight &weight, uint64_t stride, unsigned blocks);
  void launch(const std::string &kernel, const Weight &weight, std::vector<void *> arguments, uint32_t fixedBytes,
              uint32_t warpBytes, unsigned blocks, unsigned blockRows, unsigned warps = 4);

  Layout layout;
  Scaling scaling;
  bool isByte, hasEpilogue; ///< activations of FP8
  std::unique_ptr<simt::Module> module;
};

} // namespace ecf8::test

#endif // ECF8_TEST_UNIT_GPU_KERNELS_H
