// A small bundle around TestModule.c, and tensors to call it with.
#ifndef ECF8_TEST_UNIT_RUNTIME_TESTBUNDLE_H
#define ECF8_TEST_UNIT_RUNTIME_TESTBUNDLE_H

#include "../TemporaryFolder.h"
#include "ecf8-c/Runtime.h"
#include "ecf8/Support/Hash.h"
#include "ecf8/Support/Safetensors.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstring>
#include <memory>
#include <vector>

namespace ecf8::test {

using nlohmann::json;

inline std::string readFile(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A bundle folder that a test may spoil before it loads it.
class TestBundle {
public:
  explicit TestBundle(const std::string &modulePath = TEST_MODULE) {
    std::string payload = makePayload();
    std::string scale(16, '\0'), odd = "\x05";
    float factors[4] = {1, 2, 3, 4};
    std::memcpy(scale.data(), factors, 16);
    using enum SafetensorsDType;
    Result<SafetensorsWriter> writer = SafetensorsWriter::create(
        folder.path("weights.safetensors"),
        {{"scale", F32, {4}}, {"packed", U8, {payload.size()}, true}, {"odd", I8, {1}}, {"empty", F32, {0, 4}}});
    const std::string contents[] = {scale, payload, odd, ""};
    for (size_t i = 0; i < 4; ++i)
      EXPECT_TRUE(writer->write(i, asBytes(contents[i])).isOk());
    packedOffset = writer->fileOffset(1);
    oddOffset = writer->fileOffset(2);
    EXPECT_TRUE(writer->commit().isOk());

    std::string code = readFile(modulePath);
    folder.write("code/generic.so", code);
    auto spec = [](const char *dtype, json shape) { return json{{"dtype", dtype}, {"shape", shape}}; };
    json i64 = spec("i64", nullptr);
    auto entry = [](const char *name, json inputs, json outputs) {
      return json{{"name", name}, {"symbol", std::string("test_") + name}, {"inputs", inputs}, {"outputs", outputs}};
    };
    auto weight = [](size_t index, const char *name, const char *dtype, json shape, const std::string &bytes,
                     bool compressed = false) {
      return json{{"index", index},
                  {"name", name},
                  {"kind", compressed ? "compressed" : "plain"},
                  {"dtype", dtype},
                  {"shape", shape},
                  {"encoding", compressed ? json("#ecf8.raw") : json(nullptr)},
                  {"bytes", bytes.size()},
                  {"xxh3", hashToHex(hashBytes(asBytes(bytes)))}};
    };
    json matrix = spec("f32", {2, 3});
    manifest = {
        {"format", "ecf8-bundle"},
        {"version", 1},
        {"module_abi", 1},
        {"required_features", json::array()},
        {"producer", "test"},
        {"target", "cpu"},
        {"entry_points",
         {entry("scale", json::array({spec("f32", {-1, 4})}), json::array({spec("f32", {-1, 4})})),
          entry("fail", json::array({i64}), json::array({spec("f32", {2, 2})})),
          entry("allocate", json::array({i64}), json::array({i64})),
          entry("weight", json::array({i64}), json::array({i64})),
          entry("share", json::array({matrix}), json::array({matrix, matrix, spec("f32", {3, 2}), matrix})),
          entry("wrong_shape", json::array(), json::array({matrix})),
          entry("nested", json::array({i64}), json::array({i64})),
          entry("pieces", json::array({i64, i64}), json::array({i64})),
          entry("denormals", json::array(), json::array({i64})),
          entry("invert", json::array({spec("i1", json::array({-1}))}), json::array({spec("f64", nullptr)})),
          entry("reuse", json::array({i64}), json::array({i64}))}},
        {"weights_file", {{"path", "weights.safetensors"}, {"bytes", folder.read("weights.safetensors").size()}}},
        {"weights",
         {weight(0, "scale", "f32", {4}, scale), weight(1, "packed", "f8E4M3FN", {8, 8}, payload, true),
          weight(2, "odd", "i8", {1}, odd), weight(3, "empty", "f32", {0, 4}, "")}},
        {"code",
         {{{"path", "code/generic.so"},
           {"cpu", "generic"},
           {"features", {"sse2"}},
           {"bytes", code.size()},
           {"xxh3", hashToHex(hashBytes(asBytes(code)))}}}}};
    writeManifest();
  }

  void writeManifest() { folder.write("manifest.json", manifest.dump(2)); }
  std::string path(const std::string &name = "") const { return folder.path(name); }

  /// Changes one byte of a file in the bundle.
  void flip(const std::string &name, size_t offset) {
    std::string content = folder.read(name);
    content.at(offset) ^= 1;
    folder.write(name, content);
  }

  TemporaryFolder folder;
  json manifest;
  size_t packedOffset = 0, oddOffset = 0;

private:
  /// A payload of encoding raw: 8 x 8 elements of E4M3FN, 256 bytes.
  static std::string makePayload() {
    std::string bytes(256, '\0');
    auto put = [&](size_t offset, uint64_t value, size_t count) { std::memcpy(&bytes[offset], &value, count); };
    std::memcpy(bytes.data(), "ECF8", 4);
    put(4, 1, 1), put(6, 192, 2), put(16, 256, 8);
    put(44, 2, 1), put(45, 1, 1), put(64, 8, 8), put(72, 8, 8), put(80, 192, 8), put(128, 8, 8), put(136, 8, 8);
    return bytes;
  }
};

/// A caller's tensor.
class Tensor {
public:
  template <typename T>
  Tensor(DLDataType dtype, std::vector<int64_t> shape, const std::vector<T> &values) : shape(std::move(shape)) {
    data.resize(values.size() * sizeof(T) / 8 + 1);
    if (!values.empty())
      std::memcpy(data.data(), values.data(), values.size() * sizeof(T));
    managed = {};
    managed.version = {DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION};
    managed.dl_tensor.data = data.data();
    managed.dl_tensor.device = {kDLCPU, 0};
    managed.dl_tensor.ndim = static_cast<int32_t>(this->shape.size());
    managed.dl_tensor.dtype = dtype;
    managed.dl_tensor.shape = this->shape.data();
  }
  static Tensor f32(std::vector<int64_t> shape, const std::vector<float> &values) {
    return Tensor({kDLFloat, 32, 1}, std::move(shape), values);
  }
  static Tensor i64(int64_t value) { return Tensor({kDLInt, 64, 1}, {}, std::vector<int64_t>{value}); }

  DLManagedTensorVersioned managed;
  std::vector<int64_t> shape;

private:
  std::vector<uint64_t> data;
};

struct Deleter {
  void operator()(EcfModel *model) const { ecf8_model_free(model); }
  void operator()(DLManagedTensorVersioned *tensor) const { tensor->deleter(tensor); }
};
using ModelPtr = std::unique_ptr<EcfModel, Deleter>;
using OutputPtr = std::unique_ptr<DLManagedTensorVersioned, Deleter>;

/// Null if it does not load; the reason is in ecf8_last_error().
inline ModelPtr load(const TestBundle &bundle, const EcfLoadOptions *options = nullptr) {
  EcfModel *model = nullptr;
  EcfStatusCode code = ecf8_model_load(bundle.path().c_str(), options, &model);
  EXPECT_EQ(code == ECF8_OK, model != nullptr);
  return ModelPtr(model);
}

struct CallResult {
  EcfStatusCode code;
  std::string error;
  std::vector<OutputPtr> outputs;

  template <typename T> std::vector<T> values(size_t output = 0) const {
    const DLTensor &tensor = outputs.at(output)->dl_tensor;
    size_t count = 1;
    for (int32_t i = 0; i < tensor.ndim; ++i)
      count *= static_cast<size_t>(tensor.shape[i]);
    const T *data = static_cast<const T *>(tensor.data);
    return std::vector<T>(data, data + count);
  }
};

inline CallResult call(const EcfModel *model, const char *name, std::vector<Tensor> inputs) {
  size_t entry = 0;
  CallResult result;
  result.code = ecf8_model_find_entry(model, name, &entry);
  EXPECT_EQ(result.code, ECF8_OK);
  std::vector<const DLManagedTensorVersioned *> pointers;
  for (Tensor &input : inputs) {
    input.managed.dl_tensor.shape = input.shape.data();
    pointers.push_back(&input.managed);
  }
  std::vector<DLManagedTensorVersioned *> outputs(ecf8_model_output_count(model, entry));
  result.code = ecf8_model_invoke(model, entry, pointers.data(), pointers.size(), outputs.data(), outputs.size());
  for (DLManagedTensorVersioned *output : outputs) {
    EXPECT_EQ(output != nullptr, result.code == ECF8_OK);
    if (output)
      result.outputs.emplace_back(output);
  }
  if (result.code != ECF8_OK)
    result.error = ecf8_last_error();
  return result;
}

} // namespace ecf8::test

#endif // ECF8_TEST_UNIT_RUNTIME_TESTBUNDLE_H
