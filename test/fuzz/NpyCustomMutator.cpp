// The custom mutator of .npy files: changes the header's text, then mostly makes its length and the data fit again.
#include "Mutation.h"

#include <charconv>
#include <string>

using namespace ecf8::fuzz;

namespace {

/// Before the header's text: the byte that chooses the type, magic and version, and a length of 2 bytes.
constexpr size_t prefixBytes = 11;

/// The product of the shape in `header` and the size in its dtype, or `fallback` where there is none.
size_t dataBytes(const std::string &header, size_t fallback) {
  size_t open = header.find('('), digit = header.find_first_of("1248");
  if (open == std::string::npos || digit == std::string::npos || digit > open)
    return fallback;
  size_t bytes = size_t(header[digit] - '0');
  for (const char *at = header.data() + open + 1, *end = header.data() + header.size(); at < end && *at != ')';) {
    size_t dim = 0;
    auto parsed = std::from_chars(at, end, dim);
    if (parsed.ec == std::errc() && __builtin_mul_overflow(bytes, dim, &bytes))
      return fallback;
    at = parsed.ptr == at ? at + 1 : parsed.ptr;
  }
  return bytes;
}

} // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t maxSize, unsigned seed) {
  Random random(seed);
  bool hasShortLength = size >= prefixBytes && data[7] == 1;
  if (!hasShortLength || random.oneIn(4))
    return LLVMFuzzerMutate(data, size, maxSize);
  std::string prefix(reinterpret_cast<const char *>(data), prefixBytes);
  size_t headerBytes = std::min<size_t>(data[9] | data[10] << 8, size - prefixBytes);
  std::string header(reinterpret_cast<const char *>(data) + prefixBytes, headerBytes);
  std::string content(reinterpret_cast<const char *>(data) + prefixBytes + headerBytes,
                      size - prefixBytes - headerBytes);
  auto replace = [&](std::string_view from, std::string_view to) {
    if (size_t place = header.find(from); place != std::string::npos)
      header.replace(place, from.size(), to);
  };
  switch (random.below(6)) {
  case 0:
    prefix[0] = char(random.below(16));
    break;
  case 1: { // another dtype
    const char *types[] = {"<f4", "<f2", "<u2", "<f8", "|u1", "|b1", "|i1", "<i8", "|V1", "<V2", ">f4", "=f4"};
    if (size_t quote = header.find(": '"); quote != std::string::npos && quote + 6 <= header.size())
      header.replace(quote + 3, 3, types[random.below(std::size(types))]);
    break;
  }
  case 2:
    random.oneIn(2) ? replace("False", "True") : replace("True", "False");
    break;
  case 3:
    replace("(", random.oneIn(2) ? "(2, " : "(0, ");
    break;
  default:
    mutateFreely(header, std::min<size_t>(maxSize, 0xFFFF));
    break;
  }
  if (size_t needed = dataBytes(header, content.size()); needed <= maxSize && !random.oneIn(8))
    content.resize(needed, char(random.bits()));
  prefix[9] = char(header.size());
  prefix[10] = char(header.size() >> 8);
  return finishMutation(prefix + header + content, data, maxSize);
}
