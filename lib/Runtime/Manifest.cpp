// Parsing of a bundle's manifest.
#include "Manifest.h"

#include "ecf8/Runtime/ModuleABI.h"
#include "ecf8/Support/Hash.h"
#include "ecf8/Support/Json.h"

#include <set>

using namespace ecf8;
using nlohmann::json;

static constexpr ElementType elementTypes[] = {
    {"f8E4M3FN", {kDLFloat8_e4m3fn, 8, 1}, SafetensorsDType::F8_E4M3, 0},
    {"f8E5M2", {kDLFloat8_e5m2, 8, 1}, SafetensorsDType::F8_E5M2, 1},
    {"f8E8M0FNU", {kDLFloat8_e8m0fnu, 8, 1}, SafetensorsDType::F8_E8M0, -1}, // of weights only
    {"f16", {kDLFloat, 16, 1}, SafetensorsDType::F16, -1},
    {"bf16", {kDLBfloat, 16, 1}, SafetensorsDType::BF16, -1},
    {"f32", {kDLFloat, 32, 1}, SafetensorsDType::F32, -1},
    {"f64", {kDLFloat, 64, 1}, SafetensorsDType::F64, -1},
    {"i1", {kDLBool, 8, 1}, SafetensorsDType::BOOL, -1},
    {"i8", {kDLInt, 8, 1}, SafetensorsDType::I8, -1},
    {"i16", {kDLInt, 16, 1}, SafetensorsDType::I16, -1},
    {"i32", {kDLInt, 32, 1}, SafetensorsDType::I32, -1},
    {"i64", {kDLInt, 64, 1}, SafetensorsDType::I64, -1},
    {"ui8", {kDLUInt, 8, 1}, SafetensorsDType::U8, -1},
};

const ElementType *ecf8::findElementType(std::string_view name) {
  for (const ElementType &type : elementTypes)
    if (name == type.name)
      return &type;
  return nullptr;
}

Status ecf8::checkContent(ByteSpan content, uint64_t sizeBytes, uint64_t hash) {
  if (content.size() != sizeBytes)
    return Status(StatusCode::Corrupt,
                  "expected " + std::to_string(sizeBytes) + " bytes, got " + std::to_string(content.size()));
  if (uint64_t actual = hashBytes(content); actual != hash)
    return Status(StatusCode::Corrupt, "expected checksum " + hashToHex(hash) + ", got " + hashToHex(actual));
  return Status::ok();
}

std::string ecf8::describe(const TensorSpec &spec) {
  std::string text = spec.type->name;
  if (spec.isScalar)
    return text + " scalar";
  text += " [";
  for (size_t i = 0; i < spec.shape.size(); ++i)
    text += (i ? ", " : "") + (spec.shape[i] < 0 ? std::string("?") : std::to_string(spec.shape[i]));
  return text + "]";
}

namespace {

/// Walks the manifest. The first error is kept; what is read after it is of no use.
class Reader {
public:
  explicit Reader(const std::string &path) : path(path) {}

  Status error;

  void fail(StatusCode code, const std::string &where, const std::string &message) {
    if (error.isOk())
      error = Status(code, path + ": " + where + ": " + message);
  }
  void fail(const std::string &where, const std::string &message) { fail(StatusCode::Corrupt, where, message); }

  /// The field, or null with an error. `kind` says in words what is expected.
  const json *field(const json &object, const std::string &where, const char *name,
                    bool (json::*hasKind)() const noexcept, const char *kind) {
    auto found = object.find(name);
    if (found != object.end() && ((*found).*hasKind)())
      return &*found;
    fail(where, std::string("expected ") + kind + " '" + name + "', got " +
                    (found == object.end() ? "none" : found->type_name()));
    return nullptr;
  }
  std::string string(const json &object, const std::string &where, const char *name) {
    const json *value = field(object, where, name, &json::is_string, "a string");
    return value ? value->get<std::string>() : std::string();
  }
  uint64_t number(const json &object, const std::string &where, const char *name) {
    const json *value = field(object, where, name, &json::is_number_unsigned, "a non-negative integer");
    return value ? value->get<uint64_t>() : 0;
  }
  const json &array(const json &object, const std::string &where, const char *name) {
    static const json empty = json::array();
    const json *value = field(object, where, name, &json::is_array, "an array");
    return value ? *value : empty;
  }
  uint64_t hash(const json &object, const std::string &where) {
    std::string text = string(object, where, "xxh3");
    std::optional<uint64_t> hash = hashFromHex(text);
    if (!hash)
      fail(where, "expected 16 hexadecimal digits in 'xxh3', got '" + text + "'");
    return hash.value_or(0);
  }
  bool isObject(const json &value, const std::string &where) {
    if (!value.is_object())
      fail(where, std::string("expected an object, got ") + value.type_name());
    return value.is_object();
  }
  /// bundle_m4
  std::string relativePath(const json &object, const std::string &where) {
    std::string text = string(object, where, "path");
    bool leaves = text.empty() || text[0] == '/' || text.find('\0') != std::string::npos;
    for (size_t begin = 0; begin <= text.size();) {
      size_t end = std::min(text.find('/', begin), text.size());
      leaves |= text.compare(begin, end - begin, "..") == 0;
      begin = end + 1;
    }
    if (leaves)
      fail(where, "expected a path inside the bundle, got '" + text + "'");
    return text;
  }
  const ElementType *elementType(const json &object, const std::string &where) {
    std::string name = string(object, where, "dtype");
    const ElementType *type = findElementType(name);
    if (!type)
      fail(StatusCode::Unsupported, where, "expected a dtype that this runtime knows, got '" + name + "'");
    return type;
  }
  std::vector<int64_t> shape(const json &dims, const std::string &where, bool allowDynamic) {
    std::vector<int64_t> result;
    for (const json &dim : dims) {
      bool isDynamic = allowDynamic && dim == -1;
      if (!isDynamic && !(dim.is_number_unsigned() && dim.get<uint64_t>() <= uint64_t(INT64_MAX)))
        fail(where,
             "expected sizes of 0 or more in 'shape', got " + dim.dump(-1, ' ', false, json::error_handler_t::replace));
      else
        result.push_back(dim.get<int64_t>());
    }
    return result;
  }

  std::vector<TensorSpec> specs(const json &entry, const std::string &where, const char *name) {
    std::vector<TensorSpec> result;
    for (const json &item : array(entry, where, name)) {
      std::string place = where + ": " + name + "[" + std::to_string(result.size()) + "]";
      TensorSpec spec;
      if (isObject(item, place)) {
        spec.type = elementType(item, place);
        auto dims = item.find("shape");
        spec.isScalar = dims != item.end() && dims->is_null();
        if (!spec.isScalar)
          spec.shape = shape(array(item, place, "shape"), place, /*allowDynamic=*/true);
      }
      result.push_back(std::move(spec));
    }
    return result;
  }

  WeightInfo weight(const json &item, const std::string &where) {
    WeightInfo info;
    info.name = string(item, where, "name");
    std::string kind = string(item, where, "kind");
    info.isCompressed = kind == "compressed";
    if (!info.isCompressed && kind != "plain")
      fail(where, "expected 'compressed' or 'plain' in 'kind', got '" + kind + "'");
    info.type = elementType(item, where);
    info.shape = shape(array(item, where, "shape"), where, /*allowDynamic=*/false);
    // bundle_m3
    if (auto transposed = item.find("transposed"); transposed != item.end()) {
      if (!transposed->is_boolean() || info.shape.size() < 2)
        fail(where, "expected a boolean 'transposed' beside two dimensions at least, got " +
                        transposed->dump(-1, ' ', false, json::error_handler_t::replace));
      else
        info.isTransposed = transposed->get<bool>();
    }
    info.storedShape = info.shape;
    if (info.isTransposed)
      std::swap(info.storedShape.end()[-1], info.storedShape.end()[-2]);
    if (info.isCompressed)
      info.encoding = string(item, where, "encoding");
    info.storedBytes = number(item, where, "bytes");
    info.hash = hash(item, where);
    if (!info.type)
      return info;
    if (info.isCompressed && info.type->payloadCode < 0)
      fail(where, std::string("expected an FP8 dtype for a compressed weight, got ") + info.type->name);
    std::optional<uint64_t> decoded =
        safetensorsByteSize(info.type->stored, std::vector<uint64_t>(info.shape.begin(), info.shape.end()));
    if (!decoded || info.shape.size() > 64)
      fail(where, "expected a shape of less than 2^61 bytes");
    info.decodedBytes = decoded.value_or(0);
    if (!info.isCompressed && info.storedBytes != info.decodedBytes)
      fail(where, "expected " + std::to_string(info.decodedBytes) + " bytes by dtype and shape, got " +
                      std::to_string(info.storedBytes));
    return info;
  }

  void versions(const json &root) {
    // bundle_m1
    if (std::string format = string(root, "manifest", "format"); format != "ecf8-bundle")
      fail("manifest", "expected format 'ecf8-bundle', got '" + format + "'");
    if (uint64_t version = number(root, "manifest", "version"); version != 1)
      fail(StatusCode::Unsupported, "manifest", "expected bundle version 1, got " + std::to_string(version));
    if (uint64_t abi = number(root, "manifest", "module_abi"); abi != ECF8_MODULE_ABI_VERSION)
      fail(StatusCode::Unsupported, "manifest",
           "expected module ABI " + std::to_string(ECF8_MODULE_ABI_VERSION) + ", got " + std::to_string(abi));
    // bundle_m2
    bool hasGpuKernels = false;
    for (const json &feature : array(root, "manifest", "required_features")) {
      hasGpuKernels |= feature == "gpu_kernels";
      if (feature != "transposed_weights" && feature != "gpu_kernels")
        fail(StatusCode::Unsupported, "manifest",
             "expected required features that this runtime knows, got " +
                 feature.dump(-1, ' ', false, json::error_handler_t::replace));
    }
    std::string target = string(root, "manifest", "target");
    if (target != "cpu" && target != "cuda" && target != "simt")
      fail(StatusCode::Unsupported, "manifest", "expected target 'cpu', 'cuda' or 'simt', got '" + target + "'");
    else if (hasGpuKernels != (target != "cpu"))
      fail("manifest", "expected " + std::string(hasGpuKernels ? "no " : "") +
                           "required feature \"gpu_kernels\" for target '" + target + "', got " +
                           (hasGpuKernels ? "it" : "none"));
  }

  void entryPoints(const json &root, Manifest &manifest) {
    std::set<std::string> names;
    for (const json &item : array(root, "manifest", "entry_points")) {
      std::string where = "entry_points[" + std::to_string(manifest.entryPoints.size()) + "]";
      EntryPoint entry;
      if (isObject(item, where)) {
        entry.name = string(item, where, "name");
        entry.symbol = string(item, where, "symbol");
        entry.inputs = specs(item, where, "inputs");
        entry.outputs = specs(item, where, "outputs");
      }
      if (!names.insert(entry.name).second)
        fail(where, "name '" + entry.name + "' is used twice");
      manifest.entryPoints.push_back(std::move(entry));
    }
  }

  void weights(const json &root, Manifest &manifest) {
    if (const json *file = field(root, "manifest", "weights_file", &json::is_object, "an object")) {
      manifest.weightsPath = relativePath(*file, "weights_file");
      manifest.weightsFileBytes = number(*file, "weights_file", "bytes");
    }
    std::set<std::string> names;
    for (const json &item : array(root, "manifest", "weights")) {
      uint64_t position = manifest.weights.size();
      std::string where = "weights[" + std::to_string(position) + "]";
      WeightInfo info;
      if (isObject(item, where)) {
        if (uint64_t index = number(item, where, "index"); index != position)
          fail(where, "expected index " + std::to_string(position) + ", got " + std::to_string(index));
        info = weight(item, where);
      }
      if (!names.insert(info.name).second)
        fail(where, "name '" + info.name + "' is used twice");
      manifest.weights.push_back(std::move(info));
    }
  }

  /// bundle_m5
  GpuWeightInfo gpuWeight(const json &item, const std::string &where) {
    GpuWeightInfo info;
    const json *object = field(item, where, "gpu", &json::is_object, "an object");
    if (!object)
      return info;
    info.layout = string(*object, where, "layout");
    info.slotBytes = number(*object, where, "slot_bytes");
    if (info.slotBytes > maximumSlotBytes)
      fail(where, "expected at most " + std::to_string(maximumSlotBytes) + " 'slot_bytes', got " +
                      std::to_string(info.slotBytes));
    if (object->contains("table"))
      info.table = number(*object, where, "table");
    return info;
  }

  void gpuWeights(const json &root, Manifest &manifest) {
    const json &items = array(root, "manifest", "weights");
    for (size_t i = 0; i < manifest.weights.size() && error.isOk(); ++i) {
      WeightInfo &weight = manifest.weights[i];
      if (!weight.isCompressed)
        continue;
      std::string where = "weights[" + std::to_string(i) + "]";
      weight.gpu = gpuWeight(items[i], where);
      if (!weight.gpu.table)
        continue;
      size_t index = *weight.gpu.table;
      bool isTable = index < manifest.weights.size() && !manifest.weights[index].isCompressed &&
                     manifest.weights[index].type == findElementType("i32") && !manifest.weights[index].isTable;
      if (isTable)
        manifest.weights[index].isTable = true;
      else
        fail(where, "expected a 'table' that is a plain weight of i32 and of no other weight, got weight " +
                        std::to_string(index));
    }
  }

  /// sm_, a number of two or three digits, and perhaps an a.
  static bool isArchitecture(std::string_view gpu) {
    if (!gpu.starts_with("sm_"))
      return false;
    gpu.remove_prefix(3);
    if (gpu.ends_with('a'))
      gpu.remove_suffix(1);
    return (gpu.size() == 2 || gpu.size() == 3) && gpu.find_first_not_of("0123456789") == std::string_view::npos;
  }

  void kernels(const json &root, Manifest &manifest) {
    for (const json &item : array(root, "manifest", "kernels")) {
      std::string where = "kernels[" + std::to_string(manifest.kernels.size()) + "]";
      KernelInfo info;
      if (isObject(item, where)) {
        info.path = relativePath(item, where);
        info.gpu = string(item, where, "gpu");
        if (!isArchitecture(info.gpu))
          fail(where, "expected an architecture such as sm_90 or sm_90a in 'gpu', got '" + info.gpu + "'");
        std::string expected = manifest.target == "simt" ? "llvm-ir" : "ptx";
        if (std::string format = string(item, where, "format"); format != expected)
          fail(StatusCode::Unsupported, where, "expected format '" + expected + "', got '" + format + "'");
        info.sizeBytes = number(item, where, "bytes");
        info.hash = hash(item, where);
      }
      manifest.kernels.push_back(std::move(info));
    }
    for (const json &message : array(root, "manifest", "assertions")) {
      if (!message.is_string())
        fail("assertions", "expected texts, got " + std::string(message.type_name()));
      else
        manifest.assertions.push_back(message.get<std::string>());
    }
  }

  void code(const json &root, Manifest &manifest) {
    for (const json &item : array(root, "manifest", "code")) {
      std::string where = "code[" + std::to_string(manifest.code.size()) + "]";
      CodeInfo info;
      if (isObject(item, where)) {
        info.path = relativePath(item, where);
        info.cpu = string(item, where, "cpu");
        for (const json &feature : array(item, where, "features")) {
          if (!feature.is_string())
            fail(where, "expected names in 'features', got " + std::string(feature.type_name()));
          else
            info.features.push_back(feature.get<std::string>());
        }
        info.sizeBytes = number(item, where, "bytes");
        info.hash = hash(item, where);
      }
      manifest.code.push_back(std::move(info));
    }
    if (manifest.code.empty())
      fail("code", "expected at least one instruction set, got none");
  }

private:
  /// No block has that much shared memory.
  static constexpr uint64_t maximumSlotBytes = 1 << 24;

  const std::string &path;
};

} // namespace

Result<Manifest> ecf8::parseManifest(std::string_view text, const std::string &path) {
  Result<json> root = parseJson(text);
  if (!root)
    return root.status().in(path);
  Reader reader(path);
  Manifest manifest;
  if (reader.isObject(*root, "manifest")) {
    // Versions first: a newer bundle may differ in everything else.
    reader.versions(*root);
    if (reader.error.isOk()) {
      manifest.producer = reader.string(*root, "manifest", "producer");
      reader.entryPoints(*root, manifest);
      reader.weights(*root, manifest);
      reader.code(*root, manifest);
      manifest.target = reader.string(*root, "manifest", "target");
      if (manifest.target != "cpu") {
        reader.gpuWeights(*root, manifest);
        reader.kernels(*root, manifest);
      }
    }
  }
  if (!reader.error.isOk())
    return reader.error;
  return manifest;
}
