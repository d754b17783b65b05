// Elements as numbers, and tensors as text.
#include "Tensor.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>

using namespace ecf8;
using namespace ecf8::run;

static Status invalid(const std::string &message) { return Status(StatusCode::InvalidArgument, message); }

Result<HostTensor> HostTensor::create(DLDataType dtype, std::vector<int64_t> shape) {
  HostTensor tensor;
  tensor.dtype = dtype;
  tensor.shape = std::move(shape);
  tensor.elementCount = 1;
  for (int64_t size : tensor.shape)
    if (size < 0 || __builtin_mul_overflow(tensor.elementCount, static_cast<size_t>(size), &tensor.elementCount))
      return invalid("expected less than 2^63 elements");
  if (tensor.elementCount > (size_t(1) << 56))
    return invalid("expected less than 2^56 elements");
  size_t allocated = (tensor.elementCount * tensor.elementBytes() + 64) / 64 * 64;
  tensor.data.reset(static_cast<uint8_t *>(std::aligned_alloc(64, allocated)));
  if (!tensor.data)
    return Status(StatusCode::OutOfMemory, "cannot allocate " + std::to_string(allocated) + " bytes");
  std::memset(tensor.data.get(), 0, allocated);
  return tensor;
}

std::string run::describe(std::span<const int64_t> shape, std::string_view dtype) {
  std::string text;
  for (int64_t size : shape)
    text += (size < 0 ? "?" : std::to_string(size)) + "x";
  return text.append(dtype);
}

std::string run::describe(const EcfTensorSpec &spec) {
  return describe({spec.shape, static_cast<size_t>(std::max(spec.rank, 0))}, spec.dtype);
}

//===-- Elements
//----------------------------------------------------------------------------------------------------===//

namespace {

/// A binary floating-point format of up to 16 bits.
struct SmallFloat {
  unsigned exponentBits, mantissaBits;
  bool finiteOnly; ///< no infinities; NaN is the code of all ones (OCP 8-bit E4M3)

  int bias() const { return (1 << (exponentBits - 1)) - 1; }
  unsigned topExponent() const { return (1u << exponentBits) - 1; }
  unsigned mantissaMask() const { return (1u << mantissaBits) - 1; }

  double decode(unsigned code) const {
    unsigned mantissa = code & mantissaMask(), exponent = code >> mantissaBits & topExponent();
    double sign = code >> (exponentBits + mantissaBits) & 1 ? -1.0 : 1.0;
    if (exponent == topExponent()) {
      if (!finiteOnly && mantissa == 0)
        return sign * std::numeric_limits<double>::infinity();
      if (!finiteOnly || mantissa == mantissaMask())
        return std::copysign(std::numeric_limits<double>::quiet_NaN(), sign);
    }
    if (exponent == 0)
      return sign * std::ldexp(mantissa, 1 - bias() - int(mantissaBits));
    return sign * std::ldexp(mantissa + (1u << mantissaBits), int(exponent) - bias() - int(mantissaBits));
  }

  /// Rounds to nearest even; nothing if a finite value is out of range.
  std::optional<unsigned> encode(double value) const {
    unsigned sign = std::signbit(value) ? 1u << (exponentBits + mantissaBits) : 0;
    unsigned nan = topExponent() << mantissaBits | (finiteOnly ? mantissaMask() : 1u << (mantissaBits - 1));
    if (std::isnan(value))
      return sign | nan;
    if (std::isinf(value))
      return finiteOnly ? std::nullopt : std::optional<unsigned>(sign | topExponent() << mantissaBits);
    if (value == 0)
      return sign;
    int exponent = 0;
    std::frexp(value, &exponent); // |value| in [2^(exponent-1), 2^exponent)
    int unit = std::max(exponent - 1, 1 - bias()) - int(mantissaBits);
    // Integer multiples of the unit; codes of one sign are consecutive, so a carry into the exponent is right by
    // itself.
    double multiples = std::nearbyint(std::ldexp(std::fabs(value), -unit));
    unsigned code = static_cast<unsigned>(multiples);
    if (unit > 1 - bias() - int(mantissaBits))
      code += static_cast<unsigned>(unit - (1 - bias() - int(mantissaBits))) << mantissaBits;
    unsigned limit = finiteOnly ? nan : topExponent() << mantissaBits;
    if (code >= limit)
      return std::nullopt;
    return sign | code;
  }
};

} // namespace

/// Null for types that are not small floats.
static const SmallFloat *smallFloat(DLDataType dtype) {
  static constexpr SmallFloat half{5, 10, false}, bfloat{8, 7, false}, e4m3fn{4, 3, true}, e5m2{5, 2, false};
  if (dtype.code == kDLFloat && dtype.bits == 16)
    return &half;
  if (dtype.code == kDLBfloat)
    return &bfloat;
  if (dtype.code == kDLFloat8_e4m3fn)
    return &e4m3fn;
  return dtype.code == kDLFloat8_e5m2 ? &e5m2 : nullptr;
}

bool run::isInteger(DLDataType dtype) { return dtype.code == kDLInt || dtype.code == kDLUInt || dtype.code == kDLBool; }

static uint64_t bitsAt(ByteSpan bytes, DLDataType dtype, size_t index) {
  size_t elementBytes = (dtype.bits + 7u) / 8u;
  uint64_t bits = 0;
  std::memcpy(&bits, bytes.data() + index * elementBytes, elementBytes);
  return bits;
}

int64_t run::integerAt(ByteSpan bytes, DLDataType dtype, size_t index) {
  uint64_t bits = bitsAt(bytes, dtype, index);
  if (dtype.code != kDLInt)
    return static_cast<int64_t>(bits);
  unsigned unused = 64u - dtype.bits;
  return static_cast<int64_t>(bits << unused) >> unused;
}

double run::numberAt(ByteSpan bytes, DLDataType dtype, size_t index) {
  if (isInteger(dtype))
    return static_cast<double>(integerAt(bytes, dtype, index));
  uint64_t bits = bitsAt(bytes, dtype, index);
  if (const SmallFloat *format = smallFloat(dtype))
    return format->decode(static_cast<unsigned>(bits));
  return dtype.bits == 32 ? double(std::bit_cast<float>(static_cast<uint32_t>(bits))) : std::bit_cast<double>(bits);
}

std::string run::textAt(ByteSpan bytes, DLDataType dtype, size_t index) {
  if (isInteger(dtype))
    return std::to_string(integerAt(bytes, dtype, index));
  char text[40];
  double value = numberAt(bytes, dtype, index);
  // The shortest digits that give the value back in the type's own precision.
  auto end = dtype.bits <= 32 ? std::to_chars(text, text + sizeof(text), static_cast<float>(value)).ptr
                              : std::to_chars(text, text + sizeof(text), value).ptr;
  return std::string(text, end);
}

/// Writes a parsed number to element `index`; false if it is out of range.
static bool storeAt(HostTensor &tensor, size_t index, double value) {
  uint64_t bits;
  if (const SmallFloat *format = smallFloat(tensor.dtype)) {
    std::optional<unsigned> code = format->encode(value);
    if (!code)
      return false;
    bits = *code;
  } else if (tensor.dtype.bits == 32) {
    float rounded = static_cast<float>(value);
    if (std::isinf(rounded) && !std::isinf(value))
      return false;
    bits = std::bit_cast<uint32_t>(rounded);
  } else {
    bits = std::bit_cast<uint64_t>(value);
  }
  std::memcpy(tensor.bytes().data() + index * tensor.elementBytes(), &bits, tensor.elementBytes());
  return true;
}

static bool storeIntegerAt(HostTensor &tensor, size_t index, int64_t value) {
  unsigned bits = tensor.dtype.code == kDLBool ? 1u : tensor.dtype.bits;
  bool isSigned = tensor.dtype.code == kDLInt;
  int64_t lowest = isSigned ? std::numeric_limits<int64_t>::min() >> (64 - bits) : 0;
  int64_t highest = isSigned ? std::numeric_limits<int64_t>::max() >> (64 - bits) : (int64_t(1) << bits) - 1;
  if (value < lowest || value > highest)
    return false;
  std::memcpy(tensor.bytes().data() + index * tensor.elementBytes(), &value, tensor.elementBytes());
  return true;
}

//===-- Text
//--------------------------------------------------------------------------------------------------------===//

/// Stores the number that `text` spells.
static Status parseElement(HostTensor &tensor, size_t index, std::string_view text, std::string_view dtype) {
  const char *begin = text.data(), *end = text.data() + text.size();
  if (begin != end && *begin == '+')
    ++begin;
  std::from_chars_result parsed;
  bool stored = true;
  if (isInteger(tensor.dtype)) {
    if (text == "true" || text == "false")
      text = text == "true" ? "1" : "0", begin = text.data(), end = begin + 1;
    int64_t value = 0;
    parsed = std::from_chars(begin, end, value);
    stored = parsed.ec == std::errc() && storeIntegerAt(tensor, index, value);
  } else {
    double value = 0;
    parsed = std::from_chars(begin, end, value);
    stored = parsed.ec == std::errc() && storeAt(tensor, index, value);
  }
  if (parsed.ec == std::errc::invalid_argument || parsed.ptr != end)
    return invalid("expected a number, got '" + std::string(text) + "'");
  if (!stored)
    return invalid("expected a number in the range of " + std::string(dtype) + ", got '" + std::string(text) + "'");
  return Status::ok();
}

/// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
static uint64_t nextRandom(uint64_t &state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static Status fillRandom(HostTensor &tensor, std::string_view seedText) {
  uint64_t seed = 0;
  auto [stop, error] = std::from_chars(seedText.data(), seedText.data() + seedText.size(), seed);
  if (error != std::errc() || stop != seedText.data() + seedText.size())
    return invalid("expected a seed of 0 or more after 'random:', got '" + std::string(seedText) + "'");
  for (size_t i = 0; i < tensor.elementCount; ++i) {
    uint64_t bits = nextRandom(seed);
    if (isInteger(tensor.dtype))
      storeIntegerAt(tensor, i, static_cast<int64_t>(bits >> 32) % (tensor.dtype.code == kDLBool ? 2 : 100));
    else
      storeAt(tensor, i, std::ldexp(static_cast<double>(bits >> 11), -52) - 1.0);
  }
  return Status::ok();
}

Result<HostTensor> run::parseTensor(std::string_view text, const EcfTensorSpec &spec) {
  size_t equals = text.find('=');
  if (equals == std::string_view::npos)
    return invalid("expected @file.npy or SHAPExDTYPE=VALUES such as 4x16xf32=0.5, got '" + std::string(text) + "'");
  std::string_view type = text.substr(0, equals), values = text.substr(equals + 1);

  std::vector<int64_t> shape;
  while (!type.empty() && type[0] >= '0' && type[0] <= '9') {
    int64_t size = 0;
    auto [stop, error] = std::from_chars(type.data(), type.data() + type.size(), size);
    size_t used = static_cast<size_t>(stop - type.data());
    if (error != std::errc() || used == type.size() || type[used] != 'x')
      return invalid("expected sizes and a dtype separated by 'x', such as 4x16xf32, got '" +
                     std::string(text.substr(0, equals)) + "'");
    shape.push_back(size);
    type.remove_prefix(used + 1);
  }
  bool fits = type == spec.dtype && shape.size() == static_cast<size_t>(std::max(spec.rank, 0));
  for (size_t i = 0; fits && i < shape.size(); ++i)
    fits = spec.shape[i] < 0 || spec.shape[i] == shape[i];
  if (!fits)
    return invalid("expected " + describe(spec) + ", got " + std::string(text.substr(0, equals)));

  Result<HostTensor> created = HostTensor::create(spec.dlDtype, std::move(shape));
  if (!created)
    return created;
  HostTensor &tensor = *created;
  if (values.starts_with("random:")) {
    if (Status status = fillRandom(tensor, values.substr(7)); !status.isOk())
      return status;
    return created;
  }
  size_t count = static_cast<size_t>(std::count(values.begin(), values.end(), ',')) + 1;
  if (count != 1 && count != tensor.elementCount)
    return invalid("expected 1 or " + std::to_string(tensor.elementCount) + " values for " +
                   std::string(text.substr(0, equals)) + ", got " + std::to_string(count));
  for (size_t i = 0; i < std::min(count, tensor.elementCount); ++i) {
    size_t comma = std::min(values.find(','), values.size());
    if (Status status = parseElement(tensor, i, values.substr(0, comma), spec.dtype); !status.isOk())
      return status.in("value " + std::to_string(i));
    values.remove_prefix(std::min(comma + 1, values.size()));
  }
  if (count == 1) // the first element is there; the others are its copies
    for (size_t i = 1; i < tensor.elementCount; ++i)
      std::memcpy(tensor.bytes().data() + i * tensor.elementBytes(), tensor.bytes().data(), tensor.elementBytes());
  return created;
}

std::string run::printTensor(const DLTensor &tensor, std::string_view dtype, size_t limit) {
  size_t count = 1;
  for (int32_t i = 0; i < tensor.ndim; ++i)
    count *= static_cast<size_t>(tensor.shape[i]);
  ByteSpan bytes(static_cast<const uint8_t *>(tensor.data), count * ((tensor.dtype.bits + 7u) / 8u));
  std::string text = describe({tensor.shape, static_cast<size_t>(tensor.ndim)}, dtype) + "=";
  for (size_t i = 0; i < std::min(count, limit); ++i)
    text += (i ? "," : "") + textAt(bytes, tensor.dtype, i);
  if (count > limit)
    text += ",... (" + std::to_string(count) + " values; --output=@file.npy writes all)";
  return text;
}
