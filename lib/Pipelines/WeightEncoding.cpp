// The table behind --codec, and the encoding of all weights in parallel.
#include "ecf8/Pipelines/WeightEncoding.h"

#include "ecf8/Codec/Decoder.h"
#include "ecf8/Codec/Segments.h"
#include "ecf8/Codec/Transpose.h"
#include "ecf8/Support/Hash.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ThreadPool.h"

using ::ecf8::Result;
using ::ecf8::Status;
using ::ecf8::StatusCode;

namespace mlir::ecf8 {

StringRef getName(Codec codec) {
  switch (codec) {
  case Codec::Auto:
    return "auto";
  case Codec::Raw:
    return "raw";
  case Codec::Huffman:
    return "huffman";
  case Codec::Planes:
    return "planes";
  case Codec::Quads:
    return "quads";
  case Codec::Pairs:
    return "pairs";
  case Codec::Classic:
    return "classic";
  }
  llvm_unreachable("unknown codec");
}

/// For a weight of shape `dims`.
static ::ecf8::EncodeOptions getEncodeOptions(const CodecOptions &options, ArrayRef<uint64_t> dims) {
  ::ecf8::EncodeOptions encode;
  switch (options.getChosen()) {
  case Codec::Raw:
    encode =
        options.isForGpu ? ::ecf8::EncodeOptions::rawMma() : ::ecf8::EncodeOptions::rawFor({dims.data(), dims.size()});
    if (!options.isForGpu)
      return encode;
    break;
  case Codec::Auto:
    llvm_unreachable("not what it stands for");
  case Codec::Planes:
    encode = ::ecf8::EncodeOptions::planes();
    break;
  case Codec::Huffman:
    encode = ::ecf8::EncodeOptions::huffman();
    break;
  case Codec::Quads:
    encode = ::ecf8::EncodeOptions::quads();
    break;
  case Codec::Pairs:
    encode = ::ecf8::EncodeOptions::pairs();
    break;
  case Codec::Classic:
    encode = ::ecf8::EncodeOptions::classic();
    break;
  }
  if (encode.encoding == ::ecf8::Encoding::Huffman)
    encode.maxCodeLength = options.maxCodeLength.value_or(encode.maxCodeLength);
  encode.tileColumns = options.tileColumns.value_or(encode.tileColumns);
  return encode;
}

static EncodingAttrInterface getEncoding(MLIRContext *context, const ::ecf8::EncodeOptions &options,
                                         ::ecf8::ElementType type) {
  switch (options.encoding) {
  case ::ecf8::Encoding::Huffman:
    if (options.order == ::ecf8::Order::Mma)
      return HuffmanAttr::get(context, options.group, ::ecf8::getGroupLayout(type, options.group)->rawExponentBits,
                              options.maxCodeLength, Stream::segments, Order::mma, options.tileColumns);
    return HuffmanAttr::get(context, options.maxCodeLength, options.tileColumns);
  case ::ecf8::Encoding::Planes:
    return PlanesAttr::get(context, options.tileColumns);
  case ::ecf8::Encoding::Raw:
    break;
  }
  if (options.order == ::ecf8::Order::RowMajor)
    return RawAttr::get(context, Order::row_major, 0);
  return RawAttr::get(context, options.order == ::ecf8::Order::Mma ? Order::mma : Order::rows32, options.tileColumns);
}

Status checkCodecOptions(const CodecOptions &options) {
  return ::ecf8::checkEncodeOptions(getEncodeOptions(options, {}));
}

/// The codec's number of an element type; nothing for types that are not compressed.
static std::optional<::ecf8::ElementType> getCodecType(Type type) {
  if (isa<Float8E4M3FNType>(type))
    return ::ecf8::ElementType::F8E4M3FN;
  if (isa<Float8E5M2Type>(type))
    return ::ecf8::ElementType::F8E5M2;
  return std::nullopt;
}

/// Checks the payload of a global that is compressed already.
static Status checkPayload(const ModuleWeight &weight) {
  auto type = cast<CompressedType>(weight.global.getType());
  Result<::ecf8::Payload> payload = ::ecf8::readPayload(weight.content);
  if (!payload)
    return payload.status();
  const ::ecf8::Header &header = payload->header;
  auto huffman = dyn_cast<HuffmanAttr>(type.getEncoding());
  bool isSame =
      header.elementType == getCodecType(type.getElementType()) &&
      llvm::equal(type.getShape(), header.getDims(),
                  [](int64_t a, uint64_t b) { return static_cast<uint64_t>(a) == b; }) &&
      static_cast<int64_t>(header.order) == static_cast<int64_t>(type.getEncoding().getElementOrder()) &&
      header.tileColumns == type.getEncoding().getTileColumnCount() &&
      static_cast<uint8_t>(header.encoding) == type.getEncoding().getEncodingNumber() &&
      (!huffman || (header.maxCodeLength == huffman.getMaxCodeLength() && header.group == huffman.getGroup()));
  if (isSame)
    return Status::ok();
  std::string dims;
  for (uint64_t dim : header.getDims())
    dims += std::to_string(dim) + "x";
  std::string lengths = header.encoding == ::ecf8::Encoding::Huffman
                            ? ", codes of at most " + std::to_string(header.maxCodeLength) + " bits, group " +
                                  std::to_string(header.group)
                            : "";
  return Status(StatusCode::InvalidArgument,
                "expected a payload of the global's type, got " + dims + std::string(getName(header.elementType)) +
                    ", " + std::string(getName(header.encoding)) + ", order " + std::string(getName(header.order)) +
                    ", " + std::to_string(header.tileColumns) + " columns per tile" + lengths);
}

/// Decodes the payload that a compressed file holds for a weight.
static Status decodeContent(const ModuleWeight &weight, const ::ecf8::Payload &payload, unsigned threads,
                            std::vector<uint8_t> &elements) {
  const ::ecf8::Header &header = payload.header;
  bool isSame = header.elementType == getCodecType(weight.global.getDecodedType().getElementType()) &&
                llvm::equal(weight.getContentShape(), header.getDims(),
                            [](int64_t a, uint64_t b) { return static_cast<uint64_t>(a) == b; });
  if (!isSame)
    return Status(StatusCode::Corrupt, "expected a payload of the tensor's dtype and shape, got another [file_c2]");
  elements = ::ecf8::decodeUnchecked(payload, threads);
  if (::ecf8::hashBytes(elements) == header.contentHash)
    return Status::ok();
  Result<std::vector<uint8_t>> checked = ::ecf8::decode(payload, threads); // knows what is wrong
  if (checked)
    elements = checked.take();
  return checked.status();
}

/// Whether a payload is what `encode` would make of its elements.
static bool hasEncoding(const ::ecf8::Header &header, const ::ecf8::EncodeOptions &options) {
  return header.encoding == options.encoding && header.order == options.order &&
         (options.order == ::ecf8::Order::RowMajor || header.tileColumns == options.tileColumns) &&
         (options.encoding != ::ecf8::Encoding::Huffman ||
          (header.maxCodeLength == options.maxCodeLength && header.group == options.group));
}

/// Decides on one weight and encodes it. Runs on several threads, so the attribute of a new encoding is left to others.
static Status encodeWeight(const ModuleWeight &weight, const CodecOptions &options, unsigned threads,
                           EncodedWeight &result) {
  if (weight.global.isCompressed()) {
    result.encoding = cast<CompressedType>(weight.global.getType()).getEncoding();
    return checkPayload(weight);
  }
  RankedTensorType type = weight.global.getDecodedType();
  std::optional<::ecf8::ElementType> elementType = getCodecType(type.getElementType());
  if (!elementType) {
    result.reason = "not FP8";
    return Status::ok();
  }
  ::ecf8::ByteSpan content = weight.content;
  ::ecf8::Payload stored;
  if (weight.isPayload) {
    Result<::ecf8::Payload> payload = ::ecf8::readPayload(weight.content);
    if (!payload)
      return payload.status();
    stored = payload.take();
    if (Status status = decodeContent(weight, stored, threads, result.elements); !status.isOk())
      return status;
    content = result.elements;
  }
  if (weight.isTransposed) {
    ArrayRef<int64_t> shape = type.getShape();
    result.elements = ::ecf8::transposeMatrices(content, shape.back(), shape[shape.size() - 2], threads);
    content = result.elements;
  }
  result.stats = ::ecf8::collectStats(*elementType, content, threads);
  if (type.getRank() > static_cast<int64_t>(::ecf8::maxRank)) {
    result.reason = "more than " + std::to_string(::ecf8::maxRank) + " dimensions";
    return Status::ok();
  }
  if (content.size() < options.minElements) {
    result.reason = "fewer than " + std::to_string(options.minElements) + " elements";
    return Status::ok();
  }
  SmallVector<uint64_t> dims(type.getShape());
  auto encode = [&](const ::ecf8::EncodeOptions &encodeOptions) -> Status {
    result.encodeOptions = encodeOptions;
    if (weight.isPayload && !weight.isTransposed && hasEncoding(stored.header, encodeOptions)) {
      result.payload.assign(weight.content.begin(), weight.content.end());
      return Status::ok();
    }
    Result<std::vector<uint8_t>> payload = ::ecf8::encode(encodeOptions, *result.stats, dims, content, threads);
    if (!payload)
      return payload.status();
    result.payload = payload.take();
    return Status::ok();
  };
  ::ecf8::EncodeOptions encodeOptions = getEncodeOptions(options, dims);
  bool isSmaller = true; // or has to be encoded all the same
  if (options.codec == Codec::Auto) {
    // What cannot become smaller needs no encoding to know it.
    Result<::ecf8::SizeEstimate> estimate = ::ecf8::estimatePayloadBytes(encodeOptions, *result.stats, dims);
    if (!estimate)
      return estimate.status();
    isSmaller = estimate->minBytes < content.size();
  }
  if (isSmaller) {
    if (Status status = encode(encodeOptions); !status.isOk())
      return status;
    isSmaller = options.codec != Codec::Auto || result.payload.size() < content.size();
  }
  if (!isSmaller) {
    result.reason = "size: no smaller when encoded";
    result.payload = {};
    ::ecf8::EncodeOptions tiles =
        options.isForGpu ? ::ecf8::EncodeOptions::rawMma() : ::ecf8::EncodeOptions::rawFor({dims.data(), dims.size()});
    if (!weight.isContracted || tiles.order == ::ecf8::Order::RowMajor)
      return Status::ok();
    result.reason += ", in tiles for contractions";
    if (Status status = encode(tiles); !status.isOk())
      return status;
  }
  result.elements = {};
  return Status::ok();
}

LogicalResult encodeWeights(const std::vector<ModuleWeight> &weights, const CodecOptions &options, unsigned threads,
                            std::vector<EncodedWeight> &encoded) {
  encoded.assign(weights.size(), {});
  if (weights.empty())
    return success();
  // Small weights go to the threads one each, large ones use all threads one after the other.
  constexpr size_t largeBytes = 8 << 20;
  std::vector<Status> statuses(weights.size());
  auto encodeOne = [&](size_t index, unsigned innerThreads) {
    statuses[index] = encodeWeight(weights[index], options, innerThreads, encoded[index]);
    weights[index].releasePages();
  };
  {
    llvm::DefaultThreadPool pool(llvm::hardware_concurrency(threads));
    for (size_t index = 0; index < weights.size(); ++index)
      if (weights[index].content.size() < largeBytes)
        pool.async([&, index] { encodeOne(index, 1); });
    pool.wait();
  }
  for (size_t index = 0; index < weights.size(); ++index)
    if (weights[index].content.size() >= largeBytes)
      encodeOne(index, threads);

  LogicalResult result = success();
  for (auto [weight, status, code] : llvm::zip_equal(weights, statuses, encoded)) {
    if (!status.isOk()) {
      result = emitError(weight.global.getLoc()) << "weight '" << weight.name << "': " << status.message();
    } else if (!code.payload.empty()) {
      code.encoding = getEncoding(weight.global.getContext(), code.encodeOptions,
                                  *getCodecType(weight.global.getDecodedType().getElementType()));
    }
  }
  return result;
}

} // namespace mlir::ecf8
