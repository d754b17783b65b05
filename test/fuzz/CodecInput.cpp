// Options, shapes and slices of the codec, drawn from an input.
#include "CodecInput.h"

#include "ecf8/Codec/Decoder.h"

#include <algorithm>

namespace ecf8::fuzz {

EncodeOptions drawOptions(FuzzInput &input) {
  EncodeOptions options;
  options.encoding = input.oneOf({Encoding::Huffman, Encoding::Planes, Encoding::Raw});
  options.order = options.encoding == Encoding::Raw ? input.oneOf({Order::RowMajor, Order::Rows32}) : Order::Rows32;
  options.maxCodeLength = unsigned(7 + input.below(2));
  options.tileColumns = uint32_t(16 * (1 + input.below(8)));
  switch (input.below(32)) {
  case 0: // larger than any matrix here
    options.tileColumns = input.oneOf<uint32_t>({1024, 1040, 0xFFFFFFF0});
    break;
  case 1:
    options.tileColumns = uint32_t(input.below(40));
    break;
  case 2:
    options.maxCodeLength = unsigned(input.below(17));
    break;
  case 3:
    options.order = Order(input.below(4));
    break;
  case 4:
    options.encoding = Encoding(input.below(5));
    break;
  case 5:
    options.group = unsigned(input.below(6));
    break;
  case 6:
  case 7:
  case 8:
    options = EncodeOptions::huffmanPairs(options.tileColumns);
    break;
  case 9:
  case 10: // of several cache lines
    options.tileColumns = uint32_t(64 * (1 + input.below(6)));
    break;
  case 11:
  case 12:
    options = EncodeOptions::quads(unsigned(9 + input.below(4)), uint32_t(128 * (1 + input.below(8))));
    break;
  case 13:
  case 14:
    options = EncodeOptions::pairs(unsigned(8 + input.below(5)), uint32_t(128 * (1 + input.below(8))));
    break;
  case 15:
    options = EncodeOptions::classic(unsigned(7 + input.below(2)), uint32_t(128 * (1 + input.below(8))));
    break;
  case 16:
    options = EncodeOptions::rawMma(uint32_t(128 * (1 + input.below(8))));
    break;
  default:
    break;
  }
  return options;
}

std::vector<uint64_t> drawShape(FuzzInput &input, uint64_t maxElements) {
  std::vector<uint64_t> dims;
  uint64_t left = maxElements;
  for (uint64_t rank = input.below(maxRank + 2); dims.size() < rank;) {
    uint64_t dim = input.number(1);
    if (dims.size() + 2 >= rank) // the last two are what a matrix is made of
      dim |= input.number(1) << 8;
    dim %= left + 1;
    dims.push_back(dim);
    left /= std::max<uint64_t>(dim, 1);
  }
  return dims;
}

Slice drawSlice(FuzzInput &input, const MatrixShape &shape) {
  Slice slice;
  slice.row = input.number(4) % (shape.rows + 1);
  slice.column = input.number(4) % (shape.columns + 1);
  slice.rows = input.number(4) % (shape.rows - slice.row + 1);
  slice.columns = input.number(4) % (shape.columns - slice.column + 1);
  return slice;
}

Slice drawTileSlice(FuzzInput &input, const Header &header) {
  MatrixShape tiles = {header.grid().strips(), header.grid().tilesPerStrip()};
  Slice slice = drawSlice(input, tiles), result;
  auto border = [](uint64_t tile, uint64_t step, uint64_t size) { return std::min(tile * step, size); };
  unsigned stripRows = header.grid().paddedRows();
  result.row = border(slice.row, stripRows, header.shape.rows);
  result.rows = border(slice.row + slice.rows, stripRows, header.shape.rows) - result.row;
  result.column = border(slice.column, header.tileColumns, header.shape.columns);
  result.columns = border(slice.column + slice.columns, header.tileColumns, header.shape.columns) - result.column;
  return result;
}

std::vector<uint8_t> sliceOf(const std::vector<uint8_t> &matrix, const MatrixShape &shape, const Slice &slice) {
  std::vector<uint8_t> part;
  for (uint64_t row = 0; slice.columns != 0 && row < slice.rows; ++row) {
    auto begin = matrix.begin() + ptrdiff_t((slice.row + row) * shape.columns + slice.column);
    part.insert(part.end(), begin, begin + ptrdiff_t(slice.columns));
  }
  return part;
}

void checkDecodesTo(std::span<const uint8_t> bytes, const std::vector<uint8_t> &elements) {
  Result<Payload> payload = readPayload(bytes);
  FUZZ_CHECK(payload.isOk());
  Result<std::vector<uint8_t>> decoded = decode(*payload);
  FUZZ_CHECK(decoded.isOk());
  FUZZ_CHECK(*decoded == elements);
  forEachInstructionSet([&] { FUZZ_CHECK(decodeUnchecked(*payload) == elements); });
}

Status MemorySink::write(uint64_t offsetBytes, std::span<const uint8_t> part) {
  std::lock_guard lock(mutex);
  bytes.resize(std::max<size_t>(bytes.size(), offsetBytes + part.size()), 0xA5); // what is not written shows
  std::ranges::copy(part, bytes.begin() + ptrdiff_t(offsetBytes));
  return Status::ok();
}

Status MemorySink::read(uint64_t offsetBytes, std::span<uint8_t> out) const {
  return MemorySource(bytes).read(offsetBytes, out);
}

} // namespace ecf8::fuzz
