// The C API of checkpoints: the translation between C and the classes of this folder.
#include "ecf8-c/Checkpoint.h"

#include "Workers.h"
#include "ecf8/Checkpoint/Job.h"
#include "ecf8/Support/LastError.h"

using namespace ecf8;

static thread_local LastError lastError;

const char *ecf8_checkpoint_last_error(void) { return lastError.message(); }

static Status invalid(std::string message) { return Status(StatusCode::InvalidArgument, std::move(message)); }

//===-- Opening -----------------------------------------------------------------------------------------------===//

struct EcfCheckpoint {
  struct Entry {
    std::string file;
    const CheckpointFile *checkpoint;
    const CheckpointTensor *tensor;
  };
  struct MetadataEntry {
    std::string file, key, value;
  };
  OpenedFiles files;
  std::vector<Entry> tensors;
  std::vector<MetadataEntry> metadata;

  Status open(const char *path);
  Result<const Entry *> find(size_t index) const;
};

Status EcfCheckpoint::open(const char *path) {
  Result<Listing> listing = listCheckpoint(path);
  if (!listing)
    return listing.status();
  Result<OpenedFiles> opened = openFiles(*listing);
  if (!opened)
    return opened.status();
  files = opened.take();
  if (files.empty()) {
    std::string foreign = explainForeign(*listing);
    return Status(StatusCode::NotFound, std::string(path) +
                                            ": expected a *.safetensors file or a folder with some, found none" +
                                            (foreign.empty() ? "" : " (" + foreign + ")"));
  }
  if (Status status = checkIndexes(*listing, files); !status.isOk())
    return status;
  std::map<std::string_view, const std::string *> fileOfName;
  for (const auto &[name, file] : files) {
    for (const CheckpointTensor &tensor : file.tensors()) {
      auto [known, isNew] = fileOfName.emplace(tensor.name, &name);
      if (!isNew)
        return Status(StatusCode::Corrupt, std::string(path) + ": tensor '" + tensor.name +
                                               "': expected it in one file, found it in '" + *known->second +
                                               "' and '" + name + "'");
      tensors.push_back({name, &file, &tensor});
    }
    for (const auto &[key, value] : file.originalHeader().metadata)
      metadata.push_back({name, key, value});
  }
  return Status::ok();
}

Result<const EcfCheckpoint::Entry *> EcfCheckpoint::find(size_t index) const {
  if (index >= tensors.size())
    return invalid("expected a tensor number below " + std::to_string(tensors.size()) + ", got " +
                   std::to_string(index));
  return &tensors[index];
}

EcfStatusCode ecf8_checkpoint_open(const char *path, EcfCheckpoint **checkpoint) {
  return lastError.guard([&] {
    if (!path || !checkpoint)
      return invalid("expected a path and a place for the checkpoint, got NULL");
    auto opened = std::make_unique<EcfCheckpoint>();
    if (Status status = opened->open(path); !status.isOk())
      return status;
    *checkpoint = opened.release();
    return Status::ok();
  });
}

void ecf8_checkpoint_free(EcfCheckpoint *checkpoint) { delete checkpoint; }

//===-- What is in it -----------------------------------------------------------------------------------------===//

size_t ecf8_checkpoint_tensor_count(const EcfCheckpoint *checkpoint) { return checkpoint->tensors.size(); }

EcfStatusCode ecf8_checkpoint_tensor(const EcfCheckpoint *checkpoint, size_t index, EcfCheckpointTensor *tensor) {
  return lastError.guard([&] {
    if (!checkpoint || !tensor)
      return invalid("expected a checkpoint and a place for the tensor, got NULL");
    Result<const EcfCheckpoint::Entry *> entry = checkpoint->find(index);
    if (!entry)
      return entry.status();
    const CheckpointTensor &known = *(*entry)->tensor;
    Result<TensorSource> source = (*entry)->checkpoint->tensor(known);
    if (!source)
      return source.status();
    const StreamDecoder *decoder = source->decoder();
    // Names of dtypes and encodings are string literals.
    *tensor = {known.name.c_str(),
               (*entry)->file.c_str(),
               safetensorsDTypeName(known.dtype).data(),
               static_cast<int32_t>(known.shape.size()),
               known.shape.data(),
               known.sizeBytes,
               known.storedBytes,
               decoder ? getCodecName(decoder->header()).data() : nullptr};
    return Status::ok();
  });
}

size_t ecf8_checkpoint_metadata_count(const EcfCheckpoint *checkpoint) { return checkpoint->metadata.size(); }

EcfStatusCode ecf8_checkpoint_metadata(const EcfCheckpoint *checkpoint, size_t index, const char **file,
                                       const char **key, const char **value) {
  return lastError.guard([&] {
    if (!checkpoint || !file || !key || !value)
      return invalid("expected a checkpoint and places for the results, got NULL");
    if (index >= checkpoint->metadata.size())
      return invalid("expected a metadata number below " + std::to_string(checkpoint->metadata.size()) + ", got " +
                     std::to_string(index));
    const EcfCheckpoint::MetadataEntry &entry = checkpoint->metadata[index];
    *file = entry.file.c_str();
    *key = entry.key.c_str();
    *value = entry.value.c_str();
    return Status::ok();
  });
}

//===-- Elements ----------------------------------------------------------------------------------------------===//

/// Opens a tensor and calls `read` with it. An error names the file and the tensor, and a file that was changed since
/// it was opened is one.
template <typename Function>
static Status withTensor(const EcfCheckpoint *checkpoint, size_t index, const void *out, uint64_t sizeBytes,
                         Function read) {
  if (!checkpoint || (!out && sizeBytes != 0))
    return invalid("expected a checkpoint and a place for the elements, got NULL");
  Result<const EcfCheckpoint::Entry *> entry = checkpoint->find(index);
  if (!entry)
    return entry.status();
  const auto &[name, file, tensor] = **entry;
  Result<TensorSource> source = file->tensor(*tensor);
  if (!source)
    return source.status();
  if (Status status = read(*tensor, *source); !status.isOk())
    return status.in(file->path() + ": tensor '" + tensor->name + "'");
  return file->checkUnchanged();
}

EcfStatusCode ecf8_checkpoint_read(const EcfCheckpoint *checkpoint, size_t index, void *out, uint64_t size_bytes,
                                   uint32_t threads) {
  return lastError.guard([&] {
    return withTensor(
        checkpoint, index, out, size_bytes, [&](const CheckpointTensor &tensor, const TensorSource &source) {
          if (size_bytes != tensor.sizeBytes)
            return invalid("expected a place for " + std::to_string(tensor.sizeBytes) + " bytes, got one for " +
                           std::to_string(size_bytes));
          std::span<uint8_t> elements(static_cast<uint8_t *>(out), size_bytes);
          uint64_t stepBytes = 1;
          if (const StreamDecoder *decoder = source.decoder()) {
            // After this the decoder cannot but give the elements that were encoded.
            if (Status status = decoder->checkBytes(); !status.isOk())
              return status;
            stepBytes = std::max<uint64_t>(decoder->header().shape.columns * laneCount, 1); // whole strips
          }
          uint64_t pieceBytes = stepBytes * std::max<uint64_t>((uint64_t(1) << 20) / stepBytes, 1);
          return forEachOnWorkers((size_bytes + pieceBytes - 1) / pieceBytes, threads, [&](size_t i) {
            uint64_t begin = i * pieceBytes;
            return source.read(begin, elements.subspan(begin, std::min(pieceBytes, size_bytes - begin)));
          });
        });
  });
}

EcfStatusCode ecf8_checkpoint_read_part(const EcfCheckpoint *checkpoint, size_t index, uint64_t offset_bytes, void *out,
                                        uint64_t size_bytes) {
  return lastError.guard([&] {
    return withTensor(
        checkpoint, index, out, size_bytes, [&](const CheckpointTensor &tensor, const TensorSource &source) {
          if (offset_bytes > tensor.sizeBytes || size_bytes > tensor.sizeBytes - offset_bytes)
            return invalid("expected bytes inside of " + std::to_string(tensor.sizeBytes) + ", got " +
                           std::to_string(size_bytes) + " from byte " + std::to_string(offset_bytes) + " on");
          return source.read(offset_bytes, {static_cast<uint8_t *>(out), size_bytes});
        });
  });
}

//===-- Writing -----------------------------------------------------------------------------------------------===//

EcfStatusCode ecf8_checkpoint_compress(const char *input, const char *output, const char *preset, uint32_t threads,
                                       int32_t force, int32_t *nothing) {
  return lastError.guard([&] {
    if (!input || !output || !preset)
      return invalid("expected an input, an output and a preset, got NULL");
    std::optional<Preset> known = parsePreset(preset);
    if (!known)
      return invalid("expected a preset out of " + listPresets() + ", got '" + std::string(preset) + "'");
    JobOptions options;
    options.task = Task::Compress;
    options.input = input;
    options.output = output;
    options.preset = *known;
    options.jobs = std::max(threads, 1u);
    options.force = force != 0;
    JobProgress progress;
    Result<JobReport> report = runJob(options, progress);
    if (!report)
      return report.status();
    if (nothing)
      *nothing = !report->nothing.empty();
    return Status::ok();
  });
}
