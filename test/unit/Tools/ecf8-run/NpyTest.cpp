// .npy files: what NumPy writes, and every way in which one can be bad.
#include "Npy.h"
#include "../../TemporaryFolder.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace ecf8;
using namespace ecf8::run;
using ecf8::test::TemporaryFolder;

namespace {

constexpr DLDataType e4m3{kDLFloat8_e4m3fn, 8, 1}, bf16{kDLBfloat, 16, 1}, f32{kDLFloat, 32, 1}, i1{kDLBool, 8, 1},
    i64{kDLInt, 64, 1};

class Npy : public testing::Test {
protected:
  Result<HostTensor> read(const std::string &content, DLDataType dtype = f32, const char *name = "f32") {
    folder.write("x.npy", content);
    return readNpy(folder.path("x.npy"), dtype, name);
  }
  /// A version 1.0 file.
  static std::string file(std::string header, size_t dataBytes, char major = 1) {
    header += '\n';
    std::string length = {static_cast<char>(header.size()), static_cast<char>(header.size() >> 8)};
    if (major > 1)
      length += std::string(2, '\0');
    return std::string("\x93NUMPY") + major + '\0' + length + header + std::string(dataBytes, '\1');
  }
  static std::string dictionary(const char *descr, const char *shape, const char *order = "False") {
    return std::string("{'descr': '") + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  }
  std::string error(const std::string &content, DLDataType dtype = f32, const char *name = "f32") {
    Result<HostTensor> tensor = read(content, dtype, name);
    if (tensor.isOk())
      return "";
    std::string message = tensor.status().message(), prefix = folder.path("x.npy") + ": ";
    EXPECT_EQ(message.compare(0, prefix.size(), prefix), 0) << message;
    return message.substr(std::min(prefix.size(), message.size()));
  }
  TemporaryFolder folder;
};

} // namespace

TEST_F(Npy, ReadsAllVersions) {
  for (char major : {1, 2, 3}) {
    Result<HostTensor> tensor = read(file(dictionary("<f4", "(2, 3)"), 24, major));
    ASSERT_TRUE(tensor.isOk()) << tensor.status().message();
    EXPECT_EQ(tensor->shape, (std::vector<int64_t>{2, 3}));
  }
  EXPECT_EQ(read(file(dictionary("<f4", "()"), 4))->elementCount, 1u);
  EXPECT_EQ(read(file(dictionary("<f4", "(3,)"), 12))->elementCount, 3u);
  EXPECT_EQ(read(file(dictionary("<f4", "(0, 5)"), 0))->elementCount, 0u);
  EXPECT_EQ(error(file("{\"shape\": (1,), \"fortran_order\": False, \"descr\": \"<f4\"}", 4)), "");
}

TEST_F(Npy, TypesThatNumpyDoesNotHave) {
  for (const char *descr : {"|u1", "|V1", "<V1", "<u1"})
    EXPECT_EQ(error(file(dictionary(descr, "(3,)"), 3), e4m3, "f8E4M3FN"), "") << descr;
  for (const char *descr : {"<u2", "|V2", "<V2"})
    EXPECT_EQ(error(file(dictionary(descr, "(3,)"), 6), bf16, "bf16"), "") << descr;
  EXPECT_EQ(error(file(dictionary("<u8", "(1,)"), 8), i64, "i64"), "");
  EXPECT_EQ(error(file(dictionary("|b1", "(1,)"), 1), i1, "i1"), "");
  EXPECT_EQ(error(file(dictionary("<f2", "(3,)"), 6), bf16, "bf16"), "expected little-endian bf16 ('<u2'), got '<f2'");
  EXPECT_EQ(error(file(dictionary("|i1", "(3,)"), 3), e4m3, "f8E4M3FN"),
            "expected little-endian f8E4M3FN ('|u1'), got '|i1'");
}

TEST_F(Npy, r1_file) {
  EXPECT_EQ(error(""), "byte 0: expected a .npy file, got other content");
  EXPECT_EQ(error("PK\3\4 not an array"), "byte 0: expected a .npy file, got other content");
  std::string good = file(dictionary("<f4", "(1,)"), 4), other = good;
  other[6] = 4;
  EXPECT_EQ(error(other), "byte 6: expected .npy version 1.0, 2.0 or 3.0, got 4.0");
  EXPECT_NE(error(good.substr(0, 40)).find("byte 8: expected a header of"), std::string::npos);
  EXPECT_EQ(error(file("", 0, 2).substr(0, 11)), "expected a header, got the end of the file at byte 11");
  EXPECT_EQ(readNpy(folder.path("none.npy"), f32, "f32").status().code(), StatusCode::NotFound);
}

TEST_F(Npy, r2_header) {
  EXPECT_EQ(error(file("", 0)), "byte 11: expected '{', got the end");
  EXPECT_EQ(error(file("{'descr': '<f4', 'fortran_order': False}", 0)),
            "byte 51: expected the keys descr, fortran_order and shape, once each, got the end");
  EXPECT_EQ(error(file("{'descr': '<f4', 'descr': '<f4'}", 0)),
            "byte 35: expected the keys descr, fortran_order and shape, once each, got ' '<f4'}?'");
  EXPECT_EQ(error(file("{'descr': [('a', '<f4')]}", 0)),
            "byte 20: expected a dtype such as '<f4' (arrays of records are not supported), got '[('a', '<f4''");
  EXPECT_NE(error(file(dictionary("<f4", "(-1,)"), 0)).find("expected a tuple of sizes, got '-1,), }"),
            std::string::npos);
  EXPECT_NE(error(file(dictionary("<f4", "(1"), 0)).find("expected a tuple of sizes"), std::string::npos);
  EXPECT_NE(error(file(dictionary("<f4", "(1,)", "Maybe"), 4)).find("expected True or False, got 'Maybe"),
            std::string::npos);
  EXPECT_NE(error(file(dictionary("<f4", "(1,)") + " x", 4)).find("expected the end of the header, got 'x"),
            std::string::npos);
  EXPECT_NE(error(file("{'descr': '<f4' 'shape'", 4)).find("expected ',' or '}'"), std::string::npos);
  EXPECT_NE(error(file("{'descr': '<f4", 4)).find("expected a dtype such as"), std::string::npos);
}

TEST_F(Npy, r3_type) {
  EXPECT_EQ(error(file(dictionary(">f4", "(1,)"), 4)), "expected little-endian f32 ('<f4'), got '>f4'");
  EXPECT_EQ(error(file(dictionary("<f8", "(1,)"), 8)), "expected little-endian f32 ('<f4'), got '<f8'");
  EXPECT_EQ(error(file(dictionary("|O", "(1,)"), 8)), "expected little-endian f32 ('<f4'), got '|O'");
  EXPECT_EQ(error(file(dictionary("<f4", "(2, 2)", "True"), 16)),
            "expected C order, got Fortran order (numpy.ascontiguousarray converts)");
  EXPECT_EQ(error(file(dictionary("<f4", "(2,)", "True"), 8)), ""); // the same for one dimension
}

TEST_F(Npy, r4_data) {
  EXPECT_EQ(error(file(dictionary("<f4", "(2,)"), 7)), "byte 68: expected 8 bytes for 2xf32, got 7");
  EXPECT_EQ(error(file(dictionary("<f4", "(2,)"), 9)), "byte 68: expected 8 bytes for 2xf32, got 9");
  EXPECT_NE(error(file(dictionary("<f4", "(4611686018427387904, 4)"), 0)).find("expected less than 2^64 bytes"),
            std::string::npos);
}

TEST_F(Npy, WritesWhatItReads) {
  for (std::vector<int64_t> shape : {std::vector<int64_t>{}, {5}, {2, 3, 4}, {0, 7}, std::vector<int64_t>(40, 1)}) {
    std::string header = npyHeader(f32, shape);
    EXPECT_EQ(header.size() % 64, 0u);
    EXPECT_EQ(header.back(), '\n');
    size_t count = 1;
    for (int64_t size : shape)
      count *= static_cast<size_t>(size);
    Result<HostTensor> tensor = read(header + std::string(count * 4, 'x'));
    ASSERT_TRUE(tensor.isOk()) << tensor.status().message();
    EXPECT_EQ(tensor->shape, shape);
  }
  EXPECT_NE(npyHeader(bf16, {}).find("'<u2'"), std::string::npos);
  EXPECT_NE(npyHeader(e4m3, {}).find("'|u1'"), std::string::npos);
  EXPECT_NE(npyHeader(i1, {}).find("'|b1'"), std::string::npos);
}
