// Reading and writing .npy files.
#include "Npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>

using namespace ecf8;
using namespace ecf8::run;

namespace {

struct Header {
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
};

/// Reads the Python dictionary of a header. NumPy writes its keys in one order; others may not.
class HeaderParser {
public:
  HeaderParser(std::string_view text, size_t baseOffset) : text(text), baseOffset(baseOffset) {}

  Result<Header> parse() {
    Header header;
    bool seen[3] = {};
    if (!take('{'))
      return bad("'{'");
    while (!take('}')) {
      std::string key;
      if (!string(key) || !take(':'))
        return bad("a key and ':'");
      size_t which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : 3;
      if (which == 3 || std::exchange(seen[which], true))
        return bad("the keys descr, fortran_order and shape, once each");
      if (which == 0 && !string(header.descr))
        return bad("a dtype such as '<f4' (arrays of records are not supported)");
      if (which == 1 && !boolean(header.fortranOrder))
        return bad("True or False");
      if (which == 2 && !tuple(header.shape))
        return bad("a tuple of sizes");
      if (!take(',')) {
        if (!take('}'))
          return bad("',' or '}'");
        break;
      }
    }
    skipSpace();
    if (position != text.size())
      return bad("the end of the header");
    if (!seen[0] || !seen[1] || !seen[2])
      return bad("the keys descr, fortran_order and shape, once each");
    return header;
  }

private:
  Status bad(const char *expected) const {
    std::string found = position < text.size() ? "'" + std::string(text.substr(position, 12)) + "'" : "the end";
    std::replace_if(found.begin(), found.end(), [](unsigned char c) { return c < 32 || c > 126; }, '?');
    return Status(StatusCode::Corrupt,
                  "byte " + std::to_string(baseOffset + position) + ": expected " + expected + ", got " + found);
  }
  void skipSpace() {
    while (position < text.size() && (text[position] == ' ' || text[position] == '\n'))
      ++position;
  }
  bool take(char c) {
    skipSpace();
    if (position == text.size() || text[position] != c)
      return false;
    ++position;
    return true;
  }
  bool word(std::string_view expected) {
    skipSpace();
    if (!text.substr(position).starts_with(expected))
      return false;
    position += expected.size();
    return true;
  }
  bool string(std::string &value) {
    skipSpace();
    if (position == text.size() || (text[position] != '\'' && text[position] != '"'))
      return false;
    size_t end = text.find(text[position], position + 1);
    if (end == std::string_view::npos)
      return false;
    value = text.substr(position + 1, end - position - 1);
    position = end + 1;
    return true;
  }
  bool boolean(bool &value) {
    value = word("True");
    return value || word("False");
  }
  bool tuple(std::vector<int64_t> &value) {
    if (!take('('))
      return false;
    while (!take(')')) {
      skipSpace();
      int64_t size = 0;
      auto [stop, error] = std::from_chars(text.data() + position, text.data() + text.size(), size);
      if (error != std::errc() || size < 0)
        return false;
      position = static_cast<size_t>(stop - text.data());
      value.push_back(size);
      if (!take(','))
        return take(')');
    }
    return true;
  }

  std::string_view text;
  size_t baseOffset;
  size_t position = 0;
};

} // namespace

/// What NumPy calls the type: the letter and the number of bytes. FP8 and bfloat16 go by their bits.
static std::string numpyType(DLDataType dtype) {
  char letter = 'u';
  if (dtype.code == kDLFloat)
    letter = 'f';
  else if (dtype.code == kDLInt)
    letter = 'i';
  else if (dtype.code == kDLBool)
    letter = 'b';
  return letter + std::to_string(dtype.bits / 8);
}

/// npy_r3
static bool accepts(DLDataType dtype, std::string_view descr) {
  if (descr.size() < 3 || (descr[0] != '<' && descr[0] != '|' && descr[0] != '='))
    return false;
  std::string_view type = descr.substr(1);
  // '|' means that the order of bytes does not matter, '=' that it is the writer's: neither is a statement for numbers.
  if (dtype.bits > 8 && descr[0] != '<' && type[0] != 'V')
    return false;
  std::string own = numpyType(dtype);
  if (type == own)
    return true;
  if (type.substr(1) != std::string_view(own).substr(1))
    return false;
  bool isSignless = dtype.code == kDLInt, hasNoNumpyType = own[0] == 'u' && dtype.code != kDLUInt;
  return (isSignless && type[0] == 'u') || (hasNoNumpyType && type[0] == 'V');
}

Result<HostTensor> run::readNpy(const std::string &path, DLDataType dtype, std::string_view dtypeName) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.status();
  ByteSpan bytes = file->bytes();
  auto bad = [&](const std::string &message) { return Status(StatusCode::Corrupt, path + ": " + message); };
  // npy_r1
  if (bytes.size() < 10 || std::memcmp(bytes.data(), "\x93NUMPY", 6) != 0)
    return bad("byte 0: expected a .npy file, got other content");
  unsigned major = bytes[6], minor = bytes[7];
  if (major < 1 || major > 3 || minor != 0)
    return Status(StatusCode::Unsupported, path + ": byte 6: expected .npy version 1.0, 2.0 or 3.0, got " +
                                               std::to_string(major) + "." + std::to_string(minor));
  size_t lengthBytes = major == 1 ? 2 : 4, headerStart = 8 + lengthBytes, headerBytes = 0;
  if (bytes.size() < headerStart)
    return bad("expected a header, got the end of the file at byte " + std::to_string(bytes.size()));
  for (size_t i = 0; i < lengthBytes; ++i)
    headerBytes |= size_t(bytes[8 + i]) << (8 * i);
  if (headerBytes > bytes.size() - headerStart)
    return bad("byte 8: expected a header of " + std::to_string(headerBytes) +
               " bytes, got the end of the file at byte " + std::to_string(bytes.size()));
  // npy_r2
  std::string_view text(reinterpret_cast<const char *>(bytes.data()) + headerStart, headerBytes);
  Result<Header> header = HeaderParser(text, headerStart).parse();
  if (!header)
    return header.status().in(path);
  if (!accepts(dtype, header->descr))
    return Status(StatusCode::InvalidArgument, path + ": expected little-endian " + std::string(dtypeName) + " ('" +
                                                   (dtype.bits > 8 ? "<" : "|") + numpyType(dtype) + "'), got '" +
                                                   header->descr + "'");
  if (header->fortranOrder && header->shape.size() > 1)
    return Status(StatusCode::InvalidArgument,
                  path + ": expected C order, got Fortran order (numpy.ascontiguousarray converts)");
  // npy_r4
  size_t available = bytes.size() - headerStart - headerBytes, needed = (dtype.bits + 7u) / 8u;
  bool overflows = false;
  for (int64_t size : header->shape)
    overflows |= __builtin_mul_overflow(needed, static_cast<size_t>(size), &needed);
  if (std::find(header->shape.begin(), header->shape.end(), 0) != header->shape.end())
    needed = 0, overflows = false;
  if (overflows || needed != available)
    return bad("byte " + std::to_string(headerStart + headerBytes) + ": expected " +
               (overflows ? "less than 2^64" : std::to_string(needed)) + " bytes for " +
               describe(header->shape, dtypeName) + ", got " + std::to_string(available));
  Result<HostTensor> tensor = HostTensor::create(dtype, std::move(header->shape));
  if (!tensor)
    return tensor.status().in(path);
  std::copy_n(bytes.data() + headerStart + headerBytes, needed, tensor->bytes().data());
  return tensor;
}

std::string run::npyHeader(DLDataType dtype, std::span<const int64_t> shape) {
  std::string text = "{'descr': '";
  text += (dtype.bits > 8 ? "<" : "|") + numpyType(dtype) + "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  text += shape.size() == 1 ? ",), }" : "), }";
  // Spaces and a line feed, so that the data begins at a multiple of 64.
  bool isLong = text.size() > 60000;
  size_t prefixBytes = isLong ? 12 : 10;
  text.resize((prefixBytes + text.size() + 1 + 63) / 64 * 64 - prefixBytes, ' ');
  text.back() = '\n';
  std::string header = std::string("\x93NUMPY") + (isLong ? '\2' : '\1') + '\0';
  for (size_t i = 0; i < prefixBytes - 8; ++i)
    header += static_cast<char>(text.size() >> (8 * i));
  return header + text;
}
