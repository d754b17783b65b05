// The C API as a C program uses it; that tensors come back is tested through Python (test/python/test_checkpoint.py).
#include "ecf8-c/Checkpoint.h"

#include "TestFiles.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace ecf8;
using namespace ecf8::test;

namespace {

bool isSame(uint8_t left, char right) { return left == static_cast<uint8_t>(right); }

/// A plain file with an FP8 matrix of 64 x 64 and two numbers in F32, and its compressed file.
class CApi : public ::testing::Test {
protected:
  void SetUp() override {
    TestTensor numbers{"s", "F32", {2}, std::string("\0\0\x80\x3f\0\0\0\x40", 8)};
    folder.write("plain.safetensors", makeSafetensors({matrix, numbers}, R"({"format":"pt"})"));
    int32_t nothing = -1;
    ASSERT_EQ(ecf8_checkpoint_compress(plain().c_str(), packed().c_str(), "storage", 2, 0, &nothing), ECF8_OK)
        << ecf8_checkpoint_last_error();
    EXPECT_EQ(nothing, 0);
  }

  std::string plain() const { return folder.path("plain.safetensors"); }
  std::string packed() const { return folder.path("packed.safetensors"); }

  TemporaryFolder folder;
  TestTensor matrix = weight("w", {64, 64});
};

} // namespace

TEST_F(CApi, ReadsBoth) {
  for (const std::string &path : {plain(), packed()}) {
    EcfCheckpoint *checkpoint = nullptr;
    ASSERT_EQ(ecf8_checkpoint_open(path.c_str(), &checkpoint), ECF8_OK) << ecf8_checkpoint_last_error();
    ASSERT_EQ(ecf8_checkpoint_tensor_count(checkpoint), 2u);
    EcfCheckpointTensor tensor;
    ASSERT_EQ(ecf8_checkpoint_tensor(checkpoint, 0, &tensor), ECF8_OK);
    EXPECT_STREQ(tensor.name, "w");
    EXPECT_STREQ(tensor.dtype, "F8_E4M3");
    ASSERT_EQ(tensor.rank, 2);
    EXPECT_EQ(tensor.shape[0] * tensor.shape[1], 4096u);
    EXPECT_EQ(tensor.size_bytes, 4096u);
    EXPECT_EQ(tensor.encoding != nullptr, path == packed());
    EXPECT_EQ(tensor.stored_bytes < 4096u, path == packed());
    std::vector<uint8_t> read(4096), part(100);
    ASSERT_EQ(ecf8_checkpoint_read(checkpoint, 0, read.data(), read.size(), 2), ECF8_OK);
    EXPECT_TRUE(std::equal(read.begin(), read.end(), matrix.bytes.begin(), isSame));
    ASSERT_EQ(ecf8_checkpoint_read_part(checkpoint, 0, 1999, part.data(), part.size()), ECF8_OK);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), matrix.bytes.begin() + 1999, isSame));
    ASSERT_EQ(ecf8_checkpoint_metadata_count(checkpoint), 1u);
    const char *file, *key, *value;
    ASSERT_EQ(ecf8_checkpoint_metadata(checkpoint, 0, &file, &key, &value), ECF8_OK);
    EXPECT_STREQ(key, "format");
    EXPECT_STREQ(value, "pt");
    ecf8_checkpoint_free(checkpoint);
  }
  ecf8_checkpoint_free(nullptr);
}

TEST_F(CApi, WrongArguments) {
  EcfCheckpoint *checkpoint = nullptr;
  EXPECT_EQ(ecf8_checkpoint_open(nullptr, &checkpoint), ECF8_INVALID_ARGUMENT);
  EXPECT_STREQ(ecf8_checkpoint_last_error(), "expected a path and a place for the checkpoint, got NULL");
  EXPECT_EQ(ecf8_checkpoint_open(folder.path("none.safetensors").c_str(), &checkpoint), ECF8_NOT_FOUND);
  EXPECT_EQ(checkpoint, nullptr);
  ASSERT_EQ(ecf8_checkpoint_open(packed().c_str(), &checkpoint), ECF8_OK);
  EcfCheckpointTensor tensor;
  EXPECT_EQ(ecf8_checkpoint_tensor(checkpoint, 2, &tensor), ECF8_INVALID_ARGUMENT);
  EXPECT_STREQ(ecf8_checkpoint_last_error(), "expected a tensor number below 2, got 2");
  uint8_t byte;
  EXPECT_EQ(ecf8_checkpoint_read(checkpoint, 0, &byte, 1, 1), ECF8_INVALID_ARGUMENT);
  EXPECT_NE(std::string(ecf8_checkpoint_last_error()).find("expected a place for 4096 bytes, got one for 1"),
            std::string::npos);
  EXPECT_EQ(ecf8_checkpoint_read(checkpoint, 0, nullptr, 4096, 1), ECF8_INVALID_ARGUMENT);
  EXPECT_EQ(ecf8_checkpoint_read_part(checkpoint, 0, 4096, &byte, 1), ECF8_INVALID_ARGUMENT);
  EXPECT_EQ(ecf8_checkpoint_read_part(checkpoint, 0, UINT64_MAX, &byte, 1), ECF8_INVALID_ARGUMENT);
  EXPECT_EQ(ecf8_checkpoint_read_part(checkpoint, 0, 4096, nullptr, 0), ECF8_OK);
  const char *text;
  EXPECT_EQ(ecf8_checkpoint_metadata(checkpoint, 1, &text, &text, &text), ECF8_INVALID_ARGUMENT);
  ecf8_checkpoint_free(checkpoint);
  EXPECT_EQ(ecf8_checkpoint_compress(plain().c_str(), packed().c_str(), "zip", 1, 1, nullptr), ECF8_INVALID_ARGUMENT);
  EXPECT_EQ(ecf8_checkpoint_compress(plain().c_str(), nullptr, "cpu", 1, 1, nullptr), ECF8_INVALID_ARGUMENT);
}
