// The C API: nothing here but the translation between C and the classes of this folder. No exception leaves it.
#include "ecf8-c/Runtime.h"

#include "Invoke.h"
#include "Model.h"
#include "ThreadPool.h"
#include "ecf8/Support/LastError.h"

#include <utility>

using namespace ecf8;

// The opaque handle is the model itself under another name.
static const Model &unwrap(const EcfModel *model) { return *reinterpret_cast<const Model *>(model); }

static thread_local LastError lastError;

template <typename Function> static EcfStatusCode guarded(Function function) noexcept {
  return lastError.guard(std::move(function));
}

static EcfStatusCode failure(StatusCode code, const char *message) {
  return guarded([&] { return Status(code, message); });
}

const char *ecf8_version(void) { return ECF8_VERSION; }

const char *ecf8_status_name(EcfStatusCode code) {
  switch (code) {
  case ECF8_OK:
    return "ok";
  case ECF8_INVALID_ARGUMENT:
    return "invalid argument";
  case ECF8_NOT_FOUND:
    return "not found";
  case ECF8_IO_ERROR:
    return "input/output error";
  case ECF8_CORRUPT:
    return "corrupt file";
  case ECF8_UNSUPPORTED:
    return "unsupported";
  case ECF8_OUT_OF_MEMORY:
    return "out of memory";
  case ECF8_ABORTED:
    return "aborted by the model";
  }
  return "unknown status";
}

const char *ecf8_last_error(void) { return lastError.message(); }

//===-- Threads
//-----------------------------------------------------------------------------------------------------===//

EcfStatusCode ecf8_set_threads(int32_t count) {
  return guarded([&] {
    if (count < 0 || count > 1024)
      return Status(StatusCode::InvalidArgument, "expected 0 to 1024 threads, got " + std::to_string(count));
    setThreads(static_cast<unsigned>(count));
    return Status::ok();
  });
}

int32_t ecf8_get_threads(void) {
  int32_t count = 1;
  (void)guarded([&] {
    count = static_cast<int32_t>(currentPool()->threads());
    return Status::ok();
  });
  return count;
}

//===-- Loading
//-----------------------------------------------------------------------------------------------------===//

void ecf8_load_options_init(EcfLoadOptions *options) { *options = {sizeof(EcfLoadOptions), 0, nullptr, nullptr}; }

EcfStatusCode ecf8_model_load(const char *path, const EcfLoadOptions *options, EcfModel **model) {
  return guarded([&] {
    if (!path || !model)
      return Status(StatusCode::InvalidArgument, "expected a path and a place for the model, got NULL");
    LoadOptions loadOptions;
    if (options) {
      if (options->structBytes != sizeof(EcfLoadOptions))
        return Status(StatusCode::InvalidArgument, "expected options from ecf8_load_options_init, got structBytes " +
                                                       std::to_string(options->structBytes));
      loadOptions.verifyWeights = !options->skipWeightChecksums;
      loadOptions.cpu = options->cpu ? options->cpu : "";
      loadOptions.device = options->device ? options->device : "";
    }
    Result<std::unique_ptr<Model>> loaded = Model::load(path, loadOptions);
    if (!loaded)
      return loaded.status();
    *model = reinterpret_cast<EcfModel *>(loaded.take().release());
    return Status::ok();
  });
}

void ecf8_model_free(EcfModel *model) { delete reinterpret_cast<Model *>(model); }

EcfStatusCode ecf8_bundle_verify(const char *path) {
  return guarded(
      [&] { return path ? Model::verify(path) : Status(StatusCode::InvalidArgument, "expected a path, got NULL"); });
}

//===-- What is in a model
//--------------------------------------------------------------------------------------------===//

const char *ecf8_model_cpu(const EcfModel *model) { return unwrap(model).cpu.c_str(); }
const char *ecf8_model_device(const EcfModel *model) { return unwrap(model).device.c_str(); }
const char *ecf8_model_producer(const EcfModel *model) { return unwrap(model).manifest.producer.c_str(); }
size_t ecf8_model_entry_count(const EcfModel *model) { return unwrap(model).manifest.entryPoints.size(); }

/// Null if there is no such number.
static const EntryPoint *findEntry(const EcfModel *model, size_t entry) {
  const std::vector<EntryPoint> &entries = unwrap(model).manifest.entryPoints;
  return entry < entries.size() ? &entries[entry] : nullptr;
}

EcfStatusCode ecf8_model_find_entry(const EcfModel *model, const char *name, size_t *entry) {
  return guarded([&] {
    const std::vector<EntryPoint> &entries = unwrap(model).manifest.entryPoints;
    std::string names;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (name && entries[i].name == name) {
        *entry = i;
        return Status::ok();
      }
      names += (i ? ", " : "") + entries[i].name;
    }
    return Status(StatusCode::NotFound,
                  "expected an entry point of the model (" + names + "), got '" + (name ? name : "") + "'");
  });
}

const char *ecf8_model_entry_name(const EcfModel *model, size_t entry) {
  const EntryPoint *found = findEntry(model, entry);
  return found ? found->name.c_str() : nullptr;
}

size_t ecf8_model_input_count(const EcfModel *model, size_t entry) {
  const EntryPoint *found = findEntry(model, entry);
  return found ? found->inputs.size() : 0;
}

size_t ecf8_model_output_count(const EcfModel *model, size_t entry) {
  const EntryPoint *found = findEntry(model, entry);
  return found ? found->outputs.size() : 0;
}

static EcfStatusCode copySpec(const EcfModel *model, size_t entry, size_t index,
                              std::vector<TensorSpec> EntryPoint::*list, EcfTensorSpec *spec) {
  const EntryPoint *found = findEntry(model, entry);
  if (!found || index >= (found->*list).size())
    return failure(StatusCode::NotFound,
                   "expected the number of an input or output of the entry point, got a larger one");
  const TensorSpec &source = (found->*list)[index];
  *spec = {source.type->name, source.type->dlDtype,
           source.isScalar ? ECF8_SCALAR_RANK : static_cast<int32_t>(source.shape.size()), source.shape.data()};
  return ECF8_OK;
}

EcfStatusCode ecf8_model_input_spec(const EcfModel *model, size_t entry, size_t input, EcfTensorSpec *spec) {
  return copySpec(model, entry, input, &EntryPoint::inputs, spec);
}

EcfStatusCode ecf8_model_output_spec(const EcfModel *model, size_t entry, size_t output, EcfTensorSpec *spec) {
  return copySpec(model, entry, output, &EntryPoint::outputs, spec);
}

size_t ecf8_model_weight_count(const EcfModel *model) { return unwrap(model).manifest.weights.size(); }

EcfStatusCode ecf8_model_weight(const EcfModel *model, size_t index, EcfWeight *weight) {
  const Model &loaded = unwrap(model);
  if (index >= loaded.manifest.weights.size())
    return failure(StatusCode::NotFound, "expected the number of a weight, got a larger one");
  const WeightInfo &info = loaded.manifest.weights[index];
  *weight = {info.name.c_str(),
             info.isCompressed,
             info.type->name,
             info.isCompressed ? info.encoding.c_str() : nullptr,
             static_cast<int32_t>(info.shape.size()),
             info.shape.data(),
             info.storedBytes,
             info.decodedBytes,
             loaded.weights[index].data};
  return ECF8_OK;
}

int32_t ecf8_model_weight_is_transposed(const EcfModel *model, size_t index) {
  const std::vector<WeightInfo> &weights = unwrap(model).manifest.weights;
  return index < weights.size() && weights[index].isTransposed;
}

//===-- Calling
//-----------------------------------------------------------------------------------------------------===//

EcfStatusCode ecf8_model_invoke(const EcfModel *model, size_t entry, const DLManagedTensorVersioned *const *inputs,
                                size_t inputCount, DLManagedTensorVersioned **outputs, size_t outputCount) {
  return guarded([&] {
    if (!model || (inputCount && !inputs) || (outputCount && !outputs))
      return Status(StatusCode::InvalidArgument, "expected a model, inputs and places for outputs, got NULL");
    return invoke(unwrap(model), entry, {inputs, inputCount}, {outputs, outputCount});
  });
}
