// Walking through folders.
#include "ecf8/Checkpoint/Listing.h"

#include "ecf8/Support/Json.h"

#include <algorithm>
#include <filesystem>
#include <set>

using namespace ecf8;
namespace fs = std::filesystem;

static Status folderError(const std::string &path, const std::error_code &code) {
  return fileError(path, "read", code.value());
}

/// Adds what is below `folder`; `name` is its place relative to the root. `above` holds the real paths of the folders
/// that lead here.
static Status walk(const fs::path &folder, const std::string &name, std::set<fs::path> above, Listing &listing) {
  std::error_code code;
  fs::path real = fs::canonical(folder, code);
  if (code)
    return folderError(folder.string(), code);
  if (!above.insert(real).second)
    return Status(StatusCode::InvalidArgument, folder.string() + ": expected folders without a circle of links");
  fs::directory_iterator entries(folder, code), end;
  for (; !code && entries != end; entries.increment(code)) {
    const fs::path &path = entries->path();
    std::string entryName = name + path.filename().string();
    fs::file_status status = fs::status(path, code); // follows links
    if (code)
      return folderError(path.string(), code);
    if (fs::is_directory(status)) {
      listing.folders.push_back(entryName);
      if (Status walked = walk(path, entryName + "/", above, listing); !walked.isOk())
        return walked;
    } else if (!fs::is_regular_file(status)) {
      return Status(StatusCode::IoError, path.string() + ": expected a regular file, got a device or pipe");
    } else if (!entryName.ends_with(OutputFile::temporarySuffix)) {
      uint64_t sizeBytes = fs::file_size(path, code);
      if (code)
        return folderError(path.string(), code);
      listing.files.push_back({entryName, path.string(), sizeBytes});
    }
  }
  return code ? folderError(folder.string(), code) : Status::ok();
}

Result<Listing> ecf8::listCheckpoint(const std::string &path) {
  Listing listing;
  listing.root = path;
  std::error_code code;
  listing.isFolder = fs::is_directory(path, code);
  if (!listing.isFolder) {
    Result<InputFile> file = InputFile::open(path);
    if (!file)
      return file.status();
    listing.files.push_back({fs::path(path).filename().string(), path, file->sizeBytes()});
    return listing;
  }
  if (Status status = walk(path, "", {}, listing); !status.isOk())
    return status;
  std::ranges::sort(listing.files, {}, &ListedFile::name);
  std::ranges::sort(listing.folders);
  return listing;
}

/// What the content of a file says that it is, where that is not safetensors.
static std::string_view nameForeignContent(const ListedFile &file) {
  uint8_t bytes[8] = {};
  Result<InputFile> opened = InputFile::open(file.path);
  if (!opened)
    return "";
  std::span<uint8_t> first = std::span(bytes).first(std::min<uint64_t>(opened->sizeBytes(), sizeof bytes));
  return opened->readAt(0, first).isOk() ? nameForeignFormat(first) : "";
}

Result<OpenedFiles> ecf8::openFiles(const Listing &listing) {
  OpenedFiles files;
  const ListedFile *foreign = nullptr;
  for (const ListedFile &file : listing.files) {
    // A single file is what the user says it is, whatever its name.
    if (listing.isFolder && !file.isSafetensors())
      continue;
    if (!nameForeignContent(file).empty()) {
      foreign = &file;
      continue;
    }
    Result<CheckpointFile> opened = CheckpointFile::open(file.path);
    if (!opened)
      return opened.status();
    files.emplace(file.name, opened.take());
  }
  // Among others it is a mistake; alone it is another kind of checkpoint.
  if (foreign && !files.empty())
    return CheckpointFile::open(foreign->path).status();
  return files;
}

std::string ecf8::explainForeign(const Listing &listing) {
  for (const ListedFile &file : listing.files) {
    std::string_view format;
    if (file.name.ends_with(".gguf"))
      format = "GGUF file";
    else if (file.name.ends_with(".bin") || file.name.ends_with(".pt") || file.name.ends_with(".pth") ||
             file.name.ends_with(".ckpt") || file.name.ends_with(".pkl"))
      format = "PyTorch pickle";
    else if (!listing.isFolder || file.isSafetensors())
      format = nameForeignContent(file);
    if (format == "GGUF file")
      return file.path + " is a GGUF file; ecf8-pack reads safetensors";
    if (!format.empty())
      return file.path + " is a PyTorch pickle; convert it to safetensors first";
  }
  return "";
}

static Status checkIndex(const ListedFile &index, const OpenedFiles &files) {
  auto bad = [&](const std::string &message) { return Status(StatusCode::Corrupt, index.path + ": " + message); };
  if (index.sizeBytes > safetensorsMaxHeaderBytes)
    return bad("expected an index of at most " + std::to_string(safetensorsMaxHeaderBytes) + " bytes, got " +
               std::to_string(index.sizeBytes));
  Result<InputFile> file = InputFile::open(index.path);
  if (!file)
    return file.status();
  std::string text(file->sizeBytes(), '\0');
  if (Status status = file->readAt(0, {reinterpret_cast<uint8_t *>(text.data()), text.size()}); !status.isOk())
    return status;
  Result<nlohmann::json> parsed = parseJson(text);
  if (!parsed)
    return parsed.status().in(index.path);
  auto map = parsed->is_object() ? parsed->find("weight_map") : parsed->end();
  if (map == parsed->end() || !map->is_object())
    return bad("expected an object 'weight_map', got none");
  std::string folder = index.name.substr(0, index.name.rfind('/') + 1); // empty without a '/'
  for (const auto &[tensor, shard] : map->items()) {
    if (!shard.is_string())
      return bad("weight_map: expected a file name for '" + tensor + "', got " + shard.type_name());
    const auto &name = shard.get_ref<const std::string &>();
    auto found = files.find(folder + name);
    if (found == files.end())
      return Status(StatusCode::NotFound, index.path + ": expected the shard '" + name +
                                              "' beside the index, found none (a download that "
                                              "did not finish?)");
    if (!found->second.find(tensor))
      return bad("weight_map: expected tensor '" + tensor + "' in '" + name + "', which does not hold it");
  }
  return Status::ok();
}

Status ecf8::checkIndexes(const Listing &listing, const OpenedFiles &files) {
  for (const ListedFile &file : listing.files)
    if (listing.isFolder && file.isIndex())
      if (Status status = checkIndex(file, files); !status.isOk())
        return status;
  return Status::ok();
}

std::string ecf8::explainNothing(const Listing &listing, const OpenedFiles &files) {
  std::map<std::string_view, uint64_t> bytesByType;
  for (const auto &[name, file] : files)
    for (const CheckpointTensor &tensor : file.tensors())
      bytesByType[safetensorsDTypeName(tensor.dtype)] += tensor.sizeBytes;
  if (!files.empty()) {
    std::string types;
    for (const auto &[type, bytes] : bytesByType)
      types += (types.empty() ? "" : ", ") + std::string(type);
    bool isTooLarge = bytesByType.contains("F8_E4M3") || bytesByType.contains("F8_E5M2");
    return "nothing to compress: " + listing.root + " has no tensor of dtype F8_E4M3 or F8_E5M2" +
           (isTooLarge ? " with at most " + std::to_string(maxRank) + " dimensions and fewer than 2^63 elements" : "") +
           (types.empty() ? ", and no others" : ", only " + types) +
           (bytesByType.contains("BF16") ? "; quantize the model to FP8 first" : "");
  }
  std::string foreign = explainForeign(listing);
  return "nothing to compress: " + (foreign.empty() ? listing.root + " has no *.safetensors file" : foreign);
}
