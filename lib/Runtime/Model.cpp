// Loading and verifying bundles.
#include "Model.h"

#include "CpuFeatures.h"
#include "ThreadPool.h"

#include "ecf8/Support/Hash.h"

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>

using namespace ecf8;

//===-- Library
//-----------------------------------------------------------------------------------------------------===//

Library::Library(Library &&other) noexcept : handle(std::exchange(other.handle, nullptr)) {}

Library &Library::operator=(Library &&other) noexcept {
  std::swap(handle, other.handle);
  return *this;
}

Library::~Library() {
  if (handle)
    dlclose(handle);
}

Result<Library> Library::open(const std::string &path) {
  Library library;
  library.handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library.handle)
    return Status(StatusCode::Corrupt, path + ": cannot load the code: " + dlerror());
  return library;
}

void *Library::find(const std::string &symbol) const { return dlsym(handle, symbol.c_str()); }

//===-- Weights
//-----------------------------------------------------------------------------------------------------===//

static uint64_t readLittleEndian(const uint8_t *bytes, unsigned count) {
  uint64_t value = 0;
  for (unsigned i = 0; i < count; ++i)
    value |= uint64_t(bytes[i]) << (8 * i);
  return value;
}

/// bundle_w2: the fields of the payload header (docs/Format.md) that the manifest repeats, and its version. Compiled
/// code relies on the rest, which it checks itself.
static Status checkPayloadHeader(const WeightInfo &info, ByteSpan payload) {
  constexpr size_t headerBytes = 192;
  auto bad = [](const std::string &message) { return Status(StatusCode::Corrupt, "payload: " + message); };
  if (payload.size() < headerBytes)
    return bad("expected at least " + std::to_string(headerBytes) + " bytes, got " + std::to_string(payload.size()));
  const uint8_t *header = payload.data();
  if (std::memcmp(header, "ECF8", 4) != 0)
    return bad("expected magic 'ECF8' at byte 0, got other bytes");
  if (header[4] != 1)
    return Status(StatusCode::Unsupported, "payload: expected format version 1, got " + std::to_string(header[4]));
  // Kernels of GPUs read wide codes (flag 1) and order mma (flag 2); they were made for what the header says further
  // on.
  const uint64_t knownFlags = info.gpu.layout.empty() ? 0 : 3;
  if (uint64_t flags = readLittleEndian(header + 8, 4); flags & ~knownFlags)
    return Status(StatusCode::Unsupported,
                  "payload: expected no required features that are unknown, got flags " + std::to_string(flags));
  if (uint64_t bytes = readLittleEndian(header + 16, 8); bytes != payload.size())
    return bad("expected " + std::to_string(payload.size()) + " bytes at byte 16, got " + std::to_string(bytes));
  if (header[40] != static_cast<uint8_t>(info.type->payloadCode))
    return bad("expected element type " + std::to_string(info.type->payloadCode) + " at byte 40, got " +
               std::to_string(header[40]));
  if (header[44] != info.storedShape.size() || info.storedShape.size() > 8)
    return bad("expected rank " + std::to_string(info.storedShape.size()) + " at byte 44, got " +
               std::to_string(header[44]));
  for (size_t i = 0; i < info.storedShape.size(); ++i)
    if (uint64_t dim = readLittleEndian(header + 128 + 8 * i, 8); dim != static_cast<uint64_t>(info.storedShape[i]))
      return bad("expected size " + std::to_string(info.storedShape[i]) + " of dimension " + std::to_string(i) +
                 ", got " + std::to_string(dim));
  return Status::ok();
}

/// MLIR's integers have no sign, so a tensor of either sign serves: the unsigned type of the same width.
static SafetensorsDType withoutSign(SafetensorsDType dtype) {
  switch (dtype) {
  case SafetensorsDType::I8:
    return SafetensorsDType::U8;
  case SafetensorsDType::I16:
    return SafetensorsDType::U16;
  case SafetensorsDType::I32:
    return SafetensorsDType::U32;
  case SafetensorsDType::I64:
    return SafetensorsDType::U64;
  default:
    return dtype;
  }
}

/// bundle_w1, for one tensor.
static Status checkTensor(const WeightInfo &info, const SafetensorsTensor &tensor) {
  SafetensorsDType dtype = info.isCompressed ? SafetensorsDType::U8 : info.type->stored;
  if (withoutSign(tensor.dtype) != withoutSign(dtype))
    return Status(StatusCode::Corrupt, "expected dtype " + std::string(safetensorsDTypeName(dtype)) + ", got " +
                                           std::string(safetensorsDTypeName(tensor.dtype)));
  if (tensor.sizeBytes != info.storedBytes)
    return Status(StatusCode::Corrupt,
                  "expected " + std::to_string(info.storedBytes) + " bytes, got " + std::to_string(tensor.sizeBytes));
  if (!info.isCompressed &&
      !std::equal(tensor.shape.begin(), tensor.shape.end(), info.storedShape.begin(), info.storedShape.end(),
                  [](uint64_t a, int64_t b) { return a == static_cast<uint64_t>(b); }))
    return Status(StatusCode::Corrupt, "expected the shape of the manifest, got another one");
  return Status::ok();
}

Status Model::bindWeights(bool verifyHashes) {
  std::string path = folder + "/" + manifest.weightsPath;
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  if (!file)
    return file.status();
  weightsFile = file.take();
  auto bad = [&](const std::string &message) { return Status(StatusCode::Corrupt, path + ": " + message); };
  if (weightsFile.fileSizeBytes() != manifest.weightsFileBytes)
    return bad("expected " + std::to_string(manifest.weightsFileBytes) + " bytes, got " +
               std::to_string(weightsFile.fileSizeBytes()));
  if (weightsFile.tensors().size() > manifest.weights.size())
    return bad("expected the " + std::to_string(manifest.weights.size()) + " tensors of the manifest, got " +
               std::to_string(weightsFile.tensors().size()));

  for (const WeightInfo &info : manifest.weights) {
    const SafetensorsTensor *tensor = weightsFile.find(info.name);
    if (!tensor)
      return bad("expected tensor '" + info.name + "', got none");
    std::string where = path + ": tensor '" + info.name + "' at byte " + std::to_string(tensor->fileOffset);
    if (Status status = checkTensor(info, *tensor); !status.isOk())
      return status.in(where);
    ByteSpan bytes = weightsFile.bytes(*tensor);
    if (info.isCompressed)
      if (Status status = checkPayloadHeader(info, bytes); !status.isOk())
        return status.in(where);
    if (verifyHashes)
      if (uint64_t hash = hashBytes(bytes); hash != info.hash)
        return Status(StatusCode::Corrupt,
                      where + ": expected checksum " + hashToHex(info.hash) + ", got " + hashToHex(hash));
    const void *data = bytes.data();
    if (reinterpret_cast<uintptr_t>(data) % 64 != 0) {
      size_t copyBytes = (bytes.size() + 63) / 64 * 64 + 64;
      auto *copy = static_cast<uint8_t *>(std::aligned_alloc(64, copyBytes));
      if (!copy)
        return Status(StatusCode::OutOfMemory, where + ": cannot allocate " + std::to_string(copyBytes) + " bytes");
      alignedCopies.emplace_back(copy, std::free);
      if (!bytes.empty())
        std::memcpy(copy, bytes.data(), bytes.size());
      data = copy;
    }
    weights.push_back({data, static_cast<int64_t>(bytes.size())});
  }
  return Status::ok();
}

//===-- Code
//--------------------------------------------------------------------------------------------------------===//

/// bundle_c1, bundle_g2
Status Model::checkFile(const std::string &path, uint64_t sizeBytes, uint64_t hash) const {
  std::string whole = folder + "/" + path;
  Result<MappedFile> file = MappedFile::open(whole);
  if (!file)
    return file.status();
  return checkContent(file->bytes(), sizeBytes, hash).in(whole);
}

/// The first feature that the machine lacks, or nothing.
static std::string missingFeature(const CodeInfo &code) {
  for (const std::string &feature : code.features)
    if (!hostHasFeature(feature))
      return feature;
  return {};
}

/// bundle_c2
static Result<const CodeInfo *> chooseCode(const Manifest &manifest, std::string wanted) {
  std::string source = "option cpu";
  if (wanted.empty()) {
    const char *variable = std::getenv("ECF8_CPU");
    wanted = variable ? variable : "";
    source = "ECF8_CPU";
  }
  std::string list, reason;
  for (const CodeInfo &code : manifest.code) {
    list += (list.empty() ? "" : ", ") + code.cpu;
    if (!wanted.empty() && wanted != code.cpu)
      continue;
    std::string missing = missingFeature(code);
    if (missing.empty())
      return &code;
    reason += (reason.empty() ? "" : ", ") + code.cpu + " needs " + missing;
  }
  if (reason.empty())
    return Status(StatusCode::InvalidArgument,
                  source + ": expected an instruction set of the bundle (" + list + "), got '" + wanted + "'");
  return Status(StatusCode::Unsupported,
                "expected a CPU that has all features of the code, got one that lacks some: " + reason);
}

Status Model::loadCode(const CodeInfo &code) {
  if (Status status = checkFile(code.path, code.sizeBytes, code.hash); !status.isOk())
    return status;
  std::string path = folder + "/" + code.path;
  Result<Library> opened = Library::open(path);
  if (!opened)
    return opened.status();
  library = opened.take();
  // bundle_c3
  auto missing = [&](const std::string &symbol) {
    return Status(StatusCode::Corrupt, path + ": expected symbol '" + symbol + "', got none");
  };
  auto abi = reinterpret_cast<uint32_t (*)()>(library.find("ecf8_module_abi"));
  if (!abi)
    return missing("ecf8_module_abi");
  if (uint32_t version = abi(); version != ECF8_MODULE_ABI_VERSION)
    return Status(StatusCode::Unsupported, path + ": expected module ABI " + std::to_string(ECF8_MODULE_ABI_VERSION) +
                                               ", got " + std::to_string(version));
  auto init = reinterpret_cast<void (*)(const EcfModuleImports *)>(library.find("ecf8_module_init"));
  if (!init)
    return missing("ecf8_module_init");
  for (const EntryPoint &entry : manifest.entryPoints) {
    auto function = reinterpret_cast<EntryFunction>(library.find(entry.symbol));
    if (!function)
      return missing(entry.symbol);
    functions.push_back(function);
  }
  init(&moduleImports());
  auto initGpu = reinterpret_cast<void (*)(const EcfGpuImports *)>(library.find("ecf8_module_init_gpu"));
  if (initGpu)
    initGpu(&gpuImports());
  cpu = code.cpu;
  return Status::ok();
}

//===-- Device
//---------------------------------------------------------------------------------------------------------===//

Status Model::loadOnDevice(std::string device) {
  std::string source = "option device";
  if (device.empty()) {
    const char *variable = std::getenv("ECF8_DEVICE");
    device = variable ? variable : "";
    source = "ECF8_DEVICE";
  }
  if (device.empty())
    device = manifest.target;
  if (manifest.target == "cpu") {
    if (device == "cpu")
      return Status::ok();
    return Status(StatusCode::InvalidArgument, source + ": expected device cpu for a bundle of target cpu, got '" +
                                                   device + "'; compile with --target=cuda or simt");
  }
  Result<GpuName> name = GpuName::parse(device);
  if (!name)
    return name.status().in(source);
  if (name->target != manifest.target)
    return Status(StatusCode::InvalidArgument, source + ": expected a device for a bundle of target " +
                                                   manifest.target + ", got '" + name->text() +
                                                   "'; compile with --target=" + name->target);
  Result<std::unique_ptr<GpuProgram>> loaded = GpuProgram::load(manifest, folder, weights, *name);
  if (!loaded)
    return loaded.status();
  gpu = loaded.take();
  this->device = gpu->name().text() + " (" + gpu->deviceName() + ")";
  return Status::ok();
}

//===-- Model
//-------------------------------------------------------------------------------------------------------===//

Status Model::readManifest() {
  // An absolute path, so that dlopen takes it as one and a later change of the working folder does no harm.
  if (char *resolved = realpath(folder.c_str(), nullptr)) {
    folder = resolved;
    std::free(resolved);
  }
  std::string path = folder + "/manifest.json";
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.status();
  ByteSpan bytes = file->bytes();
  Result<Manifest> parsed = parseManifest({reinterpret_cast<const char *>(bytes.data()), bytes.size()}, path);
  if (!parsed)
    return parsed.status();
  manifest = parsed.take();
  return Status::ok();
}

Result<std::unique_ptr<Model>> Model::load(const std::string &folder, const LoadOptions &options) {
  if (Status status = checkThreadsOfEnvironment(); !status.isOk())
    return status;
  auto model = std::make_unique<Model>();
  model->folder = folder;
  if (Status status = model->readManifest(); !status.isOk())
    return status;
  Result<const CodeInfo *> code = chooseCode(model->manifest, options.cpu);
  if (!code)
    return code.status().in(model->folder);
  if (Status status = model->bindWeights(options.verifyWeights); !status.isOk())
    return status;
  if (Status status = model->loadCode(**code); !status.isOk())
    return status;
  if (Status status = model->loadOnDevice(options.device); !status.isOk())
    return status;
  return model;
}

Status Model::verify(const std::string &folder) {
  Model model;
  model.folder = folder;
  if (Status status = model.readManifest(); !status.isOk())
    return status;
  if (Status status = model.bindWeights(/*verifyHashes=*/true); !status.isOk())
    return status;
  for (const CodeInfo &code : model.manifest.code)
    if (Status status = model.checkFile(code.path, code.sizeBytes, code.hash); !status.isOk())
      return status;
  for (const KernelInfo &kernels : model.manifest.kernels)
    if (Status status = model.checkFile(kernels.path, kernels.sizeBytes, kernels.hash); !status.isOk())
      return status;
  return Status::ok();
}
