// Options, shapes and slices of the codec, drawn from an input.
#ifndef ECF8_TEST_FUZZ_CODECINPUT_H
#define ECF8_TEST_FUZZ_CODECINPUT_H

#include "FuzzInput.h"

#include "ecf8/Codec/ByteStream.h"
#include "ecf8/Codec/Convert.h"
#include "ecf8/Codec/InstructionSet.h"

#include <mutex>
#include <vector>

namespace ecf8::fuzz {

/// Mostly options that the encoder takes; some that it must refuse. Draws 5 bytes at most.
EncodeOptions drawOptions(FuzzInput &input);

/// A shape of at most `maxElements` elements, with dimensions of 0 and 1 among them; its rank may be 9, which is
/// refused.
std::vector<uint64_t> drawShape(FuzzInput &input, uint64_t maxElements);

/// A rectangle inside the matrix.
Slice drawSlice(FuzzInput &input, const MatrixShape &shape);

/// The same with borders on tiles, for a payload in order rows32.
Slice drawTileSlice(FuzzInput &input, const Header &header);

/// The elements of `slice` out of those of the whole matrix.
std::vector<uint8_t> sliceOf(const std::vector<uint8_t> &matrix, const MatrixShape &shape, const Slice &slice);

/// Calls `body` with each instruction set of this processor in use; afterwards the most capable one is.
template <typename Body> void forEachInstructionSet(const Body &body) {
  for (InstructionSet set : availableInstructionSets()) {
    FUZZ_CHECK(useInstructionSet(set));
    body();
  }
}

/// Checks that `bytes` are a payload of exactly these elements, for each decoder.
void checkDecodesTo(std::span<const uint8_t> bytes, const std::vector<uint8_t> &elements);

/// Where streamed payloads go.
class MemorySink : public ByteSink {
public:
  Status write(uint64_t offsetBytes, std::span<const uint8_t> part) override;
  Status read(uint64_t offsetBytes, std::span<uint8_t> out) const override;
  std::vector<uint8_t> bytes;

private:
  std::mutex mutex;
};

} // namespace ecf8::fuzz

#endif // ECF8_TEST_FUZZ_CODECINPUT_H
