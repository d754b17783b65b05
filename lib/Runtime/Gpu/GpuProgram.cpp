#include "GpuProgram.h"

#include "ecf8/Support/File.h"
#include "ecf8/Support/Hash.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

using namespace ecf8;

namespace {
/// All programs that are loaded: where one runs out of memory, others may keep some.
struct Programs {
  std::mutex mutex;
  std::vector<GpuProgram *> loaded;
};

Programs &programs() {
  static auto *all = new Programs;
  return *all;
}
} // namespace

/// An error of memory with what helps against it.
static Status advised(const Status &status, const char *advice) {
  return status.code() == StatusCode::OutOfMemory ? Status(status.code(), status.message() + "; " + advice) : status;
}

/// An image's table lies at a multiple of this behind the payload's begin.
static constexpr uint64_t tableAlignment = 256;

Result<GpuName> GpuName::parse(const std::string &text) {
  GpuName name;
  if (text == "cpu")
    return Status(StatusCode::InvalidArgument, "expected a GPU for a bundle of target cuda or simt, got 'cpu'; compile "
                                               "with --target=cpu");
  size_t colon = text.find(':');
  name.target = text.substr(0, colon);
  bool isKnown = name.target == "cuda" || (name.target == "simt" && colon == std::string::npos);
  if (isKnown && colon != std::string::npos) {
    const char *end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data() + colon + 1, end, name.ordinal);
    isKnown = error == std::errc() && stop == end && name.ordinal >= 0;
  }
  if (isKnown)
    return name;
  return Status(StatusCode::InvalidArgument, "expected a device cpu, cuda:<number> or simt, got '" + text + "'");
}

//===-- Loading
//-----------------------------------------------------------------------------------------------------===//

/// What `gpu` of a kernels entry, "sm_90a", says: 90, and whether it is for that generation only.
static std::pair<int, bool> parseArchitecture(const std::string &gpu) {
  int number = 0;
  auto [stop, error] = std::from_chars(gpu.data() + std::min<size_t>(3, gpu.size()), gpu.data() + gpu.size(), number);
  return {error == std::errc() && gpu.starts_with("sm_") ? number : -1, stop != gpu.data() + gpu.size()};
}

/// bundle_g1: the newest kernels that the device runs.
static Result<const KernelInfo *> chooseKernels(const Manifest &manifest, const EcfGpuDevice &description) {
  int capability = description.major * 10 + description.minor;
  const KernelInfo *best = nullptr;
  int bestNumber = -1;
  std::string list;
  for (const KernelInfo &kernels : manifest.kernels) {
    list += (list.empty() ? "" : ", ") + kernels.gpu;
    auto [number, isSpecific] = parseArchitecture(kernels.gpu);
    bool runs = capability == 0 || (isSpecific ? capability == number : capability >= number);
    if (number < 0 || !runs || number * 2 + isSpecific <= bestNumber)
      continue;
    best = &kernels;
    bestNumber = number * 2 + isSpecific;
  }
  if (best)
    return best;
  return Status(StatusCode::Unsupported, "expected a GPU for the bundle's kernels (" + list + "), got " +
                                             description.name + " of compute capability " +
                                             std::to_string(description.major) + "." +
                                             std::to_string(description.minor) + "; compile with --gpu-arch for it");
}

/// bundle_g3: the name of the kernel that is there for exactly these weights.
static std::string kernelsMark(const Manifest &manifest) {
  std::string text;
  for (const WeightInfo &weight : manifest.weights)
    if (!weight.isTable)
      text += (weight.isCompressed ? weight.gpu.layout + " " + std::to_string(weight.gpu.slotBytes) : "") + "\n";
  return "ecf8_weights_" + hashToHex(hashBytes({reinterpret_cast<const uint8_t *>(text.data()), text.size()}));
}

Status GpuProgram::loadKernels(const std::string &folder, const EcfGpuDevice &description) {
  if (manifest.kernels.empty()) // a program without work
    return Status::ok();
  Result<const KernelInfo *> chosen = chooseKernels(manifest, description);
  if (!chosen)
    return chosen.status();
  const KernelInfo &info = **chosen;
  std::string path = folder + "/" + info.path;
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.status();
  // bundle_g2
  if (Status status = checkContent(file->bytes(), info.sizeBytes, info.hash); !status.isOk())
    return status.in(path);
  auto *code = const_cast<uint8_t *>(file->bytes().data());
  module = library.moduleLoad(code, file->sizeBytes());
  if (Status status = library.lastStatus(); !status.isOk() || !module)
    return status.isOk() ? Status(StatusCode::Aborted, path + ": cannot load the kernels")
                         : status.in(path + ": cannot load the kernels for " + info.gpu + " on " + device);
  if (!library.moduleGetFunction(module, kernelsMark(manifest).c_str())) {
    (void)library.lastStatus();
    return Status(StatusCode::Corrupt,
                  path + ": expected kernels for the encodings of the bundle's weights, got some for others");
  }
  return Status::ok();
}

/// bundle_g4
static Status checkLayout(const WeightInfo &info, const WeightView &payload) {
  constexpr size_t begin = 40, bytes = 12;
  static const char digits[] = "0123456789abcdef";
  std::string layout;
  for (size_t i = 0; i < bytes; ++i) {
    uint8_t byte = static_cast<const uint8_t *>(payload.data)[begin + i];
    layout += {digits[byte >> 4], digits[byte & 15]};
  }
  if (layout == info.gpu.layout)
    return Status::ok();
  return Status(StatusCode::Corrupt, "weight '" + info.name + "': expected a payload of layout " + info.gpu.layout +
                                         " at byte 40, got " + layout);
}

Status GpuProgram::loadWeights(std::span<const WeightView> hostWeights) {
  for (size_t i = 0; i < hostWeights.size(); ++i) {
    const WeightInfo &info = manifest.weights[i];
    const WeightView &payload = hostWeights[i];
    if (info.isTable) { // part of an image
      images.push_back({nullptr, payload.sizeBytes});
      continue;
    }
    WeightView table{nullptr, 0};
    if (info.isCompressed) {
      if (Status status = checkLayout(info, payload); !status.isOk())
        return status;
      if (info.gpu.table)
        table = hostWeights[*info.gpu.table];
    }
    auto payloadBytes = static_cast<uint64_t>(payload.sizeBytes), tableBytes = static_cast<uint64_t>(table.sizeBytes);
    uint64_t tableOffset = (payloadBytes + tableAlignment - 1) / tableAlignment * tableAlignment;
    uint64_t bytes = std::max<uint64_t>(tableOffset + tableBytes, tableAlignment);
    Result<void *> place = memory.allocateNew(bytes);
    if (!place)
      return advised(place.status(), "free other models there, or take a GPU with more memory")
          .in("weight '" + info.name + "'");
    void *image = *place;
    owned.push_back({image, bytes});
    library.memcpy(image, const_cast<void *>(payload.data), payloadBytes, stream);
    library.memcpy(static_cast<char *>(image) + tableOffset, const_cast<void *>(table.data), tableBytes, stream);
    if (Status status = library.lastStatus(); !status.isOk())
      return status.in("weight '" + info.name + "': cannot copy " + std::to_string(payloadBytes + tableBytes) +
                       " bytes to " + gpu.text());
    images.push_back({image, payload.sizeBytes});
    if (info.isCompressed)
      compressed[image] = {static_cast<int64_t>(info.gpu.slotBytes), payload.data};
  }
  library.streamSynchronize(stream);
  return library.lastStatus().in("weights: cannot copy them to " + gpu.text());
}

Result<std::unique_ptr<GpuProgram>> GpuProgram::load(const Manifest &manifest, const std::string &folder,
                                                     std::span<const WeightView> hostWeights, const GpuName &gpu) {
  Result<const GpuLibrary *> library = GpuLibrary::load(gpu.target);
  if (!library)
    return library.status();
  EcfGpuDevice description = {};
  if ((*library)->open(gpu.ordinal, &description) != ECF8_OK)
    return (*library)->lastStatus().in(gpu.text());
  std::unique_ptr<GpuProgram> program(new GpuProgram(**library, manifest, gpu));
  program->device = description.name;
  program->processorCount = description.processors;
  program->sharedByteCount = description.sharedBytes;
  program->resets = description.resets;
  program->stream = (*library)->streamCreate();
  if (Status status = (*library)->lastStatus(); !status.isOk())
    return status.in(gpu.text());
  if (Status status = program->loadKernels(folder, description); !status.isOk())
    return status;
  if (Status status = program->loadWeights(hostWeights); !status.isOk())
    return status;
  Programs &all = programs();
  std::lock_guard<std::mutex> lock(all.mutex);
  all.loaded.push_back(program.get());
  return program;
}

GpuProgram::~GpuProgram() {
  {
    Programs &all = programs();
    std::lock_guard<std::mutex> lock(all.mutex);
    std::erase(all.loaded, this);
  }
  library.setDefaultDevice(gpu.ordinal);
  if (checkDevice().isOk()) {
    for (Buffer &buffer : owned)
      library.memFree(buffer.data, stream);
    if (module)
      library.moduleUnload(module);
    if (stream)
      library.streamDestroy(stream);
  } else {
    memory.forget();
  }
  (void)library.lastStatus();
}

/// Whether the GPU still holds what this program has put there.
Status GpuProgram::checkDevice() {
  EcfGpuDevice description = {};
  if (!isLost && library.open(gpu.ordinal, &description) != ECF8_OK)
    return library.lastStatus().in(gpu.text());
  isLost |= description.resets != resets;
  if (!isLost)
    return Status::ok();
  return Status(StatusCode::Aborted,
                gpu.text() + ": a kernel has made the GPU lose what was on it; load the model again");
}

void GpuProgram::makeRoom() {
  memory.trim();
  Programs &all = programs();
  std::lock_guard<std::mutex> lock(all.mutex);
  for (GpuProgram *other : all.loaded) {
    if (other == this || &other->library != &library || other->gpu.ordinal != gpu.ordinal)
      continue;
    std::unique_lock<std::mutex> own(other->mutex, std::try_to_lock);
    // What was there before a reset is nobody's any more.
    if (own && !other->isLost && other->resets == library.resets(gpu.ordinal))
      other->memory.trim();
  }
}

//===-- Calls
//-------------------------------------------------------------------------------------------------------===//

Status GpuProgram::begin() {
  library.setDefaultDevice(gpu.ordinal);
  (void)library.lastStatus();
  // Also where another program has lost the GPU: its memory may hold something else by now.
  isLost |= library.resets(gpu.ordinal) != resets;
  return isLost ? checkDevice() : Status::ok();
}

Status GpuProgram::lastStatus(Status status) const {
  return lastKernel.empty() || status.code() != StatusCode::Aborted
             ? status
             : status.in("kernel " + lastKernel + " or one before it (ECF8_GPU_SYNC=1 tells which)");
}

Result<void *> GpuProgram::allocate(uint64_t bytes) {
  Result<void *> place = memory.allocate(bytes);
  if (!place)
    return lastStatus(advised(place.status(), "free other models there, or call with smaller inputs"));
  return place;
}

Result<void *> GpuProgram::upload(const void *host, uint64_t bytes) {
  Result<void *> place = allocate(bytes);
  if (!place)
    return place;
  if (Status status = write(*place, host, static_cast<int64_t>(bytes)); !status.isOk())
    return status;
  return place;
}

Status GpuProgram::download(void *host, const void *source, uint64_t bytes) {
  library.memcpy(host, const_cast<void *>(source), bytes, stream);
  library.streamSynchronize(stream);
  return lastStatus();
}

Status GpuProgram::finish() {
  int32_t number = 0;
  if (workspaces[2].data) {
    if (Status status = download(&number, workspaces[2].data, sizeof(number)); !status.isOk())
      return status;
  } else {
    library.streamSynchronize(stream);
    if (Status status = lastStatus(); !status.isOk())
      return status;
  }
  if (number == 0)
    return Status::ok();
  size_t index = static_cast<size_t>(number) - 1;
  return Status(StatusCode::Aborted, index < manifest.assertions.size()
                                         ? manifest.assertions[index]
                                         : "assertion " + std::to_string(number) + " failed");
}

void GpuProgram::end(bool hasFailed) {
  if (hasFailed) {
    library.streamSynchronize(stream);
    for (Buffer &workspace : workspaces) {
      if (workspace.data)
        memory.release(workspace.data);
      workspace = {};
    }
    (void)library.lastStatus();
    if (!checkDevice().isOk()) {
      memory.forget();
      return;
    }
  }
  // Workspaces are for all calls.
  std::vector<Buffer> blocks(std::begin(workspaces), std::end(workspaces));
  memory.releaseAllBut([&](void *pointer) {
    return std::any_of(blocks.begin(), blocks.end(), [&](const Buffer &block) { return block.data == pointer; });
  });
  lastKernel.clear();
}

Status GpuProgram::launch(const char *kernel, int64_t gridX, int64_t gridY, int64_t blockX, int64_t sharedBytes,
                          void **parameters, int64_t count) {
  static const bool isSynchronous = [] {
    const char *value = std::getenv("ECF8_GPU_SYNC");
    return value && *value && std::string_view(value) != "0";
  }();
  if (!module)
    return Status(StatusCode::Corrupt, "the code launches kernel '" + std::string(kernel) +
                                           "': expected kernels for GPUs in the manifest, got none");
  void *&function = kernels[kernel];
  if (!function) {
    function = library.moduleGetFunction(module, kernel);
    if (Status status = library.lastStatus(); !function)
      return Status(StatusCode::Corrupt,
                    "the code launches kernel '" + std::string(kernel) + "', which is not there: " + status.message());
  }
  lastKernel = kernel;
  library.launchKernel(function, gridX, gridY, 1, blockX, 1, 1, static_cast<int32_t>(sharedBytes), stream, parameters,
                       nullptr, static_cast<size_t>(count));
  if (isSynchronous)
    library.streamSynchronize(stream);
  return library.lastStatus().in("kernel " + lastKernel);
}

Status GpuProgram::copy(void *destination, const void *source, int64_t bytes) {
  library.memcpy(destination, const_cast<void *>(source), static_cast<size_t>(bytes), stream);
  return lastStatus();
}

Status GpuProgram::write(void *destination, const void *host, int64_t bytes) {
  // From pageable memory the driver has read what it needs when the call returns.
  return copy(destination, host, bytes);
}

Result<const void *> GpuProgram::constant(const void *host, int64_t bytes) {
  const void *&place = constants[host];
  if (place)
    return place;
  uint64_t size = std::max<uint64_t>(static_cast<uint64_t>(bytes), 1);
  Result<void *> data = memory.allocateNew(size);
  if (!data)
    return lastStatus(advised(data.status(), "free other models there")).in("constant of the program");
  owned.push_back({*data, size});
  if (Status status = write(*data, host, bytes); !status.isOk())
    return status;
  return place = *data;
}

Result<void *> GpuProgram::workspace(int64_t which, int64_t bytes) {
  if (which < 0 || which > 2 || bytes < 0)
    return Status(StatusCode::Corrupt, "the code asks for workspace " + std::to_string(which));
  Buffer &buffer = workspaces[which];
  auto wanted = static_cast<uint64_t>(bytes);
  if (buffer.data && buffer.bytes >= wanted)
    return buffer.data;
  Result<void *> place = allocate(wanted);
  if (!place)
    return place;
  if (buffer.data)
    memory.release(buffer.data);
  buffer = {*place, std::max<uint64_t>(wanted, 4)};
  if (which != 0)
    library.memset32(buffer.data, 0, (buffer.bytes + 3) / 4, stream);
  if (Status status = lastStatus(); !status.isOk())
    return status;
  return buffer.data;
}

Result<const GpuProgram::CompressedImage *> GpuProgram::find(const void *payload) const {
  auto found = compressed.find(payload);
  if (found == compressed.end())
    return Status(StatusCode::Corrupt, "the code uses a weight that is none of the bundle");
  return &found->second;
}

Result<int64_t> GpuProgram::slot(const void *payload) const {
  Result<const CompressedImage *> image = find(payload);
  if (!image)
    return image.status();
  return (*image)->slotBytes;
}

Result<const void *> GpuProgram::header(const void *payload) const {
  Result<const CompressedImage *> image = find(payload);
  if (!image)
    return image.status();
  return (*image)->header;
}
