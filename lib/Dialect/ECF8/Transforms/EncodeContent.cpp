// Encodes attributes through the codec.
#include "EncodeContent.h"

#include "ecf8/Codec/Encoder.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace mlir::ecf8;

/// The elements of `content`, one byte each, in row-major order.
static FailureOr<SmallVector<uint8_t>> getElementBytes(ElementsAttr content,
                                                       function_ref<InFlightDiagnostic()> emitError) {
  size_t count = content.getNumElements();
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(content)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || blob->getData().size() != count)
      return emitError() << "expected the resource '" << resource.getRawHandle().getKey() << "' to hold " << count
                         << " bytes, got " << (blob ? std::to_string(blob->getData().size()) : "none");
    return SmallVector<uint8_t>(blob->getData().begin(), blob->getData().end());
  }
  auto values = content.tryGetValues<APFloat>();
  if (!values)
    return emitError() << "expected an attribute whose elements can be read, got " << content;
  SmallVector<uint8_t> bytes;
  bytes.reserve(count);
  for (const APFloat &value : *values)
    bytes.push_back(value.bitcastToAPInt().getZExtValue());
  return bytes;
}

FailureOr<ElementsAttr> mlir::ecf8::encodeContent(ElementsAttr content, CompressedType type, StringRef name,
                                                  function_ref<InFlightDiagnostic()> emitError) {
  FailureOr<SmallVector<uint8_t>> bytes = getElementBytes(content, emitError);
  if (failed(bytes))
    return failure();
  auto huffman = dyn_cast<HuffmanAttr>(type.getEncoding());
  ::ecf8::EncodeOptions options;
  options.encoding = static_cast<::ecf8::Encoding>(type.getEncoding().getEncodingNumber());
  options.order = static_cast<::ecf8::Order>(type.getEncoding().getElementOrder());
  options.tileColumns = type.getEncoding().getTileColumnCount();
  options.maxCodeLength = huffman ? huffman.getMaxCodeLength() : 0;
  options.group = huffman ? huffman.getGroup() : 1;
  auto elementType =
      isa<Float8E5M2Type>(type.getElementType()) ? ::ecf8::ElementType::F8E5M2 : ::ecf8::ElementType::F8E4M3FN;
  SmallVector<uint64_t> dims(type.getShape().begin(), type.getShape().end());
  auto payload = ::ecf8::encode(options, elementType, {dims.data(), dims.size()}, {bytes->data(), bytes->size()});
  if (!payload)
    return emitError() << payload.status().message();

  // Not the payload's own 64: bytecode readers refuse resources that are aligned more than the file's buffer.
  constexpr size_t alignment = 16;
  ArrayRef<char> stored(reinterpret_cast<const char *>(payload->data()), payload->size());
  auto payloadType =
      RankedTensorType::get({static_cast<int64_t>(payload->size())}, IntegerType::get(type.getContext(), 8));
  return cast<ElementsAttr>(DenseResourceElementsAttr::get(
      payloadType, name, HeapAsmResourceBlob::allocateAndCopyWithAlign(stored, alignment, /*dataIsMutable=*/false)));
}

int64_t mlir::ecf8::getPayloadSizeBytes(ElementsAttr payload) { return payload.getNumElements(); }
