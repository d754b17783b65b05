// The functions that compiled code calls, and the calls.
#include "Module.h"

#include "ecf8-c/Runtime.h"
#include "ecf8/Runtime/ModuleABI.h"

#include <algorithm>
#include <csetjmp>
#include <dlfcn.h>
#include <filesystem>
#include <type_traits>

using namespace ecf8;
using namespace ecf8::test;

namespace {

constexpr uint64_t capacityBytes = 1 << 17;
constexpr uint8_t untouched = 0xA5;
constexpr size_t maxInputs = 3;

/// The running call.
struct Host {
  GuardedMemory payloadMemory{capacityBytes};
  // A contraction's sums, its packed activations and its copy of one row, and one to spare.
  GuardedMemory memory[4] = {GuardedMemory(capacityBytes), GuardedMemory(capacityBytes), GuardedMemory(capacityBytes),
                             GuardedMemory(capacityBytes)};
  GuardedMemory inputMemory[maxInputs] = {GuardedMemory(capacityBytes), GuardedMemory(capacityBytes),
                                          GuardedMemory(capacityBytes)};
  const uint8_t *payload = nullptr;
  uint64_t payloadBytes = 0;
  Placement placement = Placement::AtEnd;
  struct Allocation {
    uint8_t *begin;
    uint64_t sizeBytes;
  } allocations[std::extent_v<decltype(memory)>] = {};
  unsigned allocationCount = 0;
  int32_t code = 0;
  std::string message;
  jmp_buf target;
};

Host &host() {
  static Host instance;
  return instance;
}

void fail(int32_t code, const char *message) {
  host().code = code;
  host().message = message ? message : "";
  longjmp(host().target, 1);
}

void *allocate(uint64_t bytes, uint64_t alignment) {
  Host &h = host();
  if (h.allocationCount == std::size(h.allocations) || bytes > capacityBytes)
    fail(ECF8_OUT_OF_MEMORY, "more memory than the test has");
  const GuardedMemory &memory = h.memory[h.allocationCount];
  uint8_t *begin = memory.place(bytes, h.placement, alignment);
  std::fill(std::max(memory.begin(), begin - 128), std::min(memory.end(), begin + bytes + 128), untouched);
  h.allocations[h.allocationCount++] = {begin, bytes};
  return begin;
}

void release(void *) {}

const void *weight(int64_t, int64_t *sizeBytes) {
  *sizeBytes = static_cast<int64_t>(host().payloadBytes);
  return host().payload;
}

void parallelFor(int64_t count, int64_t grain, void (*body)(int64_t, int64_t, void *), void *context) {
  // Pieces as small as they may be.
  for (int64_t begin = 0; begin < count; begin += std::max<int64_t>(grain, 1))
    body(begin, std::min(count, begin + std::max<int64_t>(grain, 1)), context);
}

const EcfModuleImports imports = {
    ECF8_MODULE_ABI_VERSION, sizeof(EcfModuleImports), allocate, release, fail, weight, parallelFor};

/// Nothing with a destructor lives here: `fail` comes back to it.
[[gnu::noinline]] bool callFunction(void (*function)(void **), void **operands) {
  if (_setjmp(host().target))
    return false;
  function(operands);
  return true;
}

bool isUntouched(const uint8_t *begin, const uint8_t *end) {
  return std::all_of(begin, std::max(begin, end), [](uint8_t byte) { return byte == untouched; });
}

} // namespace

Module::Found Module::open(const std::string &path, const std::string &level) {
  EcfLoadOptions options;
  ecf8_load_options_init(&options);
  options.cpu = level.c_str();
  EcfModel *model = nullptr;
  EcfStatusCode code = ecf8_model_load(path.c_str(), &options, &model);
  if (code == ECF8_UNSUPPORTED)
    return Found::Unsupported;
  std::vector<std::string> names;
  if (code == ECF8_OK)
    for (size_t entry = 0; entry < ecf8_model_entry_count(model); ++entry)
      names.push_back(ecf8_model_entry_name(model, entry));
  ecf8_model_free(model);

  void *library = nullptr;
  for (const auto &file : std::filesystem::directory_iterator(path + "/code"))
    if (file.path().filename().string().starts_with(level + "-"))
      library = dlopen(file.path().c_str(), RTLD_NOW | RTLD_LOCAL);
  if (names.empty() || !library) {
    std::fprintf(stderr, "%s: expected a bundle with code for %s: %s\n", path.c_str(), level.c_str(),
                 ecf8_last_error());
    return Found::No;
  }
  auto init = reinterpret_cast<void (*)(const EcfModuleImports *)>(dlsym(library, "ecf8_module_init"));
  init(&imports);
  for (size_t entry = 0; entry < names.size(); ++entry)
    functions[names[entry]] =
        reinterpret_cast<void (*)(void **)>(dlsym(library, ("ecf8_entry_" + std::to_string(entry)).c_str()));
  return Found::Yes;
}

Outcome Module::call(const Call &call, Placement placement) const {
  Host &h = host();
  uint8_t *bytes = h.payloadMemory.place(call.payload.size(), placement);
  std::copy(call.payload.begin(), call.payload.end(), bytes);
  h.payload = bytes;
  h.payloadBytes = call.payload.size();
  h.placement = placement;
  h.allocationCount = 0;
  h.code = 0;
  h.message.clear();

  struct Descriptor {
    uint8_t *allocated, *aligned;
    int64_t offset, sizes[2], strides[2];
  } descriptor = {}, inputs[maxInputs] = {};
  std::vector<void *> operands;
  for (const int64_t &input : call.integers)
    operands.push_back(const_cast<int64_t *>(&input));
  for (size_t i = 0; i < call.matrices.size(); ++i) {
    const MatrixInput &matrix = call.matrices[i];
    uint8_t *begin = h.inputMemory[i].place(matrix.bytes.size(), placement, matrix.elementBytes);
    std::copy(matrix.bytes.begin(), matrix.bytes.end(), begin);
    auto rows = static_cast<int64_t>(matrix.shape.rows), columns = static_cast<int64_t>(matrix.shape.columns);
    inputs[i] = {begin, begin, 0, {rows, columns}, {columns, 1}};
    operands.push_back(&inputs[i]);
  }
  operands.push_back(&descriptor);

  Outcome outcome;
  bool returned = callFunction(functions.at(call.function), operands.data());
  outcome.code = h.code;
  outcome.message = h.message;
  if (!returned && (h.code <= ECF8_OK || h.code > ECF8_ABORTED || h.message.empty()))
    outcome.wrong = "failed without a status and a message";
  if (h.code == ECF8_OUT_OF_MEMORY)
    outcome.wrong = "asked for too much memory";
  for (unsigned i = 0; i < h.allocationCount; ++i) {
    auto [begin, sizeBytes] = h.allocations[i];
    if (!isUntouched(std::max(h.memory[i].begin(), begin - 128), begin))
      outcome.wrong = "wrote in front of its output";
    if (!isUntouched(begin + sizeBytes, std::min(h.memory[i].end(), begin + sizeBytes + 128)))
      outcome.wrong = "wrote behind its output";
  }
  if (!std::equal(call.payload.begin(), call.payload.end(), bytes))
    outcome.wrong = "wrote to the payload";
  for (size_t i = 0; i < call.matrices.size(); ++i)
    if (!std::equal(call.matrices[i].bytes.begin(), call.matrices[i].bytes.end(), inputs[i].aligned))
      outcome.wrong = "wrote to an input";
  if (!returned)
    return outcome;
  if (!descriptor.aligned || descriptor.sizes[0] != static_cast<int64_t>(call.outputShape.rows) ||
      descriptor.sizes[1] != static_cast<int64_t>(call.outputShape.columns)) {
    outcome.wrong = "returned another shape";
    return outcome;
  }
  const uint8_t *output = descriptor.aligned + descriptor.offset * call.outputElementBytes;
  outcome.output.assign(output, output + call.outputShape.elementCount() * call.outputElementBytes);
  return outcome;
}

std::string ecf8::test::describeAddress(const void *address) {
  const Host &h = host();
  auto at = reinterpret_cast<intptr_t>(address);
  std::string text = "payload + " + std::to_string(at - reinterpret_cast<intptr_t>(h.payload)) + " of " +
                     std::to_string(h.payloadBytes) + " bytes";
  for (unsigned i = 0; i < h.allocationCount; ++i)
    text += ", memory " + std::to_string(i) + " + " +
            std::to_string(at - reinterpret_cast<intptr_t>(h.allocations[i].begin)) + " of " +
            std::to_string(h.allocations[i].sizeBytes);
  for (size_t i = 0; i < std::size(h.inputMemory); ++i)
    text += ", end of input " + std::to_string(i) + " + " +
            std::to_string(at - reinterpret_cast<intptr_t>(h.inputMemory[i].end()));
  return text;
}
