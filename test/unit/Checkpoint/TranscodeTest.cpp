// Whole files there and back: the same bytes, whatever is in them and however they are worked on.
#include "TestFiles.h"

#include "ecf8/Checkpoint/Transcode.h"
#include "ecf8/Support/Hash.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace ecf8;
using namespace ecf8::test;

namespace {

class Transcode : public testing::Test {
protected:
  std::string compressed(const std::string &original, Preset preset = Preset::Storage, unsigned threads = 1,
                         uint64_t memoryBytes = 512 << 20) {
    folder.write("in", original);
    Result<CheckpointFile> source = CheckpointFile::open(folder.path("in"));
    EXPECT_TRUE(source.isOk()) << source.status().message();
    Result<FileResult> result = compressFile(*source, folder.path("out"), preset, {threads, memoryBytes});
    EXPECT_TRUE(result.isOk()) << result.status().message();
    EXPECT_EQ(result->originalHash, hashBytes(asBytes(original)));
    EXPECT_EQ(result->storedBytes, folder.read("out").size());
    return folder.read("out");
  }

  std::string restored(const std::string &file) {
    folder.write("compressed", file);
    Result<CheckpointFile> source = CheckpointFile::open(folder.path("compressed"));
    if (!source)
      return source.status().message();
    Result<FileResult> result = decompressFile(*source, folder.path("restored"), {2});
    return result ? folder.read("restored") : result.status().message();
  }

  std::string verified(const std::string &file) {
    folder.write("compressed", file);
    Result<CheckpointFile> source = CheckpointFile::open(folder.path("compressed"));
    if (!source)
      return source.status().message();
    return verifyFile(*source, {2}).status().message();
  }

  TemporaryFolder folder;
};

const std::vector<TestTensor> everything = {weight("layer.weight", {576, 300}),
                                            {"layer.weight_scale_inv", "F32", {5, 3}, std::string(60, 's')},
                                            weight("five", {64, 64}, "F8_E5M2"),
                                            weight("layer.bias", {77}),
                                            {"odd", "BOOL", {3}, std::string("\1\0\1", 3)},
                                            weight("scalar", {}),
                                            weight("empty", {0, 4}),
                                            weight("cube", {4, 40, 24}),
                                            weight("incompressible", {64, 128}, "F8_E4M3", Distribution::Uniform),
                                            weight("rank9", {1, 1, 1, 1, 1, 1, 1, 2, 32}),
                                            {"scales", "F8_E8M0", {32}, std::string(32, 'e')},
                                            {"fnuz", "F8_E4M3FNUZ", {2, 16}, std::string(32, 'z')},
                                            {"half", "F4", {64}, std::string(32, '4')}};

} // namespace

TEST_F(Transcode, RestoresEveryByte) {
  for (const std::string &original :
       {makeSafetensors(everything), makeSafetensors(everything, R"({"format":"pt", "note":"\"a\\b\u00e9 "})", "  \n "),
        makeSafetensors({weight("w", {32, 16})}), makeSafetensors({weight("empty", {0})})})
    for (Preset preset : {Preset::Storage, Preset::Cpu, Preset::Raw, Preset::Huffman, Preset::Planes}) {
      std::string file = compressed(original, preset);
      EXPECT_EQ(restored(file), original);
      EXPECT_EQ(verified(file), "");
    }
}

TEST_F(Transcode, file_c6_SameBytesForAnyThreadsAndMemory) {
  std::string original = makeSafetensors({weight("a", {3000, 1500}), weight("b", {700, 4100}, "F8_E5M2")});
  for (Preset preset : {Preset::Storage, Preset::Cpu}) {
    std::string file = compressed(original, preset);
    EXPECT_EQ(restored(file), original);
    EXPECT_EQ(compressed(original, preset, 7), file);
    EXPECT_EQ(compressed(original, preset, 3, /*memoryBytes=*/1 << 20), file);
  }
}

TEST_F(Transcode, LayoutIsThatOfThePage) {
  std::string file = compressed(makeSafetensors(everything, R"({"format":"pt","ecf8.x":"theirs"})"));
  Result<SafetensorsFile> opened = SafetensorsFile::open(folder.path("out"));
  ASSERT_TRUE(opened.isOk()) << opened.status().message();
  EXPECT_EQ(opened->metadata().at("format"), "pt");
  EXPECT_EQ(opened->metadata().at("ecf8.version"), "1.0");
  EXPECT_EQ(opened->metadata().at("ecf8.encoding"), "storage");
  EXPECT_FALSE(opened->metadata().contains("ecf8.x"));
  ASSERT_EQ(opened->tensors().size(), everything.size());
  bool isBehindCoded = false;
  for (const SafetensorsTensor &tensor : opened->tensors()) {
    auto original = std::ranges::find(everything, tensor.name, &TestTensor::name);
    bool isCoded = (original->dtype == "F8_E4M3" || original->dtype == "F8_E5M2") && tensor.name != "rank9";
    EXPECT_FALSE(isCoded && isBehindCoded) << tensor.name; // [file_c4]
    isBehindCoded |= !isCoded;
    if (!isCoded) { // [file_c3]
      EXPECT_EQ(safetensorsDTypeName(tensor.dtype), original->dtype);
      EXPECT_EQ(tensor.shape, original->shape);
      continue;
    }
    EXPECT_EQ(tensor.dtype, SafetensorsDType::U8); // [file_c2]
    EXPECT_EQ(tensor.shape, std::vector<uint64_t>{tensor.sizeBytes});
    EXPECT_NE(tensor.shape, original->shape);
    EXPECT_EQ(tensor.fileOffset % 64, 0u);
    Result<Payload> payload = readPayload(opened->bytes(tensor));
    ASSERT_TRUE(payload.isOk()) << payload.status().message();
    bool isRaw = payload->header.encoding == Encoding::Raw;
    EXPECT_EQ(isRaw, tensor.name != "layer.weight" && tensor.name != "five" && tensor.name != "cube"); // [file_c5]
  }
}

TEST_F(Transcode, ConvertsBetweenEncodings) {
  std::string original = makeSafetensors(everything);
  std::string storage = compressed(original, Preset::Storage), cpu = compressed(original, Preset::Cpu);
  folder.write("from", storage);
  Result<CheckpointFile> source = CheckpointFile::open(folder.path("from"));
  ASSERT_TRUE(source.isOk());
  ASSERT_TRUE(compressFile(*source, folder.path("to"), Preset::Cpu, {2, 1 << 20}).isOk());
  EXPECT_EQ(folder.read("to"), cpu);
  EXPECT_NE(storage, cpu);
}

TEST_F(Transcode, ReadsPartsOfTensors) {
  folder.write("f", compressed(makeSafetensors(everything)));
  Result<CheckpointFile> file = CheckpointFile::open(folder.path("f"));
  ASSERT_TRUE(file.isOk());
  EXPECT_TRUE(file->hasCoded());
  EXPECT_EQ(file->find("none"), nullptr);
  for (const TestTensor &expected : everything) {
    const CheckpointTensor *tensor = file->find(expected.name);
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->shape, expected.shape);
    EXPECT_EQ(safetensorsDTypeName(tensor->dtype), expected.dtype);
    Result<TensorSource> source = file->tensor(*tensor);
    ASSERT_TRUE(source.isOk());
    std::string part(expected.bytes.size() / 2, '\0');
    ASSERT_TRUE(source->read(part.size() / 2, {reinterpret_cast<uint8_t *>(part.data()), part.size()}).isOk());
    EXPECT_EQ(part, expected.bytes.substr(part.size() / 2, part.size()));
  }
}

TEST_F(Transcode, NoticesDamage) {
  std::string file = compressed(makeSafetensors({weight("w", {64, 64}), {"s", "F32", {4}, std::string(16, 's')}}));
  auto holds = [](const std::string &text, const char *part) { return text.find(part) != std::string::npos; };
  auto replaced = [&](const std::string &from, const std::string &to) {
    std::string damaged = file;
    size_t place = damaged.find(from);
    EXPECT_NE(place, std::string::npos) << from;
    EXPECT_EQ(from.size(), to.size());
    return damaged.replace(place, from.size(), to);
  };
  std::string changed = file;
  changed.back() ^= 1; // in a carried tensor
  EXPECT_PRED2(holds, verified(changed), "[meta_c3]");
  EXPECT_PRED2(holds, restored(changed), "[meta_c3]");
  changed = file;
  changed[file.size() - 200] ^= 1; // in the payload
  EXPECT_PRED2(holds, verified(changed), "tensor 'w': expected payload checksum");
  EXPECT_PRED2(holds, restored(changed), "[content_c1]");
  EXPECT_PRED2(holds, verified(file.substr(0, file.size() - 1)), "truncated?");
  EXPECT_PRED2(holds, verified(replaced("\"1.0\"", "\"2.0\"")), "[meta_c1]");
  EXPECT_PRED2(holds, verified(replaced("\"1.0\"", "\"1.x\"")), "[meta_c1]");
  EXPECT_EQ(verified(replaced("\"1.0\"", "\"1.7\"")), "");
  EXPECT_PRED2(holds, verified(replaced("ecf8.original_xxh3", "ecf8.original_xxh4")), "'ecf8.original_xxh3', got none");
  EXPECT_PRED2(holds, verified(replaced("\\\"w\\\"", "\\\"v\\\"")), "[file_c1]");
  EXPECT_PRED2(holds, verified(replaced("[64, 64]", "[32,128]")), "[file_c2]");
  EXPECT_PRED2(holds, verified(replaced("[64, 64]", "[64, 63]")), "ecf8.original_header: tensor 'w'");
  EXPECT_PRED2(holds, verified(replaced(R"("dtype":"F32","shape":[4])", R"("dtype":"I32","shape":[4])")), "[file_c3]");
  EXPECT_PRED2(holds, verified(makeSafetensors({weight("w", {4})})), "got a plain safetensors file");
}

TEST_F(Transcode, KeepsWhatIsThereUntilTheEnd) {
  std::string original = makeSafetensors({weight("w", {64, 64})});
  std::string file = compressed(original);
  folder.write("out", "older");
  file[file.size() - 100] ^= 1;
  folder.write("damaged", file);
  Result<CheckpointFile> source = CheckpointFile::open(folder.path("damaged"));
  ASSERT_TRUE(source.isOk());
  size_t files = folder.fileCount();
  EXPECT_FALSE(decompressFile(*source, folder.path("out"), {}).isOk());
  EXPECT_EQ(folder.read("out"), "older");
  EXPECT_EQ(folder.fileCount(), files);
}
