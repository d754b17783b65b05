// The safetensors reader's rules and the writer's placement.
#include "ecf8/Support/Safetensors.h"
#include "../TemporaryFolder.h"

#include <gtest/gtest.h>

using namespace ecf8;
using ecf8::test::TemporaryFolder;

namespace {

class Safetensors : public testing::Test {
protected:
  /// A file of this header and `dataBytes` zeros; `headerBytes` overrides the length field.
  std::string error(const std::string &header, size_t dataBytes, std::optional<uint64_t> headerBytes = {}) {
    uint64_t length = headerBytes.value_or(header.size());
    folder.write("t", std::string(reinterpret_cast<char *>(&length), 8) + header + std::string(dataBytes, '\0'));
    Result<SafetensorsFile> file = SafetensorsFile::open(folder.path("t"));
    if (file.isOk())
      return "";
    std::string message = file.status().message(), prefix = folder.path("t") + ": ";
    EXPECT_EQ(message.substr(0, prefix.size()), prefix);
    return message.substr(std::min(prefix.size(), message.size()));
  }
  TemporaryFolder folder;
};

} // namespace

TEST_F(Safetensors, AcceptsAWholeFile) {
  EXPECT_EQ(error(R"({"b": {"dtype": "F32", "shape": [], "data_offsets": [6, 10]},
                      "a": {"dtype": "F8_E4M3", "shape": [2, 3], "data_offsets": [0, 6]},
                      "e": {"dtype": "BF16", "shape": [4, 0], "data_offsets": [6, 6]},
                      "__metadata__": {"k": "v"}}   )",
                  10),
            "");
  Result<SafetensorsFile> file = SafetensorsFile::open(folder.path("t"));
  ASSERT_TRUE(file.isOk());
  ASSERT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->tensors()[0].name, "a");
  EXPECT_EQ(file->tensors()[1].name, "e");
  EXPECT_EQ(file->find("b")->shape, std::vector<uint64_t>{});
  EXPECT_EQ(file->bytes(*file->find("a")).size(), 6u);
  EXPECT_EQ(file->find("c"), nullptr);
  EXPECT_EQ(file->metadata().at("k"), "v");
  EXPECT_EQ(error("{}", 0), "");
}

TEST_F(Safetensors, ForeignFormats) {
  auto name = [](std::string_view first) { return nameForeignFormat(asBytes(first)); };
  using namespace std::string_view_literals;
  EXPECT_EQ(name("GGUF\3\0\0\0\0"sv), "GGUF file");
  EXPECT_EQ(name("PK\3\4\0\0\x08\x08\0"sv), "PyTorch pickle");
  EXPECT_EQ(name("\x80\2\x8a\nl\xfc\x9c\x46\xf9"sv), "PyTorch pickle"); // of PyTorch before 1.6
  EXPECT_EQ(name("\x80\4\x95\x10\0\0\0\0"sv), "PyTorch pickle");
  EXPECT_EQ(name("\x80\2}."sv), "PyTorch pickle");
  EXPECT_EQ(name("\x80\2\0\0\0\0\0\0{"sv), ""); // a header of 640 bytes
  EXPECT_EQ(name("\x80\6\x95\x10\0\0\0\0"sv), "");
  EXPECT_EQ(name("PK\5\6\0\0\0\1"sv), "");
  EXPECT_EQ(name("GGU"sv), "");
  folder.write("t", "GGUF\3");
  EXPECT_EQ(SafetensorsFile::open(folder.path("t")).status().message(),
            folder.path("t") + ": expected a safetensors file, got a GGUF file");
}

TEST_F(Safetensors, r1_length) {
  folder.write("t", "1234567");
  EXPECT_EQ(SafetensorsFile::open(folder.path("t")).status().message(),
            folder.path("t") + ": expected a safetensors file of at least 8 bytes, got 7 bytes (truncated?)");
  EXPECT_EQ(error("{}", 0, 1), "byte 0: expected a safetensors header length of 2 to 100000000, got 1");
  EXPECT_EQ(error("{}", 0, 100'000'001),
            "byte 0: expected a safetensors header length of 2 to 100000000, got 100000001");
  EXPECT_EQ(error("{}", 0, ~0ull),
            "byte 0: expected a safetensors header length of 2 to 100000000, got 18446744073709551615");
  EXPECT_EQ(error("{}", 0, 3), "byte 8: expected a header of 3 bytes, got the end of the file at byte 10 (truncated?)");
  EXPECT_EQ(error(" {}", 0), "byte 8: expected a header that begins with '{', got byte value 32");
}

TEST_F(Safetensors, r2_json) {
  EXPECT_NE(error(R"({"a")", 0).find("header: byte 13: "), std::string::npos) << error(R"({"a")", 0);
  std::string entry = R"("a": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]})";
  EXPECT_EQ(error("{" + entry + "," + entry + "}", 0), "header: key 'a' occurs twice");
}

TEST_F(Safetensors, r3_entry) {
  EXPECT_EQ(error(R"({"a": 1})", 0), "tensor 'a': expected an object with dtype, shape and data_offsets, got number");
  EXPECT_EQ(error(R"({"a": {"dtype": "U8", "shape": [], "data_offsets": [0, 1], "x": 1}})", 1),
            "tensor 'a': expected only dtype, shape and data_offsets, got 'x'");
  EXPECT_EQ(error(R"({"a": {"shape": [], "data_offsets": [0, 1]}})", 1), "tensor 'a': expected a dtype name, got none");
  EXPECT_EQ(error(R"({"a": {"dtype": "F8_E9", "shape": [], "data_offsets": [0, 1]}})", 1),
            "tensor 'a': expected a known dtype such as F8_E4M3, BF16 or F32, got 'F8_E9'");
  EXPECT_EQ(error(R"({"a": {"dtype": "U8", "data_offsets": [0, 1]}})", 1), "tensor 'a': expected a shape, got none");
  EXPECT_EQ(error(R"({"a": {"dtype": "U8", "shape": [-1], "data_offsets": [0, 1]}})", 1),
            "tensor 'a': expected dimensions that are non-negative integers, got -1");
  EXPECT_EQ(error(R"({"a": {"dtype": "U8", "shape": [1.0], "data_offsets": [0, 1]}})", 1),
            "tensor 'a': expected dimensions that are non-negative integers, got 1.0");
  EXPECT_EQ(error(R"({"a": {"dtype": "U8", "shape": []}})", 1),
            "tensor 'a': expected data_offsets of two non-negative integers, got none");
  EXPECT_EQ(error(R"({"a": {"dtype": "U8", "shape": [], "data_offsets": [0, -1]}})", 1),
            "tensor 'a': expected data_offsets of two non-negative integers, got [0,-1]");
  EXPECT_EQ(error(R"({"a": {"dtype": "U8", "shape": [], "data_offsets": [1, 0]}})", 1),
            "tensor 'a': expected data_offsets in ascending order, got [1, 0]");
}

TEST_F(Safetensors, r4_size) {
  EXPECT_EQ(error(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 7]}})", 7),
            "tensor 'a': expected 8 bytes for F32[2], got data_offsets of 7 bytes");
  // 2^62 * 4 overflows to 0 in 64 bits.
  EXPECT_EQ(error(R"({"a": {"dtype": "U8", "shape": [4611686018427387904, 4], "data_offsets": [0, 0]}})", 0),
            "tensor 'a': expected a shape of a whole number of bytes below 2^61, got [4611686018427387904,4]");
  EXPECT_EQ(error(R"({"a": {"dtype": "F4", "shape": [3], "data_offsets": [0, 1]}})", 1),
            "tensor 'a': expected a shape of a whole number of bytes below 2^61, got [3]");
  EXPECT_EQ(error(R"({"a": {"dtype": "U8", "shape": [4611686018427387904, 4, 0], "data_offsets": [0, 0]}})", 0), "");
}

TEST_F(Safetensors, r5_cover) {
  auto entry = [](const char *name, int begin, int end) {
    return "\"" + std::string(name) + R"(": {"dtype": "U8", "shape": [)" + std::to_string(end - begin) +
           R"(], "data_offsets": [)" + std::to_string(begin) + "," + std::to_string(end) + "]}";
  };
  std::string hole = "{" + entry("a", 0, 4) + "," + entry("b", 5, 8) + "}";
  std::string overlap = "{" + entry("a", 0, 4) + "," + entry("b", 3, 8) + "}";
  EXPECT_NE(error(hole, 8).find("tensor 'b': expected data at byte " + std::to_string(8 + hole.size() + 4) +
                                " (no holes, no overlaps)"),
            std::string::npos)
      << error(hole, 8);
  EXPECT_NE(error(overlap, 8).find("(no holes, no overlaps)"), std::string::npos);
  std::string one = "{" + entry("a", 0, 4) + "}";
  std::string start = std::to_string(8 + one.size());
  EXPECT_EQ(error(one, 3), "tensor 'a': expected 4 bytes at byte " + start + ", got the end of the file at byte " +
                               std::to_string(8 + one.size() + 3) + " (truncated?)");
  EXPECT_EQ(error(one, 6), "byte " + std::to_string(8 + one.size() + 4) +
                               ": expected the end of the file after the last tensor, got 2 more bytes");
}

TEST_F(Safetensors, r6_metadata) {
  EXPECT_EQ(error(R"({"__metadata__": []})", 0), "__metadata__: expected an object, got array");
  EXPECT_EQ(error(R"({"__metadata__": {"k": 1}})", 0), "__metadata__: expected a string for 'k', got number");
}

TEST_F(Safetensors, WriterPlacesAndRoundTrips) {
  using enum SafetensorsDType;
  std::vector<SafetensorsSpec> specs = {{"odd", U8, {3}},          {"half", F16, {3}},  {"even", F32, {16}},
                                        {"blob", U8, {128}, true}, {"float", F32, {3}}, {"none", F32, {0}}};
  std::vector<std::string> data = {"abc", "123456", std::string(64, 'e'), std::string(128, 'b'), std::string(12, 'f'),
                                   ""};
  for (unsigned run = 0; run < 2; ++run) {
    Result<SafetensorsWriter> writer =
        SafetensorsWriter::create(folder.path("t" + std::to_string(run)), specs, {{"ecf8", "{\"x\": 1}"}});
    ASSERT_TRUE(writer.isOk());
    for (size_t i = 0; i < specs.size(); ++i) { // the order of writing does not matter
      size_t index = run ? specs.size() - 1 - i : i;
      std::string_view first = std::string_view(data[index]).substr(0, run * data[index].size() / 3);
      ASSERT_TRUE(writer->write(index, asBytes(first)).isOk()); // nor do the pieces
      ASSERT_TRUE(writer->write(index, asBytes(std::string_view(data[index]).substr(first.size()))).isOk());
    }
    ASSERT_TRUE(writer->commit().isOk());
  }
  EXPECT_EQ(folder.read("t0"), folder.read("t1"));
  Result<SafetensorsFile> file = SafetensorsFile::open(folder.path("t0"));
  ASSERT_TRUE(file.isOk()) << file.status().message();
  std::vector<std::string> names;
  for (const SafetensorsTensor &tensor : file->tensors()) {
    EXPECT_EQ(tensor.fileOffset % (safetensorsDTypeBits(tensor.dtype) / 8), 0u) << tensor.name;
    names.push_back(tensor.name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"blob", "even", "none", "float", "half", "odd"}));
  EXPECT_EQ(file->find("blob")->fileOffset % 64, 0u);
  EXPECT_EQ(file->find("even")->fileOffset % 64, 0u);
  EXPECT_EQ(file->metadata().at("ecf8"), "{\"x\": 1}");
  for (size_t i = 0; i < specs.size(); ++i) {
    ByteSpan bytes = file->bytes(*file->find(specs[i].name));
    EXPECT_EQ(std::string(bytes.begin(), bytes.end()), data[i]);
  }
}

TEST_F(Safetensors, WriterErrors) {
  using enum SafetensorsDType;
  std::string path = folder.path("t");
  auto create = [&](std::vector<SafetensorsSpec> specs) {
    return SafetensorsWriter::create(path, std::move(specs)).status().message();
  };
  EXPECT_EQ(create({{"a", U8, {1}}, {"a", U8, {1}}}), path + ": tensor name 'a' is used twice or reserved");
  EXPECT_EQ(create({{"__metadata__", U8, {1}}}), path + ": tensor name '__metadata__' is used twice or reserved");
  EXPECT_EQ(create({{"a", U8, {63}, true}}),
            path + ": tensor 'a': expected a payload of a multiple of 64 bytes, got 63");
  EXPECT_EQ(create({{"\xff", U8, {1}}}), path + ": expected names and metadata in UTF-8, got other bytes");
  {
    Result<SafetensorsWriter> writer = SafetensorsWriter::create(path, {{"a", U8, {2}}, {"b", U8, {1}}});
    ASSERT_TRUE(writer.isOk());
    EXPECT_TRUE(writer->write(0, asBytes("x")).isOk());
    EXPECT_EQ(writer->commit().message(), path + ": tensor 'a': expected 2 bytes, got 1");
    EXPECT_EQ(writer->write(0, asBytes("yz")).message(), path + ": tensor 'a': expected 2 bytes, got 3");
    EXPECT_TRUE(writer->write(0, asBytes("y")).isOk());
    EXPECT_EQ(writer->commit().message(), path + ": tensor 'b': expected 1 bytes, got 0");
  }
  EXPECT_EQ(folder.fileCount(), 0u);
}
