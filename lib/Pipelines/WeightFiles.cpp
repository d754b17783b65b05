// Opens weights files and binds the module's globals to them.
#include "ecf8/Pipelines/WeightFiles.h"

#include "ecf8/Checkpoint/CheckpointFile.h"
#include "ecf8/Pipelines/Bundle.h"
#include "ecf8/Support/Json.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <set>

using ::ecf8::Result;
using ::ecf8::SafetensorsFile;
using ::ecf8::Status;
using ::ecf8::StatusCode;

namespace mlir::ecf8 {

Status WeightFiles::open(ArrayRef<std::string> paths) {
  for (const std::string &path : paths)
    if (Status status = llvm::sys::fs::is_directory(path) ? addFolder(path) : addFile(path); !status.isOk())
      return status;
  return Status::ok();
}

Status WeightFiles::addFile(const std::string &path) {
  Result<SafetensorsFile> opened = SafetensorsFile::open(path);
  if (!opened)
    return opened.status();
  files.push_back(std::make_unique<SafetensorsFile>(opened.take()));
  const SafetensorsFile *file = files.back().get();
  auto add = [&](const Entry &entry) {
    auto [known, isNew] = entries.try_emplace(entry.tensor->name, entry);
    return isNew ? Status::ok()
                 : Status(StatusCode::InvalidArgument, path + ": expected each tensor in one file, got '" +
                                                           entry.tensor->name + "' in " + known->second.file->path() +
                                                           " too");
  };
  if (!file->metadata().contains(::ecf8::metadata_key::version)) {
    for (const ::ecf8::SafetensorsTensor &tensor : file->tensors())
      if (Status status = add({file, &tensor}); !status.isOk())
        return status;
    return Status::ok();
  }
  Result<::ecf8::CheckpointFile> compressed = ::ecf8::CheckpointFile::open(path);
  if (!compressed)
    return compressed.status();
  for (const ::ecf8::CheckpointTensor &tensor : compressed->tensors()) {
    originals.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.storedOffset, tensor.storedBytes});
    if (Status status = add({file, &originals.back(), tensor.isCoded}); !status.isOk())
      return status;
  }
  return Status::ok();
}

Status WeightFiles::addFolder(const std::string &path) {
  std::set<std::string> names;
  std::string indexPath = path + "/model.safetensors.index.json";
  if (llvm::sys::fs::exists(indexPath)) {
    Result<::ecf8::MappedFile> index = ::ecf8::MappedFile::open(indexPath);
    if (!index)
      return index.status();
    ::ecf8::ByteSpan bytes = index->bytes();
    Result<nlohmann::json> parsed = ::ecf8::parseJson({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
    if (!parsed)
      return parsed.status().in(indexPath);
    auto map = parsed->is_object() ? parsed->find("weight_map") : parsed->end();
    if (map == parsed->end() || !map->is_object())
      return Status(StatusCode::Corrupt, indexPath + ": expected an object 'weight_map', got none");
    for (const auto &[tensor, file] : map->items()) {
      if (!file.is_string())
        return Status(StatusCode::Corrupt,
                      indexPath + ": weight_map: expected a file name for '" + tensor + "', got " + file.type_name());
      names.insert(path + "/" + file.get<std::string>());
    }
  } else {
    std::error_code code;
    for (llvm::sys::fs::directory_iterator entry(path, code), end; entry != end && !code; entry.increment(code))
      if (llvm::sys::path::extension(entry->path()) == ".safetensors")
        names.insert(entry->path());
    if (code)
      return Status(StatusCode::IoError, path + ": cannot read the folder: " + code.message());
  }
  if (names.empty())
    return Status(StatusCode::NotFound, path + ": expected *.safetensors files in the folder, got none");
  for (const std::string &name : names)
    if (Status status = addFile(name); !status.isOk())
      return status;
  return Status::ok();
}

const WeightFiles::Entry *WeightFiles::find(StringRef name) const {
  auto found = entries.find(name);
  return found == entries.end() ? nullptr : &found->second;
}

std::string WeightFiles::describe() const {
  if (files.empty())
    return "";
  std::string text = files.front()->path();
  if (files.size() > 1)
    text += " and " + std::to_string(files.size() - 1) + (files.size() == 2 ? " more file" : " more files");
  return text;
}

std::vector<std::string> WeightFiles::namesWhere(llvm::function_ref<bool(StringRef)> isWanted) const {
  std::vector<std::string> names;
  for (const auto &file : files)
    for (const ::ecf8::SafetensorsTensor &tensor : file->tensors())
      if (isWanted(tensor.name))
        names.push_back(tensor.name);
  return names;
}

std::string getDTypeName(Type type) {
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return getSafetensorsDType(name) ? name : "";
}

/// "F8_E4M3 [64, 128]".
static std::string describe(::ecf8::SafetensorsDType dtype, ArrayRef<uint64_t> shape) {
  return std::string(::ecf8::safetensorsDTypeName(dtype)) + " [" +
         llvm::join(llvm::map_range(shape, [](uint64_t dim) { return std::to_string(dim); }), ", ") + "]";
}

std::vector<int64_t> ModuleWeight::getContentShape() const {
  std::vector<int64_t> shape = global.getDecodedType().getShape().vec();
  if (isTransposed)
    std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  return shape;
}

/// Whether a weight of `shape` may have the content of `tensor`. Same element type and shape; U8 also holds i8, since
/// MLIR's integers have no sign.
static bool matches(ArrayRef<int64_t> shape, StringRef dtype, const ::ecf8::SafetensorsTensor &tensor) {
  std::optional<::ecf8::SafetensorsDType> expected = getSafetensorsDType(dtype);
  bool isSameType = expected == tensor.dtype || (dtype == "i8" && tensor.dtype == ::ecf8::SafetensorsDType::U8) ||
                    (dtype == "i16" && tensor.dtype == ::ecf8::SafetensorsDType::U16) ||
                    (dtype == "i32" && tensor.dtype == ::ecf8::SafetensorsDType::U32) ||
                    (dtype == "i64" && tensor.dtype == ::ecf8::SafetensorsDType::U64);
  return isSameType &&
         llvm::equal(shape, tensor.shape, [](int64_t a, uint64_t b) { return static_cast<uint64_t>(a) == b; });
}

static LogicalResult bindKey(ModuleWeight &weight, const WeightFiles &files) {
  auto error = [&] { return emitError(weight.global.getLoc()) << "weight '" << weight.name << "': "; };
  const WeightFiles::Entry *entry = files.find(weight.name);
  if (!entry) {
    if (files.empty())
      return error() << "expected a weights file that holds it, got none (pass it with --weights)";
    return error() << "expected a tensor of this name in " << files.describe() << ", got none";
  }
  const ::ecf8::SafetensorsTensor &tensor = *entry->tensor;
  weight.source = entry;
  weight.content = entry->bytes();
  if (weight.global.isCompressed()) {
    if (entry->isPayload || (tensor.dtype == ::ecf8::SafetensorsDType::U8 && tensor.shape.size() == 1))
      return success();
    return error() << "expected a payload (U8, one dimension) for " << weight.global.getType() << ", got "
                   << describe(tensor.dtype, tensor.shape) << " in " << entry->file->path();
  }
  weight.isPayload = entry->isPayload;
  weight.isTransposed = weight.global.isTransposed();
  std::vector<int64_t> expected = weight.getContentShape();
  if (matches(expected, weight.dtype, tensor))
    return success();
  SmallVector<uint64_t> shape(expected.begin(), expected.end());
  return error() << "expected " << describe(*getSafetensorsDType(weight.dtype), shape) << ", got "
                 << describe(tensor.dtype, tensor.shape) << " in " << entry->file->path();
}

static LogicalResult bindValue(ModuleWeight &weight) {
  ElementsAttr value = *weight.global.getValue();
  auto error = [&] { return emitError(weight.global.getLoc()) << "weight '" << weight.name << "': "; };
  uint64_t elementBytes = value.getElementType().isInteger(1) ? 1 : value.getElementType().getIntOrFloatBitWidth() / 8;
  uint64_t expectedBytes = elementBytes * value.getNumElements();
  ArrayRef<char> raw;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return error() << "expected the bytes of resource '" << resource.getRawHandle().getKey()
                     << "', got none (was the IR printed with elided resources?)";
    raw = blob->getData();
  } else if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    raw = dense.getRawData();
    if (dense.getElementType().isInteger(1)) {
      // Packed bits in the attribute, one byte per element in memory.
      for (bool element : dense.getValues<bool>())
        weight.storage.push_back(element);
    } else if (dense.isSplat()) {
      weight.storage.resize(expectedBytes);
      for (uint64_t i = 0; i < expectedBytes; ++i)
        weight.storage[i] = raw[i % elementBytes];
    }
  } else {
    return error() << "expected dense elements, got " << value.getAbstractAttribute().getName();
  }
  weight.content = weight.storage.empty() ? ::ecf8::ByteSpan(reinterpret_cast<const uint8_t *>(raw.data()), raw.size())
                                          : ::ecf8::ByteSpan(weight.storage);
  if (weight.content.size() != expectedBytes)
    return error() << "expected " << expectedBytes << " bytes for " << value.getShapedType() << ", got "
                   << weight.content.size();
  return success();
}

/// "'a', 'b', 'c' and 4 more".
static std::string listNames(ArrayRef<std::string> names) {
  constexpr size_t shown = 8;
  std::string text = llvm::join(
      llvm::map_range(names.take_front(shown), [](const std::string &name) { return "'" + name + "'"; }), ", ");
  return names.size() > shown ? text + " and " + std::to_string(names.size() - shown) + " more" : text;
}

LogicalResult bindWeights(ModuleOp module, const WeightFiles &files, const BindOptions &options,
                          std::vector<ModuleWeight> &weights) {
  // Keys come first: the name of an inline constant is free to choose, that of a tensor in a file is not.
  llvm::StringSet<> keys;
  for (GlobalOp global : module.getOps<GlobalOp>())
    if (global.getKey() && !keys.insert(*global.getKey()).second)
      return emitError(global.getLoc()) << "weight '" << *global.getKey() << "': expected one global per key, got two";
  llvm::StringSet<> names = keys;
  constexpr unsigned maximumErrors = 10;
  unsigned errorCount = 0;
  for (GlobalOp global : module.getOps<GlobalOp>()) {
    ModuleWeight weight;
    weight.global = global;
    weight.name = global.getKey() ? global.getKey()->str() : global.getSymName().str();
    for (unsigned i = 1; !global.getKey() && !names.insert(weight.name).second; ++i)
      weight.name = global.getSymName().str() + "." + std::to_string(i);
    Type elementType = global.getDecodedType().getElementType();
    weight.dtype = getDTypeName(elementType);
    LogicalResult result = success();
    if (weight.dtype.empty())
      result = emitError(global.getLoc())
               << "weight '" << weight.name << "': expected an element type that a weights file "
               << "can hold, got " << elementType;
    else
      result = global.getKey() ? bindKey(weight, files) : bindValue(weight);
    if (failed(result) && ++errorCount == maximumErrors)
      return failure();
    weights.push_back(std::move(weight));
  }
  if (errorCount != 0)
    return failure();

  std::vector<std::string> unused = files.namesWhere([&](StringRef name) { return !keys.contains(name); });
  if (unused.empty() || (!options.refuseUnused && !options.noteUnused))
    return success();
  std::string count = std::to_string(unused.size()) + (unused.size() == 1 ? " tensor" : " tensors");
  if (options.refuseUnused)
    return emitError(module.getLoc()) << "expected the program to use every tensor of " << files.describe() << ", got "
                                      << count << " unused: " << listNames(unused);
  emitRemark(module.getLoc()) << count << " of " << files.describe()
                              << " not used by the program: " << listNames(unused);
  return success();
}

} // namespace mlir::ecf8
