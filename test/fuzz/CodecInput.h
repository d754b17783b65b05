// Options, shapes and slices of the codec, drawn from an input.
#ifndef ECF8_TEST_FUZZ_CODECINPUT_H
#define ECF8_TEST_FUZZ_CODECINPUT_H

#include "FuzzInput.h"

#include "ecf8/Codec/Convert.h"

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

/// Checks that `bytes` are a payload of exactly these elements, for each decoder.
void checkDecodesTo(std::span<const uint8_t> bytes, const std::vector<uint8_t> &elements);

} // namespace ecf8::fuzz

#endif // ECF8_TEST_FUZZ_CODECINPUT_H
