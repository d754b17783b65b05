// Bytecode of the dialect's attributes and types. The numbers below are part of the stored format: never reuse one.
#include "ECF8BytecodeInterface.h"

#include "ecf8/Dialect/ECF8/IR/ECF8Dialect.h"
#include "ecf8/Dialect/ECF8/IR/ECF8Types.h"
#include "mlir/Bytecode/BytecodeImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::ecf8;

namespace {

enum AttrCode : uint64_t { kRaw = 0, kHuffman = 1, kPlanes = 2 };
enum TypeCode : uint64_t { kCompressed = 0 };

/// The version that is written. A reader takes every version up to its own.
constexpr uint64_t kVersion = 1;

struct ECF8Version : public DialectVersion {
  explicit ECF8Version(uint64_t number) : number(number) {}
  uint64_t number;
};

struct ECF8BytecodeInterface : public BytecodeDialectInterface {
  explicit ECF8BytecodeInterface(Dialect *dialect) : BytecodeDialectInterface(dialect) {}

  void writeVersion(DialectBytecodeWriter &writer) const final { writer.writeVarInt(kVersion); }

  std::unique_ptr<DialectVersion> readVersion(DialectBytecodeReader &reader) const final {
    uint64_t number = 0;
    if (failed(reader.readVarInt(number)))
      return nullptr;
    if (number > kVersion) {
      reader.emitError() << "expected bytecode of the ecf8 dialect in version " << kVersion << " or older, got version "
                         << number;
      return nullptr;
    }
    return std::make_unique<ECF8Version>(number);
  }

  LogicalResult writeAttribute(Attribute attribute, DialectBytecodeWriter &writer) const final {
    return TypeSwitch<Attribute, LogicalResult>(attribute)
        .Case([&](RawAttr raw) {
          writer.writeVarInt(kRaw);
          writer.writeVarInt(static_cast<uint64_t>(raw.getOrder()));
          writer.writeVarInt(raw.getTileColumns());
          return success();
        })
        .Case([&](HuffmanAttr huffman) {
          writer.writeVarInt(kHuffman);
          writer.writeVarInt(huffman.getGroup());
          writer.writeVarInt(huffman.getRawExponentBits());
          writer.writeVarInt(huffman.getMaxCodeLength());
          writer.writeVarInt(static_cast<uint64_t>(huffman.getStream()));
          writer.writeVarInt(static_cast<uint64_t>(huffman.getOrder()));
          writer.writeVarInt(huffman.getTileColumns());
          return success();
        })
        .Case([&](PlanesAttr planes) {
          writer.writeVarInt(kPlanes);
          writer.writeVarInt(planes.getTileColumns());
          return success();
        })
        .Default([](Attribute) { return failure(); });
  }

  Attribute readAttribute(DialectBytecodeReader &reader) const final {
    auto emitError = [&] { return reader.emitError(); };
    uint64_t code;
    if (failed(reader.readVarInt(code)))
      return {};
    int64_t group, rawBits, length, tileColumns;
    Order order;
    Stream stream;
    switch (code) {
    case kRaw:
      if (failed(readOrder(reader, order)) || failed(readInt(reader, tileColumns)))
        return {};
      return RawAttr::getChecked(emitError, getContext(), order, tileColumns);
    case kHuffman:
      if (failed(readInt(reader, group)) || failed(readInt(reader, rawBits)) || failed(readInt(reader, length)) ||
          failed(readStream(reader, stream)) || failed(readOrder(reader, order)) ||
          failed(readInt(reader, tileColumns)))
        return {};
      return HuffmanAttr::getChecked(emitError, getContext(), group, rawBits, length, stream, order, tileColumns);
    case kPlanes:
      if (failed(readInt(reader, tileColumns)))
        return {};
      return PlanesAttr::getChecked(emitError, getContext(), tileColumns);
    default:
      reader.emitError() << "expected an attribute code of the ecf8 dialect, got " << code;
      return {};
    }
  }

  LogicalResult writeType(Type type, DialectBytecodeWriter &writer) const final {
    auto compressed = dyn_cast<CompressedType>(type);
    if (!compressed)
      return failure();
    writer.writeVarInt(kCompressed);
    writer.writeSignedVarInts(compressed.getShape());
    writer.writeType(compressed.getElementType());
    writer.writeAttribute(compressed.getEncoding());
    return success();
  }

  Type readType(DialectBytecodeReader &reader) const final {
    uint64_t code;
    if (failed(reader.readVarInt(code)))
      return {};
    if (code != kCompressed) {
      reader.emitError() << "expected a type code of the ecf8 dialect, got " << code;
      return {};
    }
    SmallVector<int64_t> shape;
    Type elementType;
    EncodingAttrInterface encoding;
    if (failed(reader.readSignedVarInts(shape)) || failed(reader.readType(elementType)) ||
        failed(reader.readAttribute(encoding)))
      return {};
    auto emitError = [&] { return reader.emitError(); };
    return CompressedType::getChecked(emitError, getContext(), ArrayRef<int64_t>(shape), elementType, encoding);
  }

private:
  static LogicalResult readInt(DialectBytecodeReader &reader, int64_t &value) {
    uint64_t number;
    if (failed(reader.readVarInt(number)))
      return failure();
    value = static_cast<int64_t>(number);
    return success();
  }

  static LogicalResult readOrder(DialectBytecodeReader &reader, Order &order) {
    uint64_t number;
    if (failed(reader.readVarInt(number)))
      return failure();
    std::optional<Order> known = symbolizeOrder(static_cast<uint32_t>(number));
    if (!known)
      return reader.emitError() << "expected the number of an order, got " << number;
    order = *known;
    return success();
  }

  static LogicalResult readStream(DialectBytecodeReader &reader, Stream &stream) {
    uint64_t number;
    if (failed(reader.readVarInt(number)))
      return failure();
    std::optional<Stream> known = symbolizeStream(static_cast<uint32_t>(number));
    if (!known)
      return reader.emitError() << "expected the number of a stream layout, got " << number;
    stream = *known;
    return success();
  }
};

} // namespace

void mlir::ecf8::addBytecodeInterface(ECF8Dialect &dialect) { dialect.addInterfaces<ECF8BytecodeInterface>(); }
