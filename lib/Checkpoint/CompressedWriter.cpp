// The frame of a compressed file.
#include "CompressedWriter.h"

#include "ecf8/Support/Hash.h"
#include "ecf8/Support/Json.h"

using namespace ecf8;

static uint64_t alignUp(uint64_t offset) {
  return (offset + sectionAlignment - 1) / sectionAlignment * sectionAlignment;
}

Result<std::string> CompressedWriter::printHeader(const std::vector<Entry> &entries, uint64_t originalHash) const {
  SafetensorsMetadata metadata;
  for (const auto &[key, value] : source->originalHeader().metadata)
    if (!key.starts_with(metadata_key::prefix))
      metadata.emplace(key, value);
  metadata[metadata_key::version] = checkpointVersion;
  metadata[metadata_key::encoding] = getName(preset);
  metadata[metadata_key::originalBytes] = std::to_string(source->originalBytes());
  metadata[metadata_key::originalHash] = hashToHex(originalHash);
  metadata[metadata_key::originalHeader] = source->originalHeader().text;
  Result<std::string> text = printJson(metadata);
  if (!text)
    return text.status();
  std::string header = "{\"__metadata__\":" + *text;
  for (const Entry &entry : entries) {
    const CheckpointTensor &tensor = *entry.tensor;
    Result<std::string> line =
        tensor.isCoded
            ? printSafetensorsEntry(tensor.name, SafetensorsDType::U8, {entry.sizeBytes}, entry.offset, entry.sizeBytes)
            : printSafetensorsEntry(tensor.name, tensor.dtype, tensor.shape, entry.offset, entry.sizeBytes);
    if (!line)
      return line.status();
    header += "," + *line;
  }
  return header + "}";
}

Result<CompressedWriter> CompressedWriter::create(const std::string &path, const CheckpointFile &source,
                                                  Preset preset) {
  Result<OutputFile> file = OutputFile::create(path);
  if (!file)
    return file.status();
  CompressedWriter writer(file.take(), source, preset);
  // The most digits that offsets and sizes can have: no payload is larger than raw.
  std::vector<Entry> longest;
  uint64_t most = source.originalBytes() + source.tensors().size() * (headerBytes + sectionAlignment);
  for (const CheckpointTensor &tensor : source.tensors())
    longest.push_back({&tensor, most, tensor.sizeBytes + headerBytes + sectionAlignment});
  Result<std::string> header = writer.printHeader(longest, 0);
  if (!header)
    return header.status().in(path);
  writer.dataOffset = alignUp(8 + header->size());
  if (writer.dataOffset - 8 > safetensorsMaxHeaderBytes)
    return Status(StatusCode::Unsupported, source.path() + ": expected a header that takes at most " +
                                               std::to_string(safetensorsMaxHeaderBytes) +
                                               " bytes with the original's inside, got " +
                                               std::to_string(writer.dataOffset - 8));
  writer.end = writer.dataOffset;
  return writer;
}

void CompressedWriter::endCoded(const CheckpointTensor &tensor, uint64_t payloadBytes) {
  entries.push_back({&tensor, end - dataOffset, payloadBytes});
  end += payloadBytes;
}

void CompressedWriter::endCarried(const CheckpointTensor &tensor) {
  entries.push_back({&tensor, end - dataOffset, tensor.sizeBytes});
  end += tensor.sizeBytes;
}

Result<uint64_t> CompressedWriter::commit(uint64_t originalHash) {
  Result<std::string> header = printHeader(entries, originalHash);
  if (!header)
    return header.status().in(file.path());
  header->resize(dataOffset - 8, ' ');
  uint8_t length[8];
  storeLittle(length, uint64_t(header->size()));
  Status status = file.writeAt(0, length);
  if (status.isOk())
    status = file.writeAt(8, asBytes(*header));
  if (status.isOk())
    status = file.commit(end);
  if (!status.isOk())
    return status;
  return end;
}
