// One file at a time. Tensors are read in the order of the original, so that one hash goes over all of it.
#include "ecf8/Checkpoint/Transcode.h"

#include "CompressedWriter.h"
#include "ecf8/Support/Hash.h"

#include <algorithm>

using namespace ecf8;

namespace {

constexpr uint64_t pieceBytes = uint64_t(1) << 20;

/// One file under work: what the three directions share.
class Work {
public:
  Work(const CheckpointFile &source, const WorkOptions &options) : source(source), options(options) {
    // Eight bytes of length, then the header.
    const std::string &text = source.originalHeader().text;
    uint8_t length[8];
    storeLittle(length, uint64_t(text.size()));
    hasher.update(length);
    hasher.update(asBytes(text));
    countDone(8 + text.size());
    result.originalBytes = source.originalBytes();
  }

  Status failed(const CheckpointTensor &tensor, const Status &status) const {
    // Errors of files name their file already.
    bool namesFile = status.code() == StatusCode::IoError || status.message().starts_with(source.path());
    return namesFile ? status : status.in(source.path() + ": tensor '" + tensor.name + "'");
  }

  void countDone(uint64_t bytes) const {
    if (options.doneBytes)
      *options.doneBytes += bytes;
  }

  InOrderVisitor hashOriginal() {
    return [this](std::span<const uint8_t> bytes) {
      hasher.update(bytes);
      countDone(bytes.size());
    };
  }

  /// What a tensor's windows may take: about four times their size for each thread.
  StreamLimits limitsFor(const CheckpointTensor &tensor) const {
    StreamLimits limits;
    uint64_t stripBytes = (tensor.shape.empty() ? 1 : tensor.shape.back()) * laneCount;
    uint64_t windowBytes = std::max(limits.windowBytes, std::min(stripBytes, maxStreamedColumns * laneCount));
    limits.retainedBytes = options.memoryBytes / 2;
    limits.threads = unsigned(std::clamp<uint64_t>(options.memoryBytes / 2 / (4 * windowBytes), 1, options.threads));
    if (tensor.sizeBytes < 4 * limits.windowBytes)
      limits.threads = 1; // not worth starting threads for
    return limits;
  }

  /// Calls visit(offset, piece) for all bytes of a carried tensor in order.
  template <typename Visit> Status forEachPiece(const CheckpointTensor &tensor, const Visit &visit) {
    Result<TensorSource> bytes = source.tensor(tensor);
    if (!bytes)
      return bytes.status();
    for (uint64_t offset = 0; offset < tensor.sizeBytes; offset += buffer.size()) {
      buffer.resize(std::min(pieceBytes, tensor.sizeBytes - offset));
      if (Status status = bytes->read(offset, buffer); !status.isOk())
        return failed(tensor, status);
      if (Status status = visit(offset, ByteSpan(buffer)); !status.isOk())
        return status;
    }
    return Status::ok();
  }

  void countPayload(const CheckpointTensor &tensor, uint64_t payloadBytes, bool isRaw) {
    ++result.codedTensors;
    result.rawTensors += isRaw;
    result.codedElements += tensor.sizeBytes;
    result.codedBytes += payloadBytes;
  }

  /// After all tensors: the source is still what it was, and its original has the hash that it tells.
  Status checkSource() {
    result.originalHash = hasher.digest();
    if (Status status = source.checkUnchanged(); !status.isOk())
      return status;
    if (source.isCompressed() && source.info().originalHash != result.originalHash)
      return Status(StatusCode::Corrupt, source.path() + ": expected an original with the hash " +
                                             hashToHex(source.info().originalHash) + ", got " +
                                             hashToHex(result.originalHash) + " [meta_c3]");
    return Status::ok();
  }

  const CheckpointFile &source;
  const WorkOptions &options;
  Hasher hasher; ///< of the original file
  FileResult result;

private:
  std::vector<uint8_t> buffer;
};

} // namespace

Result<FileResult> ecf8::compressFile(const CheckpointFile &source, const std::string &path, Preset preset,
                                      const WorkOptions &options) {
  Result<CompressedWriter> writer = CompressedWriter::create(path, source, preset);
  if (!writer)
    return writer.status();
  Work work(source, options);
  std::vector<uint64_t> carriedHashes;
  for (const CheckpointTensor &tensor : source.tensors()) {
    if (!tensor.isCoded) { // its place is behind the payloads, and not known yet
      Hasher hasher;
      Status status = work.forEachPiece(tensor, [&](uint64_t, ByteSpan piece) {
        work.hasher.update(piece);
        hasher.update(piece);
        return Status::ok();
      });
      if (!status.isOk())
        return status;
      carriedHashes.push_back(hasher.digest());
      continue;
    }
    Result<TensorSource> elements = source.tensor(tensor);
    if (!elements)
      return elements.status();
    StreamLimits limits = work.limitsFor(tensor);
    if (preset != Preset::Storage)
      limits.counted = countedFor(getEncodeOptions(preset));
    Result<StreamEncoder> encoder =
        StreamEncoder::scan(tensor.elementType(), tensor.shape, *elements, limits, work.hashOriginal());
    if (!encoder)
      return work.failed(tensor, encoder.status());
    if (const StreamDecoder *decoder = elements->decoder())
      if (Status status = encoder->checkContent(decoder->header()); !status.isOk())
        return work.failed(tensor, status);
    PayloadSink sink = writer->codedSink();
    Result<uint64_t> payloadBytes = preset == Preset::Storage ? encoder->encodeForStorage(sink)
                                                              : encoder->encodeSmallest(getEncodeOptions(preset), sink);
    if (!payloadBytes)
      return work.failed(tensor, payloadBytes.status());
    uint8_t encoding = 0;
    if (Status status = sink.read(header_offset::encoding, {&encoding, 1}); !status.isOk())
      return status;
    work.countPayload(tensor, *payloadBytes, Encoding(encoding) == Encoding::Raw);
    writer->endCoded(tensor, *payloadBytes);
  }
  size_t next = 0;
  for (const CheckpointTensor &tensor : source.tensors()) {
    if (tensor.isCoded)
      continue;
    Hasher hasher;
    Status status = work.forEachPiece(tensor, [&](uint64_t offset, ByteSpan piece) {
      hasher.update(piece);
      work.countDone(piece.size());
      return writer->writeCarried(offset, piece);
    });
    if (!status.isOk())
      return status;
    if (hasher.digest() != carriedHashes[next++])
      return work.failed(tensor, Status(StatusCode::Corrupt, "expected the same bytes in both readings, got others "
                                                             "(changed while it was read?)"));
    writer->endCarried(tensor);
  }
  if (Status status = work.checkSource(); !status.isOk())
    return status;
  Result<uint64_t> fileBytes = writer->commit(work.result.originalHash);
  if (!fileBytes)
    return fileBytes.status();
  work.result.storedBytes = *fileBytes;
  return work.result;
}

/// Reads all tensors of a compressed file for `write`(place in the original, bytes), which may be empty.
static Status restoreTensors(Work &work, bool checkPayloads,
                             const std::function<Status(uint64_t, std::span<const uint8_t>)> &write) {
  for (const CheckpointTensor &tensor : work.source.tensors()) {
    Status status;
    if (tensor.isCoded) {
      Result<TensorSource> source = work.source.tensor(tensor);
      if (!source)
        return source.status();
      const StreamDecoder &decoder = *source->decoder();
      work.countPayload(tensor, tensor.storedBytes, decoder.header().encoding == Encoding::Raw);
      if (checkPayloads)
        status = decoder.checkBytes();
      if (status.isOk())
        status = decoder.decode(
            work.limitsFor(tensor),
            [&](uint64_t first, std::span<const uint8_t> elements) {
              return write ? write(tensor.originalOffset + first, elements) : Status::ok();
            },
            work.hashOriginal());
    } else {
      status = work.forEachPiece(tensor, [&](uint64_t offset, ByteSpan piece) {
        work.hasher.update(piece);
        work.countDone(piece.size());
        return write ? write(tensor.originalOffset + offset, piece) : Status::ok();
      });
    }
    if (!status.isOk())
      return work.failed(tensor, status);
  }
  return work.checkSource();
}

static Status checkIsCompressed(const CheckpointFile &source) {
  if (source.isCompressed())
    return Status::ok();
  return Status(StatusCode::InvalidArgument,
                source.path() + ": expected a compressed checkpoint file, got a plain safetensors file");
}

Result<FileResult> ecf8::decompressFile(const CheckpointFile &source, const std::string &path,
                                        const WorkOptions &options) {
  if (Status status = checkIsCompressed(source); !status.isOk())
    return status;
  Result<OutputFile> file = OutputFile::create(path);
  if (!file)
    return file.status();
  const std::string &text = source.originalHeader().text;
  uint8_t length[8];
  storeLittle(length, uint64_t(text.size()));
  Status status = file->writeAt(0, length);
  if (status.isOk())
    status = file->writeAt(8, asBytes(text));
  if (!status.isOk())
    return status;
  Work work(source, options);
  status = restoreTensors(work, /*checkPayloads=*/false, [&](uint64_t offset, std::span<const uint8_t> bytes) {
    return file->writeAt(offset, bytes);
  });
  if (status.isOk())
    status = file->commit(source.originalBytes());
  if (!status.isOk())
    return status;
  work.result.storedBytes = source.fileBytes();
  return work.result;
}

Result<FileResult> ecf8::verifyFile(const CheckpointFile &source, const WorkOptions &options) {
  if (Status status = checkIsCompressed(source); !status.isOk())
    return status;
  Work work(source, options);
  if (Status status = restoreTensors(work, /*checkPayloads=*/true, {}); !status.isOk())
    return status;
  work.result.storedBytes = source.fileBytes();
  return work.result;
}

Result<FileResult> ecf8::summarizeFile(const CheckpointFile &file) {
  if (Status status = checkIsCompressed(file); !status.isOk())
    return status;
  FileResult result;
  result.originalBytes = file.originalBytes();
  result.storedBytes = file.fileBytes();
  result.originalHash = file.info().originalHash;
  for (const CheckpointTensor &tensor : file.tensors()) {
    if (!tensor.isCoded)
      continue;
    Result<TensorSource> source = file.tensor(tensor);
    if (!source)
      return source.status();
    ++result.codedTensors;
    result.rawTensors += source->decoder()->header().encoding == Encoding::Raw;
    result.codedElements += tensor.sizeBytes;
    result.codedBytes += tensor.storedBytes;
  }
  return result;
}
