// Sampling tensors and estimating their payloads.
#include "ecf8/Checkpoint/Survey.h"

#include "Workers.h"

#include <algorithm>
#include <chrono>
#include <cmath>

using namespace ecf8;

namespace {

constexpr uint64_t pieceBytes = uint64_t(1) << 16;

/// Of a sample this much is encoded, to see what codes gain that depend on neighbours.
constexpr uint64_t encodedBytes = uint64_t(1) << 20;
/// Columns of the matrix that the pieces of a sample make for that: those of two tiles.
constexpr uint64_t sampleColumns = 2048;

/// Reads pieces of a tensor, evenly spaced and at the same places in every run. `kept` gets the first of them.
Result<TensorStats> sampleTensor(const CheckpointFile &file, const CheckpointTensor &tensor, uint64_t wantedBytes,
                                 std::vector<uint8_t> &kept) {
  Result<TensorSource> source = file.tensor(tensor);
  if (!source)
    return source.status();
  uint64_t allPieces = (tensor.sizeBytes + pieceBytes - 1) / pieceBytes;
  uint64_t pieces =
      std::clamp<uint64_t>((wantedBytes + pieceBytes - 1) / pieceBytes, 1, std::max<uint64_t>(allPieces, 1));
  std::vector<uint8_t> sample;
  TensorStats sum;
  for (uint64_t i = 0; i < pieces && allPieces != 0; ++i) {
    uint64_t piece = i * allPieces / pieces, offset = piece * pieceBytes;
    sample.resize(std::min(pieceBytes, tensor.sizeBytes - offset));
    if (Status status = source->read(offset, sample); !status.isOk())
      return status.in(file.path() + ": tensor '" + tensor.name + "'");
    if (kept.size() < encodedBytes)
      kept.insert(kept.end(), sample.begin(), sample.end());
    TensorStats stats = collectStats(tensor.elementType(), sample);
    sum.elementCount += stats.elementCount;
    for (size_t value = 0; value < stats.byteCounts.size(); ++value)
      sum.byteCounts[value] += stats.byteCounts[value];
    for (size_t symbol = 0; symbol < stats.symbolCounts.size(); ++symbol)
      sum.symbolCounts[symbol] += stats.symbolCounts[symbol];
  }
  sum.elementType = tensor.elementType();
  return sum;
}

/// The figures of the whole tensor, if it is like its sample.
TensorStats scaleUp(const TensorStats &sample, uint64_t elementCount) {
  TensorStats whole = sample;
  whole.elementCount = elementCount;
  uint64_t counted = 0;
  for (uint64_t &count : whole.symbolCounts)
    counted += count = uint64_t(double(count) * double(elementCount) / double(sample.elementCount));
  *std::ranges::max_element(whole.symbolCounts) += elementCount - counted; // what rounding lost
  return whole;
}

/// Where between the least and the greatest size of an estimate payloads lie: a lane of a huffman tile leaves 19 of at
/// most 32 bits unused on average, the last groups of a planes tile half of theirs.
double usualShare(Encoding encoding) { return encoding == Encoding::Huffman ? 19.0 / 32 : 0.5; }

Result<double> estimateBytes(Preset preset, const TensorStats &whole, std::span<const uint64_t> shape) {
  EncodeOptions options = getEncodeOptions(preset);
  Result<SizeEstimate> raw = estimatePayloadBytes(EncodeOptions::raw(), whole, shape);
  if (!raw)
    return raw.status();
  if (!shape.empty() && shape.back() > maxStreamedColumns)
    return double(raw->maxBytes);
  Result<SizeEstimate> coded = estimatePayloadBytes(options, whole, shape);
  if (!coded)
    return coded.status();
  double usual = double(coded->minBytes) + usualShare(options.encoding) * double(coded->maxBytes - coded->minBytes);
  return std::min(usual, double(raw->maxBytes));
}

/// Whether the figures of a tensor do not say what it takes, since neighbours are coded together.
bool dependsOnNeighbours(Preset preset) {
  return preset == Preset::Storage || getEncodeOptions(preset).order == Order::Mma;
}

/// What a sample takes with `preset`, in units of what huffman of group 1 takes.
Result<double> measureShare(Preset preset, ElementType type, std::span<const uint8_t> sample) {
  std::vector<uint64_t> dims = {sample.size() / sampleColumns, sampleColumns};
  sample = sample.first(dims[0] * dims[1]);
  Result<std::vector<uint8_t>> coded = preset == Preset::Storage ? encodeForStorage(type, dims, sample)
                                                                 : encode(getEncodeOptions(preset), type, dims, sample);
  Result<std::vector<uint8_t>> huffman = encode(EncodeOptions::huffman(), type, dims, sample);
  if (!coded || !huffman)
    return coded ? huffman.status() : coded.status();
  double share = double(coded->size()) / double(huffman->size());
  return preset == Preset::Storage ? std::min(1.0, share) : share;
}

Status surveyTensor(const CheckpointFile &file, const CheckpointTensor &tensor, uint64_t wantedBytes,
                    SurveyedTensor &result) {
  result.name = tensor.name;
  result.dtype = tensor.dtype;
  result.shape = tensor.shape;
  result.elementCount = tensor.sizeBytes;
  std::vector<uint8_t> kept;
  Result<TensorStats> sample = sampleTensor(file, tensor, wantedBytes, kept);
  if (!sample)
    return sample.status();
  result.sampledElements = sample->elementCount;
  TensorStats whole = *sample;
  if (sample->elementCount != 0) {
    result.exponentEntropyBits = entropyBits(sample->symbolCounts, sample->elementCount);
    double restBits = sample->entropyBound() - sample->exponentEntropy;
    result.boundBytes = (result.exponentEntropyBits + restBits) / 8 * double(tensor.sizeBytes);
    result.byteEntropyBytes = entropyBits(sample->byteCounts, sample->elementCount) / 8 * double(tensor.sizeBytes);
    whole = scaleUp(*sample, tensor.sizeBytes);
  }
  Result<SizeEstimate> rawBytes = estimatePayloadBytes(EncodeOptions::raw(), whole, tensor.shape);
  if (!rawBytes)
    return rawBytes.status().in(file.path() + ": tensor '" + tensor.name + "'");
  for (size_t i = 0; i < std::size(surveyedPresets); ++i) {
    bool isMeasured = dependsOnNeighbours(surveyedPresets[i]);
    Result<double> bytes = estimateBytes(isMeasured ? Preset::Huffman : surveyedPresets[i], whole, tensor.shape);
    Result<double> share =
        isMeasured && kept.size() >= pieceBytes ? measureShare(surveyedPresets[i], tensor.elementType(), kept) : 1.0;
    if (!bytes || !share)
      return (bytes ? share.status() : bytes.status()).in(file.path() + ": tensor '" + tensor.name + "'");
    result.presetBytes[i] = std::min(*bytes * *share, double(rawBytes->maxBytes));
  }
  return Status::ok();
}

void addTo(SurveyedTensor &sum, const SurveyedTensor &tensor) {
  sum.exponentEntropyBits += tensor.exponentEntropyBits * double(tensor.elementCount);
  sum.elementCount += tensor.elementCount;
  sum.sampledElements += tensor.sampledElements;
  sum.boundBytes += tensor.boundBytes;
  sum.byteEntropyBytes += tensor.byteEntropyBytes;
  for (size_t i = 0; i < std::size(surveyedPresets); ++i)
    sum.presetBytes[i] += tensor.presetBytes[i];
}

} // namespace

Result<Survey> ecf8::surveyCheckpoint(const SurveyOptions &options, JobProgress &progress) {
  auto start = std::chrono::steady_clock::now();
  Result<Listing> listing = listCheckpoint(options.input);
  if (!listing)
    return listing.status();
  Result<OpenedFiles> opened = openFiles(*listing);
  if (!opened)
    return opened.status();
  struct Item {
    const CheckpointFile *file;
    const CheckpointTensor *tensor;
  };
  Survey survey;
  std::vector<Item> items;
  uint64_t fp8Bytes = 0;
  for (const auto &[name, file] : *opened) {
    survey.isCompressed |= file.isCompressed();
    for (const CheckpointTensor &tensor : file.tensors()) {
      survey.weightBytes += tensor.sizeBytes;
      if (!tensor.isCoded)
        continue;
      items.push_back({&file, &tensor});
      survey.tensors.emplace_back().file = name;
      fp8Bytes += tensor.sizeBytes;
    }
  }
  survey.fp8Tensors = items.size();
  if (items.empty()) {
    survey.nothing = explainNothing(*listing, *opened);
    return survey;
  }
  double share = options.sampleBytes == 0 ? 1 : std::min(1.0, double(options.sampleBytes) / double(fp8Bytes + 1));
  progress.totalBytes = uint64_t(share * double(fp8Bytes));
  progress.isRunning = true;
  Status status = forEachOnWorkers(items.size(), options.jobs, [&](size_t i) {
    double wanted = std::max(share * double(items[i].tensor->sizeBytes), double(pieceBytes));
    Status status = surveyTensor(*items[i].file, *items[i].tensor, uint64_t(std::ceil(wanted)), survey.tensors[i]);
    progress.doneBytes += survey.tensors[i].sampledElements;
    return status;
  });
  progress.isRunning = false;
  if (!status.isOk())
    return status;
  for (const SurveyedTensor &tensor : survey.tensors)
    addTo(survey.sum, tensor);
  if (survey.sum.elementCount != 0)
    survey.sum.exponentEntropyBits /= double(survey.sum.elementCount);
  survey.readBytes = survey.sum.sampledElements;
  survey.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return survey;
}
