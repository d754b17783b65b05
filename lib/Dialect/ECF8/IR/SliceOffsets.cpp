// Offsets of slices of compressed values.
#include "SliceOffsets.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::ecf8;

//===----------------------------------------------------------------------===//
// Syntax
//===----------------------------------------------------------------------===//

ParseResult mlir::ecf8::parseSliceOffsets(OpAsmParser &parser, SmallVectorImpl<OpAsmParser::UnresolvedOperand> &offsets,
                                          DenseI64ArrayAttr &staticOffsets) {
  SmallVector<int64_t> numbers;
  auto parseOffset = [&]() -> ParseResult {
    OpAsmParser::UnresolvedOperand offset;
    OptionalParseResult operand = parser.parseOptionalOperand(offset);
    if (operand.has_value()) {
      offsets.push_back(offset);
      numbers.push_back(ShapedType::kDynamic);
      return *operand;
    }
    return parser.parseInteger(numbers.emplace_back());
  };
  if (succeeded(parser.parseOptionalLSquare())) {
    if (succeeded(parser.parseOptionalRSquare()))
      return parser.emitError(parser.getCurrentLocation(), "expected one offset at least between '[' and ']'");
    if (parser.parseCommaSeparatedList(parseOffset) || parser.parseRSquare())
      return failure();
  }
  staticOffsets = parser.getBuilder().getDenseI64ArrayAttr(numbers);
  return success();
}

void mlir::ecf8::printSliceOffsets(OpAsmPrinter &printer, Operation *, ValueRange offsets,
                                   DenseI64ArrayAttr staticOffsets) {
  if (!staticOffsets || staticOffsets.empty())
    return;
  printer << '[';
  unsigned dynamicIndex = 0;
  llvm::interleaveComma(staticOffsets.asArrayRef(), printer, [&](int64_t offset) {
    if (ShapedType::isDynamic(offset))
      printer << offsets[dynamicIndex++];
    else
      printer << offset;
  });
  printer << ']';
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

/// decode_c6, and the part of decode_c5 that concerns rows. Dimensions but the last; `offsets` may hold kDynamic.
static std::string findBrokenRowRule(CompressedType source, ArrayRef<int64_t> whole, ArrayRef<int64_t> offsets,
                                     ArrayRef<int64_t> sizes) {
  // The dimension that is cut: the first whose size in the slice is not 1.
  size_t cut = 0;
  while (cut < sizes.size() && sizes[cut] == 1)
    ++cut;
  for (size_t dim = cut + 1; dim < sizes.size(); ++dim)
    if (sizes[dim] != whole[dim]) // decode_c6
      return llvm::formatv("expected a slice that is a block of rows, got size {0} of {1} in dimension {2} behind "
                           "dimension {3} of size {4}",
                           sizes[dim], whole[dim], dim, cut, sizes[cut]);
  if (llvm::is_contained(offsets, ShapedType::kDynamic))
    return "";
  int64_t row = 0;
  for (auto [size, offset] : llvm::zip(whole, offsets))
    row = row * size + offset;
  int64_t tileRows = source.getEncoding().getTileRowCount();
  if (row % tileRows != 0) // decode_c5
    return llvm::formatv("expected the first row to be a multiple of {0}, got {1}", tileRows, row);
  return "";
}

std::string mlir::ecf8::findBrokenSliceRule(CompressedType source, ArrayRef<int64_t> offsets, size_t dynamicCount,
                                            ArrayRef<int64_t> sizes) {
  size_t expected = llvm::count(offsets, ShapedType::kDynamic);
  if (expected != dynamicCount) // decode_c3
    return llvm::formatv("expected {0} dynamic offsets by 'static_offsets', got {1}", expected, dynamicCount);
  if (offsets.empty())
    return "";
  if (static_cast<int64_t>(offsets.size()) != source.getRank()) // decode_c3
    return llvm::formatv("expected {0} offsets, got {1}", source.getRank(), offsets.size());
  for (auto [dim, offset] : llvm::enumerate(offsets)) {
    int64_t size = sizes[dim], whole = source.getShape()[dim];
    int64_t begin = ShapedType::isDynamic(offset) ? 0 : offset;
    if (begin < 0 || size > whole || begin > whole - size) // decode_c4
      return llvm::formatv("expected a slice inside of dimension {0} of size {1}, got offset {2} and size {3}", dim,
                           whole, begin, size);
  }
  int64_t tileColumns = std::max<int64_t>(1, source.getEncoding().getTileColumnCount());
  if (!ShapedType::isDynamic(offsets.back()) && offsets.back() % tileColumns != 0) // decode_c5
    return llvm::formatv("expected the first column to be a multiple of {0}, got {1}", tileColumns, offsets.back());
  return findBrokenRowRule(source, source.getShape().drop_back(), offsets.drop_back(), sizes.drop_back());
}
