// The folder model.ecf8/: temporary neighbour, weights, code, manifest, rename.
#include "ecf8/Pipelines/Bundle.h"

#include "ecf8/Runtime/ModuleABI.h"
#include "ecf8/Support/Hash.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <mutex>
#include <set>
#include <sys/stat.h>

using namespace llvm;
using ::ecf8::Result;
using ::ecf8::SafetensorsDType;
using ::ecf8::Status;
using ::ecf8::StatusCode;

namespace mlir::ecf8 {

std::optional<SafetensorsDType> getSafetensorsDType(StringRef dtype) {
  return StringSwitch<std::optional<SafetensorsDType>>(dtype)
      .Case("f8E4M3FN", SafetensorsDType::F8_E4M3)
      .Case("f8E5M2", SafetensorsDType::F8_E5M2)
      .Case("f8E8M0FNU", SafetensorsDType::F8_E8M0)
      .Case("f16", SafetensorsDType::F16)
      .Case("bf16", SafetensorsDType::BF16)
      .Case("f32", SafetensorsDType::F32)
      .Case("f64", SafetensorsDType::F64)
      .Case("i1", SafetensorsDType::BOOL)
      .Case("i8", SafetensorsDType::I8)
      .Case("ui8", SafetensorsDType::U8)
      .Case("i16", SafetensorsDType::I16)
      .Case("i32", SafetensorsDType::I32)
      .Case("i64", SafetensorsDType::I64)
      .Default(std::nullopt);
}

static Status ioError(const Twine &path, const char *action, std::error_code code) {
  return Status(StatusCode::IoError, (path + ": cannot " + action + ": " + code.message()).str());
}

/// Whether `path` is something that a new bundle may take the place of: nothing, an empty folder, or a bundle.
static Status checkReplaceable(const std::string &path) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0)
    return errno == ENOENT ? Status::ok() : ::ecf8::fileError(path, "write", errno);
  std::string got = "a file";
  if (S_ISDIR(info.st_mode)) {
    std::error_code code;
    if (sys::fs::directory_iterator(path, code) == sys::fs::directory_iterator() && !code)
      return Status::ok();
    got = "a folder that is no bundle";
    if (ErrorOr<std::unique_ptr<MemoryBuffer>> manifest = MemoryBuffer::getFile(path + "/manifest.json")) {
      Expected<json::Value> value = json::parse((*manifest)->getBuffer());
      if (!value)
        consumeError(value.takeError());
      else if (const json::Object *object = value->getAsObject();
               object && object->getString("format") == "ecf8-bundle")
        return Status::ok();
    }
  }
  return Status(StatusCode::InvalidArgument, path + ": expected a new path or an ecf8 bundle to replace, got " + got);
}

namespace {
/// The temporary folders of this process. Never destroyed: a thread may look at them while the process ends.
struct Temporaries {
  std::mutex mutex;
  std::set<std::string> paths;
};
} // namespace

static Temporaries &getTemporaries() {
  static auto *temporaries = new Temporaries;
  return *temporaries;
}

void removeTemporaryBundles() {
  Temporaries &temporaries = getTemporaries();
  temporaries.mutex.lock(); // for good: what this removes is not to be committed
  for (const std::string &path : temporaries.paths)
    // Other threads may still add files, until there is no folder to add them to.
    for (int attempt = 0; attempt < 100 && sys::fs::exists(path); ++attempt)
      sys::fs::remove_directories(path);
}

BundleWriter::~BundleWriter() {
  if (registeredPath.empty())
    return;
  Temporaries &temporaries = getTemporaries();
  std::lock_guard<std::mutex> lock(temporaries.mutex);
  if (!temporaryPath.empty())
    sys::fs::remove_directories(temporaryPath);
  temporaries.paths.erase(registeredPath);
}

Status BundleWriter::create(const std::string &path) {
  SmallString<128> resolved;
  if (sys::fs::real_path(path, resolved)) {
    // Nothing there yet. A slash at the end would make the neighbour a child.
    resolved = path;
    while (resolved.size() > 1 && resolved.back() == '/')
      resolved.pop_back();
    sys::fs::make_absolute(resolved);
  }
  finalPath = resolved.str().str();
  if (Status status = checkReplaceable(finalPath); !status.isOk())
    return status;
  StringRef parent = sys::path::parent_path(finalPath);
  if (!sys::fs::is_directory(parent))
    return Status(StatusCode::NotFound, path + ": expected an existing folder '" + parent.str() + "', got none");

  SmallString<128> temporary = parent;
  sys::path::append(temporary, "." + sys::path::filename(finalPath) + ".tmp-XXXXXX");
  {
    Temporaries &temporaries = getTemporaries();
    std::lock_guard<std::mutex> lock(temporaries.mutex);
    if (!mkdtemp(const_cast<char *>(temporary.c_str())))
      return ::ecf8::fileError(path, "create", errno);
    temporaryPath = registeredPath = temporary.str().str();
    temporaries.paths.insert(registeredPath);
  }
  // mkdtemp makes the folder private; a bundle has the permissions of any new folder.
  mode_t mask = umask(0);
  umask(mask);
  chmod(temporaryPath.c_str(), 0777 & ~mask);
  if (std::error_code code =
          sys::fs::create_directory(temporaryPath + "/code", /*IgnoreExisting=*/true, sys::fs::all_all))
    return ioError(path, "create", code);
  return Status::ok();
}

/// What a large weight takes of memory while it goes from its file to the bundle's.
static constexpr size_t writePieceBytes = 4 << 20;

std::vector<int64_t> BundleWeight::getStoredShape() const {
  std::vector<int64_t> stored = shape;
  if (isTransposed)
    std::swap(stored[stored.size() - 1], stored[stored.size() - 2]);
  return stored;
}

Status BundleWriter::writeWeights(const std::vector<BundleWeight> &weights,
                                  llvm::function_ref<void(size_t)> pieceWritten) {
  std::vector<::ecf8::SafetensorsSpec> specs;
  json::Object decodedTypes;
  for (const BundleWeight &weight : weights) {
    std::optional<SafetensorsDType> dtype = getSafetensorsDType(weight.dtype);
    if (!dtype)
      return Status(StatusCode::Unsupported, "weight '" + weight.name +
                                                 "': expected an element type that a weights file "
                                                 "can hold, got " +
                                                 weight.dtype);
    std::vector<int64_t> stored = weight.getStoredShape();
    std::vector<uint64_t> shape(stored.begin(), stored.end());
    if (!weight.encoding.empty()) {
      json::Object decoded{{"dtype", StringRef(::ecf8::safetensorsDTypeName(*dtype))}, {"shape", json::Array(shape)}};
      if (weight.isTransposed)
        decoded["transposed"] = true;
      decodedTypes[weight.name] = std::move(decoded);
      specs.push_back({weight.name, SafetensorsDType::U8, {weight.content.size()}, /*isBlob=*/true});
    } else {
      specs.push_back({weight.name, *dtype, std::move(shape), /*isBlob=*/false});
    }
  }
  std::string metadata;
  raw_string_ostream(metadata) << json::Value(json::Object{{"version", 1}, {"tensors", std::move(decodedTypes)}});
  Result<::ecf8::SafetensorsWriter> writer = ::ecf8::SafetensorsWriter::create(
      temporaryPath + "/weights.safetensors", std::move(specs), {{"ecf8", std::move(metadata)}});
  if (!writer)
    return writer.status();
  for (auto [index, weight] : enumerate(weights)) {
    ::ecf8::Hasher hasher;
    for (::ecf8::ByteSpan rest = weight.content; !rest.empty();) {
      ::ecf8::ByteSpan piece = rest.first(std::min(rest.size(), writePieceBytes));
      rest = rest.subspan(piece.size());
      hasher.update(piece);
      if (Status status = writer->write(index, piece); !status.isOk())
        return status;
      pieceWritten(index);
    }
    WeightRecord record{weight, weight.content.size(), hasher.digest()};
    record.weight.content = {};
    weightRecords.push_back(std::move(record));
  }
  weightsFileBytes = writer->fileSizeBytes();
  return writer->commit();
}

std::string BundleWriter::getCodePath(const CpuLevel &level) const {
  return temporaryPath + "/code/" + level.name.str() + ".so";
}

Status BundleWriter::addCode(const CpuLevel &level) {
  std::string path = getCodePath(level);
  uint64_t hash, sizeBytes;
  {
    Result<::ecf8::MappedFile> file = ::ecf8::MappedFile::open(path);
    if (!file)
      return file.status();
    hash = ::ecf8::hashBytes(file->bytes());
    sizeBytes = file->sizeBytes();
  }
  std::string name = "code/" + level.name.str() + "-" + ::ecf8::hashToHex(hash).substr(0, 8) + ".so";
  if (std::error_code code = sys::fs::rename(path, temporaryPath + "/" + name))
    return ioError(finalPath, "write", code);
  codes.push_back({name, &level, sizeBytes, hash});
  return Status::ok();
}

Status BundleWriter::addKernels(BundleKernels added, ArrayRef<char> content) {
  added.hash = ::ecf8::hashBytes({reinterpret_cast<const uint8_t *>(content.data()), content.size()});
  added.sizeBytes = content.size();
  StringRef extension = added.format == "ptx" ? ".ptx" : ".ll";
  added.path = "code/kernels-" + added.gpu + "-" + ::ecf8::hashToHex(added.hash).substr(0, 8) + extension.str();
  Status status =
      ::ecf8::writeFileAtomically(temporaryPath + "/" + added.path, std::string_view(content.data(), content.size()));
  kernels.push_back(std::move(added));
  return status;
}

void BundleWriter::setGpuTarget(StringRef name, std::vector<std::string> messages) {
  target = name.str();
  assertions = std::move(messages);
}

void BundleWriter::printKernels(json::OStream &stream) const {
  stream.attributeArray("kernels", [&] {
    for (const BundleKernels &entry : kernels)
      stream.object([&] {
        stream.attribute("path", entry.path);
        stream.attribute("gpu", entry.gpu);
        stream.attribute("format", entry.format);
        stream.attribute("bytes", entry.sizeBytes);
        stream.attribute("xxh3", ::ecf8::hashToHex(entry.hash));
      });
  });
  stream.attribute("assertions", json::Array(assertions));
}

static void printTypes(json::OStream &stream, StringRef key, const std::vector<BundleTensorType> &types) {
  stream.attributeArray(key, [&] {
    for (const BundleTensorType &type : types)
      stream.object([&] {
        stream.attribute("dtype", type.dtype);
        stream.attribute("shape", type.shape ? json::Value(json::Array(*type.shape)) : json::Value(nullptr));
      });
  });
}

std::string BundleWriter::printManifest(const std::vector<BundleEntryPoint> &entryPoints) const {
  std::string text;
  raw_string_ostream output(text);
  json::OStream stream(output, /*IndentSize=*/2);
  stream.object([&] {
    stream.attribute("format", "ecf8-bundle");
    stream.attribute("version", 1);
    stream.attribute("module_abi", ECF8_MODULE_ABI_VERSION);
    bool isTransposed = any_of(weightRecords, [](const WeightRecord &record) { return record.weight.isTransposed; });
    json::Array features;
    if (isTransposed)
      features.push_back("transposed_weights");
    if (target != "cpu")
      features.push_back("gpu_kernels");
    stream.attribute("required_features", std::move(features));
    stream.attribute("producer", "ecf8 " ECF8_VERSION ", LLVM " LLVM_VERSION_STRING);
    stream.attribute("target", target);
    stream.attributeArray("entry_points", [&] {
      for (const BundleEntryPoint &entry : entryPoints)
        stream.object([&] {
          stream.attribute("name", entry.name);
          stream.attribute("symbol", entry.symbol);
          printTypes(stream, "inputs", entry.inputs);
          printTypes(stream, "outputs", entry.outputs);
        });
    });
    stream.attributeObject("weights_file", [&] {
      stream.attribute("path", "weights.safetensors");
      stream.attribute("bytes", weightsFileBytes);
    });
    stream.attributeArray("weights", [&] {
      for (auto [index, record] : enumerate(weightRecords))
        stream.object([&] {
          const BundleWeight &weight = record.weight;
          stream.attribute("index", int64_t(index));
          stream.attribute("name", weight.name);
          stream.attribute("kind", weight.encoding.empty() ? "plain" : "compressed");
          stream.attribute("dtype", weight.dtype);
          stream.attribute("shape", json::Array(weight.shape));
          if (weight.isTransposed)
            stream.attribute("transposed", true);
          stream.attribute("encoding", weight.encoding.empty() ? json::Value(nullptr) : json::Value(weight.encoding));
          stream.attribute("bytes", record.sizeBytes);
          stream.attribute("xxh3", ::ecf8::hashToHex(record.hash));
          if (weight.gpu)
            stream.attributeObject("gpu", [&] {
              stream.attribute("layout", weight.gpu->layout);
              stream.attribute("slot_bytes", weight.gpu->slotBytes);
              if (weight.gpu->table)
                stream.attribute("table", int64_t(*weight.gpu->table));
            });
        });
    });
    stream.attributeArray("code", [&] {
      for (const Code &code : codes)
        stream.object([&] {
          stream.attribute("path", code.path);
          stream.attribute("cpu", code.level->name);
          stream.attribute("features", json::Array(code.level->features));
          stream.attribute("bytes", code.sizeBytes);
          stream.attribute("xxh3", ::ecf8::hashToHex(code.hash));
        });
    });
    if (target != "cpu")
      printKernels(stream);
  });
  return text + "\n";
}

Status BundleWriter::commit(const std::vector<BundleEntryPoint> &entryPoints) {
  std::string manifest = printManifest(entryPoints);
  if (Status status = ::ecf8::writeFileAtomically(temporaryPath + "/manifest.json", manifest); !status.isOk())
    return status;
  totalBytes = manifest.size() + weightsFileBytes;
  for (const Code &code : codes)
    totalBytes += code.sizeBytes;
  for (const BundleKernels &entry : kernels)
    totalBytes += entry.sizeBytes;

  std::lock_guard<std::mutex> lock(getTemporaries().mutex);
  // In between somebody may have put something else there.
  if (Status status = checkReplaceable(finalPath); !status.isOk())
    return status;
  if (renameat2(AT_FDCWD, temporaryPath.c_str(), AT_FDCWD, finalPath.c_str(), RENAME_EXCHANGE) == 0)
    return Status::ok(); // the older bundle has the temporary name now, and goes with it
  // Nothing to exchange with, or a file system that cannot. rename replaces an empty folder, too.
  if (rename(temporaryPath.c_str(), finalPath.c_str()) == 0) {
    temporaryPath.clear();
    return Status::ok();
  }
  if (errno != ENOTEMPTY && errno != EEXIST)
    return ::ecf8::fileError(finalPath, "write", errno);
  std::string aside = temporaryPath + ".old";
  if (rename(finalPath.c_str(), aside.c_str()) != 0)
    return ::ecf8::fileError(finalPath, "replace", errno);
  if (rename(temporaryPath.c_str(), finalPath.c_str()) != 0) {
    int error = errno;
    rename(aside.c_str(), finalPath.c_str());
    return ::ecf8::fileError(finalPath, "write", error);
  }
  temporaryPath = aside;
  return Status::ok();
}

} // namespace mlir::ecf8
