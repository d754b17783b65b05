// Checks inputs against the manifest, builds memref descriptors, and turns the results into tensors that own their
// memory.
#include "Invoke.h"

#include <algorithm>
#include <cstring>
#include <memory>

using namespace ecf8;

namespace {

/// A memref descriptor: {allocated, aligned, offset, sizes[rank], strides[rank]}, eight bytes each.
class Descriptor {
public:
  explicit Descriptor(size_t rank) : words(3 + 2 * rank, 0), rank(rank) {}

  void *operand() { return words.data(); }
  void *allocated() const { return pointer(0); }
  /// The first element.
  const uint8_t *data(size_t elementBytes) const {
    return static_cast<const uint8_t *>(pointer(1)) + words[2] * static_cast<int64_t>(elementBytes);
  }
  std::span<int64_t> sizes() { return std::span(words).subspan(3, rank); }
  std::span<int64_t> strides() { return std::span(words).subspan(3 + rank, rank); }
  std::span<const int64_t> sizes() const { return std::span(words).subspan(3, rank); }
  std::span<const int64_t> strides() const { return std::span(words).subspan(3 + rank, rank); }
  void setPointers(void *address) { words[0] = words[1] = reinterpret_cast<intptr_t>(address); }

private:
  void *pointer(size_t word) const { return reinterpret_cast<void *>(words[word]); }

  std::vector<int64_t> words;
  size_t rank;
};

/// An output tensor: the DLPack struct and what it points to, in one object that the deleter frees.
struct OwnedTensor {
  DLManagedTensorVersioned managed = {};
  std::vector<int64_t> shape, strides;
  void *detached = nullptr; ///< a block of the call
  void *copied = nullptr;   ///< or memory of our own

  ~OwnedTensor() {
    if (detached)
      TrackedMemory::freeDetached(detached);
    std::free(copied);
  }
  static void destroy(DLManagedTensorVersioned *self) { delete static_cast<OwnedTensor *>(self->manager_ctx); }
};

} // namespace

static Status invalid(const std::string &message) { return Status(StatusCode::InvalidArgument, message); }

static std::string typeText(DLDataType type) {
  for (const char *name : {"f8E4M3FN", "f8E5M2", "f16", "bf16", "f32", "f64", "i1", "i8", "i16", "i32", "i64", "ui8"}) {
    DLDataType known = findElementType(name)->dlDtype;
    if (known.code == type.code && known.bits == type.bits && known.lanes == type.lanes)
      return name;
  }
  return "DLPack type (code " + std::to_string(type.code) + ", " + std::to_string(type.bits) + " bits, " +
         std::to_string(type.lanes) + " lanes)";
}

static std::string shapeText(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

/// Strides of a compact row-major tensor.
static void compactStrides(std::span<const int64_t> sizes, std::span<int64_t> strides) {
  int64_t stride = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= std::max<int64_t>(sizes[i], 1);
  }
}

/// A stride only matters where there is more than one element along it.
static bool sameLayout(std::span<const int64_t> sizes, std::span<const int64_t> a, std::span<const int64_t> b) {
  for (size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] > 1 && a[i] != b[i])
      return false;
  return true;
}

/// Number of elements; nothing if the bytes do not fit into 63 bits or a size is negative.
static std::optional<int64_t> elementCount(std::span<const int64_t> sizes, size_t elementBytes) {
  int64_t bytes = static_cast<int64_t>(elementBytes);
  if (std::any_of(sizes.begin(), sizes.end(), [](int64_t size) { return size < 0; }))
    return std::nullopt;
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end())
    return 0;
  for (int64_t size : sizes)
    if (__builtin_mul_overflow(bytes, size, &bytes))
      return std::nullopt;
  return bytes / static_cast<int64_t>(elementBytes);
}

/// Checks one input and returns the address of its first element.
static Result<uint8_t *> checkInput(const TensorSpec &spec, const DLManagedTensorVersioned *managed) {
  if (!managed)
    return invalid("expected a tensor, got NULL");
  if (managed->version.major != DLPACK_MAJOR_VERSION)
    return Status(StatusCode::Unsupported, "expected DLPack version " + std::to_string(DLPACK_MAJOR_VERSION) +
                                               ".x, got " + std::to_string(managed->version.major) + "." +
                                               std::to_string(managed->version.minor));
  const DLTensor &tensor = managed->dl_tensor;
  if (tensor.device.device_type != kDLCPU)
    return invalid("expected a tensor on the CPU, got DLPack device type " +
                   std::to_string(static_cast<int>(tensor.device.device_type)));
  DLDataType type = spec.type->dlDtype;
  if (tensor.dtype.code != type.code || tensor.dtype.bits != type.bits || tensor.dtype.lanes != type.lanes)
    return invalid(std::string("expected dtype ") + spec.type->name + ", got " + typeText(tensor.dtype));
  if (tensor.ndim < 0 || static_cast<size_t>(tensor.ndim) != spec.shape.size())
    return invalid("expected " + describe(spec) + " of rank " + std::to_string(spec.shape.size()) + ", got rank " +
                   std::to_string(tensor.ndim));
  std::span<const int64_t> sizes(tensor.shape, spec.shape.size());
  for (size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] < 0 || (spec.shape[i] >= 0 && spec.shape[i] != sizes[i]))
      return invalid("expected " + describe(spec) + ", got " + shapeText(sizes));
  std::optional<int64_t> count = elementCount(sizes, spec.type->sizeBytes());
  if (!count)
    return invalid("expected less than 2^63 bytes, got " + shapeText(sizes));
  if (tensor.strides && *count > 0) {
    std::vector<int64_t> compact(sizes.size());
    compactStrides(sizes, compact);
    std::span<const int64_t> strides(tensor.strides, sizes.size());
    if (!sameLayout(sizes, strides, compact))
      return invalid("expected a compact row-major tensor, got strides " + shapeText(strides) + " for " +
                     shapeText(sizes));
  }
  if (!tensor.data && *count > 0)
    return invalid("expected data, got NULL");
  uint8_t *data = static_cast<uint8_t *>(tensor.data) + (tensor.data ? tensor.byte_offset : 0);
  if (reinterpret_cast<uintptr_t>(data) % spec.type->sizeBytes() != 0)
    return invalid("expected data aligned to " + std::to_string(spec.type->sizeBytes()) +
                   " bytes, got address ending in " + std::to_string(reinterpret_cast<uintptr_t>(data) % 64));
  // In memory an i1 is a byte of 0 or 1; compiled code relies on it.
  if (type.code == kDLBool)
    for (int64_t i = 0; i < *count; ++i)
      if (data[i] > 1)
        return invalid("expected booleans of 0 or 1, got " + std::to_string(data[i]) + " at element " +
                       std::to_string(i));
  return data;
}

/// Copies a strided tensor to a compact one, innermost dimension last.
static void copyCompact(std::span<const int64_t> sizes, std::span<const int64_t> strides, const uint8_t *source,
                        size_t elementBytes, uint8_t *&target) {
  if (sizes.empty()) {
    std::memcpy(target, source, elementBytes);
    target += elementBytes;
    return;
  }
  for (int64_t i = 0; i < sizes[0]; ++i)
    copyCompact(sizes.subspan(1), strides.subspan(1), source + i * strides[0] * static_cast<int64_t>(elementBytes),
                elementBytes, target);
}

/// Makes a tensor of what the code left in `descriptor`. It takes the block over if that is compact and no other output
/// has it; otherwise (an input, a weight, a constant or a view that the code hands out) it copies.
static Status takeOutput(Call &call, const TensorSpec &spec, const Descriptor &descriptor, OwnedTensor &output) {
  size_t elementBytes = spec.type->sizeBytes();
  std::span<const int64_t> sizes = descriptor.sizes();
  std::optional<int64_t> count = elementCount(sizes, elementBytes);
  for (size_t i = 0; i < sizes.size(); ++i)
    if (spec.shape[i] >= 0 && sizes[i] != spec.shape[i])
      count = std::nullopt;
  if (!count)
    return Status(StatusCode::Corrupt,
                  "the code produced a tensor of shape " + shapeText(sizes) + ", expected " + describe(spec));
  output.shape.assign(sizes.begin(), sizes.end());
  output.strides.resize(sizes.size());
  compactStrides(sizes, output.strides);

  const uint8_t *data = descriptor.data(elementBytes);
  bool isCompact = *count == 0 || sameLayout(sizes, descriptor.strides(), output.strides);
  void *address;
  if (!call.gpu && isCompact && reinterpret_cast<uintptr_t>(data) % 64 == 0 &&
      call.memory.detach(descriptor.allocated())) {
    output.detached = descriptor.allocated();
    address = const_cast<uint8_t *>(data);
  } else {
    size_t bytes = static_cast<size_t>(*count) * elementBytes;
    output.copied = std::aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (!output.copied)
      return Status(StatusCode::OutOfMemory, "cannot allocate " + std::to_string(bytes) + " bytes");
    address = output.copied;
    auto *target = static_cast<uint8_t *>(address);
    if (call.gpu && !spec.isScalar) {
      if (!isCompact)
        return Status(StatusCode::Corrupt,
                      "the code produced a tensor that is not compact, expected " + describe(spec));
      if (Status status = call.gpu->download(target, data, bytes); !status.isOk())
        return status;
    } else if (isCompact && bytes) {
      std::memcpy(target, data, bytes);
    } else if (bytes) {
      copyCompact(sizes, descriptor.strides(), data, elementBytes, target);
    }
  }
  DLTensor &tensor = output.managed.dl_tensor;
  tensor.data = address;
  tensor.ndim = static_cast<int32_t>(sizes.size());
  tensor.shape = output.shape.data();
  tensor.strides = output.strides.data();
  return Status::ok();
}

/// Moves an input that lies at `data` to the GPU where the call is for one.
static Result<void *> placeInput(GpuProgram *gpu, const TensorSpec &spec, std::span<const int64_t> sizes, void *data) {
  if (!gpu || spec.isScalar)
    return data;
  return gpu->upload(data,
                     static_cast<uint64_t>(*elementCount(sizes, spec.type->sizeBytes())) * spec.type->sizeBytes());
}

namespace {
/// What a call on a GPU holds while it runs: the program for itself, and memory until its end.
class GpuCallScope {
public:
  explicit GpuCallScope(GpuProgram *gpu) : gpu(gpu) {
    if (gpu)
      gpu->mutex.lock();
  }
  ~GpuCallScope() {
    if (!gpu)
      return;
    gpu->end(/*hasFailed=*/!hasSucceeded);
    gpu->mutex.unlock();
  }
  GpuCallScope(const GpuCallScope &) = delete;

  bool hasSucceeded = false;

private:
  GpuProgram *gpu;
};
} // namespace

Status ecf8::invoke(const Model &model, size_t entryIndex, std::span<const DLManagedTensorVersioned *const> inputs,
                    std::span<DLManagedTensorVersioned *> outputs) {
  if (entryIndex >= model.manifest.entryPoints.size())
    return Status(StatusCode::NotFound, "expected an entry point below " +
                                            std::to_string(model.manifest.entryPoints.size()) + ", got " +
                                            std::to_string(entryIndex));
  const EntryPoint &entry = model.manifest.entryPoints[entryIndex];
  if (inputs.size() != entry.inputs.size())
    return invalid(entry.name + ": expected " + std::to_string(entry.inputs.size()) + " inputs, got " +
                   std::to_string(inputs.size()));
  if (outputs.size() != entry.outputs.size())
    return invalid(entry.name + ": expected places for " + std::to_string(entry.outputs.size()) + " outputs, got " +
                   std::to_string(outputs.size()));

  GpuProgram *gpu = model.gpu.get();
  GpuCallScope scope(gpu);
  if (gpu)
    if (Status status = gpu->begin(); !status.isOk())
      return status.in(entry.name);
  std::vector<Descriptor> descriptors; // of inputs, then of outputs; operands point into their own storage
  std::vector<void *> operands;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorSpec &spec = entry.inputs[i];
    Result<uint8_t *> data = checkInput(spec, inputs[i]);
    if (!data)
      return data.status().in(entry.name + ": input " + std::to_string(i));
    Descriptor &descriptor = descriptors.emplace_back(spec.shape.size());
    std::copy_n(inputs[i]->dl_tensor.shape, spec.shape.size(), descriptor.sizes().begin());
    compactStrides(descriptor.sizes(), descriptor.strides());
    Result<void *> place = placeInput(gpu, spec, descriptor.sizes(), *data);
    if (!place)
      return place.status().in(entry.name + ": input " + std::to_string(i));
    descriptor.setPointers(*place);
    operands.push_back(spec.isScalar ? *data : descriptor.operand());
  }
  for (const TensorSpec &spec : entry.outputs)
    operands.push_back(descriptors.emplace_back(spec.shape.size()).operand());

  std::vector<std::unique_ptr<OwnedTensor>> results;
  for (size_t i = 0; i < outputs.size(); ++i)
    results.push_back(std::make_unique<OwnedTensor>());

  std::shared_ptr<ThreadPool> pool = currentPool();
  Call call(gpu ? gpu->weights() : std::span<const WeightView>(model.weights), *pool, gpu);
  if (Status status = call.run(model.functions[entryIndex], operands.data()); !status.isOk())
    return status.in(entry.name);
  if (gpu)
    if (Status status = gpu->finish(); !status.isOk())
      return status.in(entry.name);

  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorSpec &spec = entry.outputs[i];
    Descriptor &descriptor = descriptors[inputs.size() + i];
    if (spec.isScalar) {
      // The value stands where the descriptor would; from here on it is a compact tensor of rank 0.
      Descriptor value(0);
      value.setPointers(descriptor.operand());
      std::swap(descriptor, value);
      if (Status status = takeOutput(call, spec, descriptor, *results[i]); !status.isOk())
        return status.in(entry.name);
    } else if (Status status = takeOutput(call, spec, descriptor, *results[i]); !status.isOk()) {
      return status.in(entry.name + ": output " + std::to_string(i));
    }
    DLManagedTensorVersioned &managed = results[i]->managed;
    managed.version = {DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION};
    managed.manager_ctx = results[i].get();
    managed.deleter = OwnedTensor::destroy;
    managed.dl_tensor.device = {kDLCPU, 0};
    managed.dl_tensor.dtype = spec.type->dlDtype;
  }
  for (size_t i = 0; i < outputs.size(); ++i)
    outputs[i] = &results[i].release()->managed;
  scope.hasSucceeded = true;
  return Status::ok();
}
