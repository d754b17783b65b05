// Writes the inputs that fuzzing starts from, FOLDER/<target>/<name>: small examples of each format, by its own writer.
#include "Npy.h"
#include "TestData.h"

#include "ecf8/Checkpoint/Transcode.h"
#include "ecf8/Support/Hash.h"
#include "ecf8/Support/Json.h"
#include "ecf8/Support/Safetensors.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

using namespace ecf8;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

class SeedWriter {
public:
  explicit SeedWriter(fs::path root) : root(std::move(root)) {}

  /// Where seed `name` of a target lies; makes its folder.
  fs::path place(const std::string &target, const std::string &name) const {
    fs::create_directories(root / target);
    return root / target / name;
  }
  void write(const std::string &target, const std::string &name, std::string_view content) {
    std::ofstream stream(place(target, name), std::ios::binary);
    stream << content;
    isGood &= bool(stream.flush());
  }
  bool isGood = true;

private:
  fs::path root;
};

std::string_view asText(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

/// Payloads of each encoding and type, over shapes with and without padding and over several distributions.
void writePayloads(SeedWriter &seeds) {
  const std::vector<uint64_t> shapes[] = {{}, {0, 5}, {1, 1}, {33, 35}, {64, 64}, {2, 16, 48}, {32, 192}};
  const EncodeOptions all[] = {
      EncodeOptions::raw(),          EncodeOptions::rawRows32(16),    EncodeOptions::huffman(7, 16),
      EncodeOptions::huffman(8, 32), EncodeOptions::huffmanPairs(32), EncodeOptions::planes(16),
      EncodeOptions::planes(48),     EncodeOptions::rawRows32(192),   EncodeOptions::huffman(8, 192),
      EncodeOptions::planes(192),    EncodeOptions::rawMma(128),      EncodeOptions::quads(11, 128),
      EncodeOptions::pairs(12, 128), EncodeOptions::classic(8, 128)};
  unsigned count = 0;
  for (ElementType type : {ElementType::F8E4M3FN, ElementType::F8E5M2})
    for (const EncodeOptions &options : all)
      for (const std::vector<uint64_t> &dims : shapes) {
        auto distribution = test::allDistributions[count % std::size(test::allDistributions)];
        auto elements = test::makeElements(distribution, type, getMatrixShape(dims)->elementCount(), count);
        Result<std::vector<uint8_t>> payload = encode(options, type, dims, elements);
        seeds.isGood &= payload.isOk();
        std::string name = std::string(getName(options.encoding)) + "-" + std::to_string(count);
        // Target convert has 32 bytes of choices before the payload.
        std::string choices(32, '\0');
        test::Random random(count++);
        for (char &choice : choices)
          choice = char(random.next());
        seeds.write("payload", name, asText(*payload));
        seeds.write("convert", name, choices.append(asText(*payload)));
      }
}

void writeRoundTrips(SeedWriter &seeds) {
  test::Random random(1);
  for (unsigned i = 0; i < 200; ++i) {
    std::string input(16 + random.below(500), '\0');
    for (char &byte : input)
      byte = char(random.next());
    input[1 + random.below(8)] = 0;
    seeds.write("round-trip", std::to_string(i), input);
  }
}

void writeSafetensors(SeedWriter &seeds) {
  using enum SafetensorsDType;
  const std::vector<SafetensorsSpec> files[] = {
      {},
      {{"weight", F8_E4M3, {2, 3}}},
      {{"a", F32, {}}, {"b", BF16, {0, 7}}, {"blob", U8, {64}, true}, {"c", F4, {2, 3}}, {"d", F64, {1, 2}}},
      {{"layer.weight", F8_E5M2, {40, 50}}, {"layer.weight_scale_inv", F32, {1, 1}}, {"e8m0", F8_E8M0, {4}}}};
  unsigned count = 0;
  for (const std::vector<SafetensorsSpec> &specs : files) {
    SafetensorsMetadata metadata;
    std::string name = std::to_string(count);
    if (count % 2 == 1)
      metadata = {{"format", "pt"}, {"name", "\xc3\xa9"}};
    std::string path = seeds.place("safetensors", name).string();
    auto writer = SafetensorsWriter::create(path, specs, metadata);
    seeds.isGood &= writer.isOk();
    for (size_t i = 0; i < specs.size(); ++i) {
      auto bytes = test::makeElements(test::Distribution::Geometric, ElementType::F8E5M2,
                                      *safetensorsByteSize(specs[i].dtype, specs[i].shape), i);
      seeds.isGood &= writer->write(i, bytes).isOk();
    }
    seeds.isGood &= writer->commit().isOk();
    fs::copy_file(path, seeds.place("checkpoint", name), fs::copy_options::overwrite_existing);
    Result<CheckpointFile> plain = CheckpointFile::open(path);
    seeds.isGood &= plain.isOk();
    for (Preset preset : {Preset::Storage, Preset::Planes, Preset::Raw, Preset::Quads, Preset::Pairs}) {
      std::string to = seeds.place("checkpoint", name + "-" + std::string(getName(preset))).string();
      seeds.isGood &= compressFile(*plain, to, preset, {}).isOk();
    }
    ++count;
  }
}

void writeManifests(SeedWriter &seeds) {
  auto spec = [](const char *dtype, const json &shape) { return json{{"dtype", dtype}, {"shape", shape}}; };
  std::string hash = hashToHex(hashBytes({}));
  json weight = {{"index", 0},   {"name", "w"},         {"kind", "plain"}, {"dtype", "f32"},
                 {"shape", {4}}, {"encoding", nullptr}, {"bytes", 16},     {"xxh3", hash}};
  json packed = {{"index", 1},          {"name", "p"},      {"kind", "compressed"},
                 {"dtype", "f8E4M3FN"}, {"shape", {8, 16}}, {"encoding", "#ecf8.planes"},
                 {"bytes", 256},        {"xxh3", hash},     {"transposed", true}};
  json manifest = {{"format", "ecf8-bundle"},
                   {"version", 1},
                   {"module_abi", 1},
                   {"required_features", json::array()},
                   {"producer", "seed"},
                   {"target", "cpu"},
                   {"entry_points",
                    {{{"name", "main"},
                      {"symbol", "main_1"},
                      {"inputs", json::array({spec("f32", {-1, 4})})},
                      {"outputs", json::array({spec("i64", nullptr)})}}}},
                   {"weights_file", {{"path", "weights.safetensors"}, {"bytes", 1000}}},
                   {"weights", json::array({weight})},
                   {"code",
                    {{{"path", "code/generic.so"},
                      {"cpu", "generic"},
                      {"features", {"sse2", "avx2"}},
                      {"bytes", 1000},
                      {"xxh3", hash}}}}};
  seeds.write("manifest", "plain", manifest.dump(1));
  manifest["weights"].push_back(packed);
  manifest["required_features"].push_back("transposed_weights");
  seeds.write("manifest", "compressed", manifest.dump());
  seeds.write("json", "manifest", manifest.dump());
  packed["gpu"] = {{"layout", std::string(24, '0')}, {"slot_bytes", 64}, {"table", 2}};
  json table = {{"index", 2},   {"name", "t"},         {"kind", "plain"}, {"dtype", "i32"},
                {"shape", {4}}, {"encoding", nullptr}, {"bytes", 16},     {"xxh3", hash}};
  manifest["weights"] = json::array({weight, packed, table});
  manifest["target"] = "cuda";
  manifest["required_features"].push_back("gpu_kernels");
  manifest["kernels"] = {
      {{"path", "code/k.ptx"}, {"gpu", "sm_90a"}, {"format", "ptx"}, {"bytes", 1000}, {"xxh3", hash}}};
  manifest["assertions"] = {"assertion failed: index"};
  seeds.write("manifest", "gpu", manifest.dump());
  for (size_t depth : {64, 65})
    seeds.write("json", "depth-" + std::to_string(depth), std::string(depth, '[') + std::string(depth, ']'));
  seeds.write("json", "values",
              R"( {"a": [1, -2, 3.5e-3, true, false, null, "\u00e9\ud83d\ude00\n"], "b": {"": {}}} )");
}

void writeNpys(SeedWriter &seeds) {
  const std::pair<DLDataType, unsigned> types[] = {
      {{kDLFloat, 32, 1}, 0}, {{kDLFloat, 16, 1}, 1}, {{kDLFloat8_e4m3fn, 8, 1}, 4}, {{kDLInt, 64, 1}, 8}};
  for (auto [type, number] : types)
    for (const std::vector<int64_t> &shape : {std::vector<int64_t>{}, {3}, {2, 2}, {0, 4}}) {
      size_t bytes = type.bits / 8;
      for (int64_t size : shape)
        bytes *= size_t(size);
      std::string text = char(number) + run::npyHeader(type, shape) + std::string(bytes, 'x');
      seeds.write("npy", std::to_string(number) + "-" + std::to_string(shape.size()) + "-" + std::to_string(bytes),
                  text);
    }
  // Versions 2.0 and 3.0 have a length of 4 bytes; a tuple may end with a comma, keys may come in any order.
  std::string header = "{'shape': (1,), \"fortran_order\": False, 'descr': '<f4'}\n";
  for (char version : {'\2', '\3'})
    seeds.write("npy", "version-" + std::to_string(version),
                std::string(1, '\0') + "\x93NUMPY" + version + '\0' + char(header.size()) + std::string(3, '\0') +
                    header + "1234");
}

/// Target tensor-text: a byte that chooses the type, one that chooses the shape, then the text.
void writeTensorTexts(SeedWriter &seeds) {
  const std::string texts[] = {
      std::string("\0\1", 2) + "2x3xf32=0.5",      std::string("\0\1", 2) + "2x3xf32=1,-2,3e-3,inf,nan,+0",
      std::string("\4\1", 2) + "2x3xf8E4M3FN=448", std::string("\6\0", 2) + "i1=true",
      std::string("\10\2", 2) + "3xi64=random:7",  std::string("\0\2", 2) + "1xf32=random:7"};
  for (const std::string &text : texts)
    seeds.write("tensor-text", std::to_string(hashBytes(asBytes(text)) % 1000), text);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: ecf8-fuzz-seeds FOLDER\n");
    return 2;
  }
  SeedWriter seeds(argv[1]);
  writePayloads(seeds);
  writeRoundTrips(seeds);
  writeSafetensors(seeds);
  writeManifests(seeds);
  writeNpys(seeds);
  writeTensorTexts(seeds);
  if (!seeds.isGood)
    std::fprintf(stderr, "%s: expected to write all seeds, could not\n", argv[1]);
  return seeds.isGood ? 0 : 1;
}
