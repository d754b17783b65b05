// Loading bundles: what is found in them, and every way in which one can be bad.
#include "TestBundle.h"

#include <gtest/gtest.h>

using namespace ecf8::test;

namespace {

class Load : public testing::Test {
protected:
  /// The message of loading, without the path of the bundle; "" if it loads. `verify` must agree unless told otherwise.
  std::string error(EcfStatusCode expected = ECF8_CORRUPT, bool verifyAgrees = true) {
    bundle.writeManifest();
    EcfModel *model = nullptr;
    EcfStatusCode code = ecf8_model_load(bundle.path().c_str(), nullptr, &model);
    std::string message = code == ECF8_OK ? "" : ecf8_last_error();
    EXPECT_EQ(code, expected) << message;
    EXPECT_EQ(model != nullptr, code == ECF8_OK);
    ecf8_model_free(model);
    if (verifyAgrees) {
      EXPECT_EQ(ecf8_bundle_verify(bundle.path().c_str()), expected);
      EXPECT_TRUE(code == ECF8_OK || message == ecf8_last_error());
    }
    std::string prefix = std::filesystem::canonical(bundle.path()).string();
    EXPECT_TRUE(message.empty() || message.compare(0, prefix.size(), prefix) == 0) << message;
    return message.empty() ? "" : message.substr(std::min(prefix.size(), message.size()));
  }
  std::string manifestError(const char *pointer, json value, EcfStatusCode expected = ECF8_CORRUPT) {
    json original = bundle.manifest;
    bundle.manifest[json::json_pointer(pointer)] = value;
    std::string message = error(expected);
    bundle.manifest = original;
    std::string prefix = "/manifest.json: ";
    EXPECT_EQ(message.compare(0, prefix.size(), prefix), 0) << message;
    return message.substr(std::min(prefix.size(), message.size()));
  }
  TestBundle bundle;
};

} // namespace

TEST_F(Load, Describes) {
  ModelPtr model = load(bundle);
  ASSERT_TRUE(model) << ecf8_last_error();
  EXPECT_STREQ(ecf8_model_cpu(model.get()), "generic");
  EXPECT_STREQ(ecf8_model_producer(model.get()), "test");
  EXPECT_EQ(ecf8_model_entry_count(model.get()), 11u);
  size_t entry = 99;
  ASSERT_EQ(ecf8_model_find_entry(model.get(), "share", &entry), ECF8_OK);
  EXPECT_EQ(entry, 4u);
  EXPECT_STREQ(ecf8_model_entry_name(model.get(), 4), "share");
  EXPECT_EQ(ecf8_model_entry_name(model.get(), 11), nullptr);
  EXPECT_EQ(ecf8_model_input_count(model.get(), 4), 1u);
  EXPECT_EQ(ecf8_model_output_count(model.get(), 4), 4u);
  EcfTensorSpec spec;
  ASSERT_EQ(ecf8_model_input_spec(model.get(), 0, 0, &spec), ECF8_OK);
  EXPECT_STREQ(spec.dtype, "f32");
  EXPECT_EQ(spec.rank, 2);
  EXPECT_EQ(spec.shape[0], ECF8_DYNAMIC_DIM);
  EXPECT_EQ(spec.shape[1], 4);
  ASSERT_EQ(ecf8_model_output_spec(model.get(), 2, 0, &spec), ECF8_OK);
  EXPECT_EQ(spec.rank, ECF8_SCALAR_RANK);
  EXPECT_EQ(ecf8_model_output_spec(model.get(), 2, 1, &spec), ECF8_NOT_FOUND);
  EXPECT_EQ(ecf8_model_find_entry(model.get(), "none", &entry), ECF8_NOT_FOUND);
  EXPECT_NE(std::string(ecf8_last_error()).find("(scale, fail, "), std::string::npos);

  EXPECT_EQ(ecf8_model_weight_count(model.get()), 4u);
  EcfWeight weight;
  ASSERT_EQ(ecf8_model_weight(model.get(), 1, &weight), ECF8_OK);
  EXPECT_STREQ(weight.name, "packed");
  EXPECT_TRUE(weight.isCompressed);
  EXPECT_STREQ(weight.encoding, "#ecf8.raw");
  EXPECT_EQ(weight.storedBytes, 256u);
  EXPECT_EQ(weight.decodedBytes, 64u);
  EXPECT_EQ(std::memcmp(weight.data, "ECF8", 4), 0);
  ASSERT_EQ(ecf8_model_weight(model.get(), 2, &weight), ECF8_OK);
  EXPECT_EQ(weight.encoding, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(weight.data) % 64, 0u); // the file has it at an odd place
  EXPECT_EQ(*static_cast<const char *>(weight.data), 5);
  EXPECT_EQ(ecf8_model_weight(model.get(), 4, &weight), ECF8_NOT_FOUND);
  EXPECT_EQ(ecf8_bundle_verify(bundle.path().c_str()), ECF8_OK);
}

TEST_F(Load, MissingFiles) {
  EXPECT_EQ(ecf8_bundle_verify("/no/such/model.ecf8"), ECF8_NOT_FOUND);
  EXPECT_STREQ(ecf8_last_error(), "/no/such/model.ecf8/manifest.json: cannot open: No such file or directory");
  std::filesystem::remove(bundle.path("code/generic.so"));
  EXPECT_EQ(error(ECF8_NOT_FOUND), "/code/generic.so: cannot open: No such file or directory");
  std::filesystem::remove(bundle.path("weights.safetensors"));
  EXPECT_EQ(error(ECF8_NOT_FOUND), "/weights.safetensors: cannot open: No such file or directory");
}

TEST_F(Load, m0_not_json) {
  bundle.folder.write("manifest.json", "{\"format\": ");
  EXPECT_EQ(ecf8_bundle_verify(bundle.path().c_str()), ECF8_CORRUPT);
  EXPECT_NE(std::string(ecf8_last_error()).find("/manifest.json: byte "), std::string::npos) << ecf8_last_error();
  bundle.folder.write("manifest.json", "[]");
  EXPECT_EQ(ecf8_bundle_verify(bundle.path().c_str()), ECF8_CORRUPT);
  EXPECT_NE(std::string(ecf8_last_error()).find("expected an object, got array"), std::string::npos);
}

TEST_F(Load, m1_versions) {
  EXPECT_EQ(manifestError("/format", "other"), "manifest: expected format 'ecf8-bundle', got 'other'");
  EXPECT_EQ(manifestError("/version", 2, ECF8_UNSUPPORTED), "manifest: expected bundle version 1, got 2");
  EXPECT_EQ(manifestError("/version", "1"), "manifest: expected a non-negative integer 'version', got string");
  EXPECT_EQ(manifestError("/module_abi", 7, ECF8_UNSUPPORTED), "manifest: expected module ABI 1, got 7");
  EXPECT_EQ(manifestError("/target", "tpu", ECF8_UNSUPPORTED),
            "manifest: expected target 'cpu', 'cuda' or 'simt', got 'tpu'");
}

TEST_F(Load, m2_required_features) {
  EXPECT_EQ(manifestError("/required_features", {"time-travel"}, ECF8_UNSUPPORTED),
            "manifest: expected required features that this runtime knows, got \"time-travel\"");
  EXPECT_EQ(manifestError("/required_features", {"transposed_weights", "later"}, ECF8_UNSUPPORTED),
            "manifest: expected required features that this runtime knows, got \"later\"");
  EXPECT_EQ(manifestError("/required_features", {"gpu_kernels"}),
            "manifest: expected no required feature \"gpu_kernels\" for target 'cpu', got it");
  EXPECT_EQ(manifestError("/target", "cuda"),
            "manifest: expected required feature \"gpu_kernels\" for target 'cuda', got none");
}

TEST_F(Load, m3_fields) {
  EXPECT_EQ(manifestError("/entry_points", 1), "manifest: expected an array 'entry_points', got number");
  EXPECT_EQ(manifestError("/entry_points/1", 1), "entry_points[1]: expected an object, got number");
  EXPECT_EQ(manifestError("/entry_points/1/name", "scale"), "entry_points[1]: name 'scale' is used twice");
  EXPECT_EQ(manifestError("/entry_points/0/inputs/0/dtype", "f99", ECF8_UNSUPPORTED),
            "entry_points[0]: inputs[0]: expected a dtype that this runtime knows, got 'f99'");
  EXPECT_EQ(manifestError("/entry_points/0/inputs/0/shape/0", -2),
            "entry_points[0]: inputs[0]: expected sizes of 0 or more in 'shape', got -2");
  EXPECT_EQ(manifestError("/weights/1/index", 2), "weights[1]: expected index 1, got 2");
  EXPECT_EQ(manifestError("/weights/1/name", "scale"), "weights[1]: name 'scale' is used twice");
  EXPECT_EQ(manifestError("/weights/1/kind", "odd"),
            "weights[1]: expected 'compressed' or 'plain' in 'kind', got 'odd'");
  EXPECT_EQ(manifestError("/weights/1/dtype", "f32"),
            "weights[1]: expected an FP8 dtype for a compressed weight, got f32");
  EXPECT_EQ(manifestError("/weights/0/shape/0", -1), "weights[0]: expected sizes of 0 or more in 'shape', got -1");
  EXPECT_EQ(manifestError("/weights/0/shape/0", 5), "weights[0]: expected 20 bytes by dtype and shape, got 16");
  EXPECT_EQ(manifestError("/weights/0/shape", {1ull << 62, 4}), "weights[0]: expected a shape of less than 2^61 bytes");
  EXPECT_EQ(manifestError("/weights/0/xxh3", "12"), "weights[0]: expected 16 hexadecimal digits in 'xxh3', got '12'");
  EXPECT_EQ(manifestError("/weights/1/transposed", 1),
            "weights[1]: expected a boolean 'transposed' beside two dimensions at least, got 1");
  EXPECT_EQ(manifestError("/weights/0/transposed", true),
            "weights[0]: expected a boolean 'transposed' beside two dimensions at least, got true");
  EXPECT_EQ(manifestError("/code", json::array()), "code: expected at least one instruction set, got none");
}

TEST_F(Load, m5_weights_on_gpus) {
  bundle.manifest["required_features"] = {"gpu_kernels"};
  EXPECT_EQ(manifestError("/target", "cuda"), "weights[1]: expected an object 'gpu', got none");
}

TEST_F(Load, m4_paths) {
  for (const char *path : {"", "/etc/passwd", "..", "code/../../x", "code/.."}) {
    EXPECT_EQ(manifestError("/code/0/path", path),
              "code[0]: expected a path inside the bundle, got '" + std::string(path) + "'");
    EXPECT_EQ(manifestError("/weights_file/path", path),
              "weights_file: expected a path inside the bundle, got '" + std::string(path) + "'");
  }
}

TEST_F(Load, w1_weights_file) {
  std::string whole = bundle.folder.read("weights.safetensors");
  bundle.folder.write("weights.safetensors", whole.substr(0, whole.size() - 1));
  EXPECT_NE(error().find("(truncated?)"), std::string::npos);
  bundle.folder.write("weights.safetensors", whole);
  size_t bytes = bundle.manifest["weights_file"]["bytes"];
  bundle.manifest["weights_file"]["bytes"] = bytes + 1;
  EXPECT_EQ(error(),
            "/weights.safetensors: expected " + std::to_string(bytes + 1) + " bytes, got " + std::to_string(bytes));
  bundle.manifest["weights_file"]["bytes"] = bytes;
  json weights = bundle.manifest["weights"];
  bundle.manifest["weights"][3]["name"] = "other";
  EXPECT_EQ(error(), "/weights.safetensors: expected tensor 'other', got none");
  bundle.manifest["weights"] = weights;
  bundle.manifest["weights"].erase(3);
  EXPECT_EQ(error(), "/weights.safetensors: expected the 3 tensors of the manifest, got 4");
  bundle.manifest["weights"] = weights;
  bundle.manifest["weights"][0]["dtype"] = "i32";
  EXPECT_NE(error().find("expected dtype I32, got F32"), std::string::npos);
  bundle.manifest["weights"] = weights;
  bundle.manifest["weights"][0]["shape"] = {2, 2};
  EXPECT_NE(error().find("expected the shape of the manifest, got another one"), std::string::npos);
  bundle.manifest["weights"] = weights;
  bundle.manifest["weights"][1]["bytes"] = 320;
  EXPECT_NE(error().find("expected 320 bytes, got 256"), std::string::npos);
}

TEST_F(Load, w2_payload_header) {
  struct {
    size_t offset;
    EcfStatusCode code;
    const char *message;
  } cases[] = {
      {0, ECF8_CORRUPT, "expected magic 'ECF8' at byte 0, got other bytes"},
      {4, ECF8_UNSUPPORTED, "expected format version 1, got 0"},
      {8, ECF8_UNSUPPORTED, "expected no required features that are unknown, got flags 1"},
      {16, ECF8_CORRUPT, "expected 256 bytes at byte 16, got 257"},
      {40, ECF8_CORRUPT, "expected element type 0 at byte 40, got 1"},
      {44, ECF8_CORRUPT, "expected rank 2 at byte 44, got 3"},
      {136, ECF8_CORRUPT, "expected size 8 of dimension 1, got 9"},
  };
  for (const auto &c : cases) {
    bundle.flip("weights.safetensors", bundle.packedOffset + c.offset);
    EXPECT_EQ(error(c.code), "/weights.safetensors: tensor 'packed' at byte " + std::to_string(bundle.packedOffset) +
                                 ": payload: " + c.message);
    bundle.flip("weights.safetensors", bundle.packedOffset + c.offset);
  }
  EXPECT_EQ(error(ECF8_OK), "");
}

TEST_F(Load, w3_checksum) {
  bundle.flip("weights.safetensors", bundle.oddOffset);
  std::string message = error();
  EXPECT_NE(message.find("tensor 'odd' at byte " + std::to_string(bundle.oddOffset) + ": expected checksum "),
            std::string::npos)
      << message;
  EcfLoadOptions options;
  ecf8_load_options_init(&options);
  options.skipWeightChecksums = 1;
  EXPECT_TRUE(load(bundle, &options)) << ecf8_last_error();
}

TEST_F(Load, c1_code_file) {
  std::string code = bundle.folder.read("code/generic.so");
  bundle.flip("code/generic.so", code.size() / 2);
  EXPECT_NE(error().find("/code/generic.so: expected checksum "), std::string::npos);
  bundle.folder.write("code/generic.so", code + "x");
  EXPECT_EQ(error(), "/code/generic.so: expected " + std::to_string(code.size()) + " bytes, got " +
                         std::to_string(code.size() + 1));
}

TEST_F(Load, c2_instruction_sets) {
  json generic = bundle.manifest["code"][0], never = generic;
  never["cpu"] = "never";
  never["features"] = {"sse2", "no-such-feature"};
  bundle.manifest["code"] = {never, generic};
  bundle.writeManifest();
  ModelPtr model = load(bundle);
  ASSERT_TRUE(model);
  EXPECT_STREQ(ecf8_model_cpu(model.get()), "generic");
  EcfLoadOptions options;
  ecf8_load_options_init(&options);
  options.cpu = "never";
  EXPECT_FALSE(load(bundle, &options));
  EXPECT_NE(std::string(ecf8_last_error()).find("got one that lacks some: never needs no-such-feature"),
            std::string::npos);
  options.cpu = "z80";
  EXPECT_FALSE(load(bundle, &options));
  EXPECT_NE(std::string(ecf8_last_error())
                .find("option cpu: expected an instruction set of the bundle (never, generic), got 'z80'"),
            std::string::npos)
      << ecf8_last_error();
  setenv("ECF8_CPU", "never", 1);
  EXPECT_FALSE(load(bundle));
  options.cpu = "generic"; // the option comes before the environment
  EXPECT_TRUE(load(bundle, &options));
  unsetenv("ECF8_CPU");
  bundle.manifest["code"] = {never};
  error(ECF8_UNSUPPORTED, /*verifyAgrees=*/false);
  EXPECT_EQ(ecf8_bundle_verify(bundle.path().c_str()), ECF8_OK);
}

TEST_F(Load, EnvironmentOfThreads) {
  for (const char *text : {"abc", "2x", "0", "-1", "1025", "99999999999999999999", " 2"}) {
    setenv("ECF8_NUM_THREADS", text, 1);
    EXPECT_FALSE(load(bundle)) << text;
    EXPECT_EQ(std::string(ecf8_last_error()),
              std::string("ECF8_NUM_THREADS: expected a number of threads from 1 to 1024, got '") + text + "'");
  }
  for (const char *text : {"1", "1024", ""}) {
    setenv("ECF8_NUM_THREADS", text, 1);
    EXPECT_TRUE(load(bundle)) << text;
  }
  unsetenv("ECF8_NUM_THREADS");
}

TEST_F(Load, c3_module) {
  bundle.manifest["entry_points"][0]["symbol"] = "no_such";
  EXPECT_EQ(error(ECF8_CORRUPT, false), "/code/generic.so: expected symbol 'no_such', got none");
  TestBundle newer(TEST_MODULE_NEWER_ABI), withoutInit(TEST_MODULE_WITHOUT_INIT);
  EXPECT_FALSE(load(newer));
  EXPECT_NE(std::string(ecf8_last_error()).find("/code/generic.so: expected module ABI 1, got 99"), std::string::npos);
  EXPECT_FALSE(load(withoutInit));
  EXPECT_NE(std::string(ecf8_last_error()).find("expected symbol 'ecf8_module_init', got none"), std::string::npos);
}

TEST_F(Load, c3_not_a_shared_object) {
  std::string text = "not code";
  bundle.folder.write("code/generic.so", text);
  bundle.manifest["code"][0]["bytes"] = text.size();
  bundle.manifest["code"][0]["xxh3"] = ecf8::hashToHex(ecf8::hashBytes(ecf8::asBytes(text)));
  EXPECT_NE(error(ECF8_CORRUPT, false).find("/code/generic.so: cannot load the code: "), std::string::npos);
}

TEST_F(Load, BadArguments) {
  EcfModel *model = nullptr;
  EXPECT_EQ(ecf8_model_load(nullptr, nullptr, &model), ECF8_INVALID_ARGUMENT);
  EcfLoadOptions options = {};
  EXPECT_EQ(ecf8_model_load(bundle.path().c_str(), &options, &model), ECF8_INVALID_ARGUMENT);
  EXPECT_STREQ(ecf8_last_error(), "expected options from ecf8_load_options_init, got structBytes 0");
  EXPECT_EQ(ecf8_bundle_verify(nullptr), ECF8_INVALID_ARGUMENT);
  ecf8_model_free(nullptr);
}
