// Writes a compressed file whose sizes become known on the way. Private to the library.
#ifndef ECF8_LIB_CHECKPOINT_COMPRESSEDWRITER_H
#define ECF8_LIB_CHECKPOINT_COMPRESSEDWRITER_H

#include "ecf8/Checkpoint/CheckpointFile.h"

namespace ecf8 {

/// The payload under construction at the end of a file.
class PayloadSink : public ByteSink {
public:
  PayloadSink(OutputFile &file, uint64_t offset) : file(file), offset(offset) {}
  Status write(uint64_t offsetBytes, std::span<const uint8_t> bytes) override {
    return file.writeAt(offset + offsetBytes, bytes);
  }
  Status read(uint64_t offsetBytes, std::span<uint8_t> out) const override {
    return file.readAt(offset + offsetBytes, out);
  }

private:
  OutputFile &file;
  uint64_t offset;
};

/// The header comes first in the file and is known last: it gets the place of the longest that it can be.
class CompressedWriter {
public:
  /// `source` gives the original's header and tensors; it must outlive the writer.
  static Result<CompressedWriter> create(const std::string &path, const CheckpointFile &source, Preset preset);

  /// All coded tensors in order, each with its sink; then all carried ones, piece by piece. [file_c4]
  PayloadSink codedSink() { return PayloadSink(file, end); }
  void endCoded(const CheckpointTensor &tensor, uint64_t payloadBytes);
  Status writeCarried(uint64_t offsetBytes, ByteSpan bytes) { return file.writeAt(end + offsetBytes, bytes); }
  void endCarried(const CheckpointTensor &tensor);

  /// Writes the header and puts the file in place. Returns its size.
  Result<uint64_t> commit(uint64_t originalHash);

private:
  struct Entry {
    const CheckpointTensor *tensor;
    uint64_t offset, sizeBytes; ///< the offset counts from the data section
  };
  CompressedWriter(OutputFile file, const CheckpointFile &source, Preset preset)
      : file(std::move(file)), source(&source), preset(preset) {}
  Result<std::string> printHeader(const std::vector<Entry> &entries, uint64_t originalHash) const;

  OutputFile file;
  const CheckpointFile *source;
  Preset preset;
  uint64_t dataOffset = 0; ///< of the data section in the file
  uint64_t end = 0;        ///< where the next tensor goes in the file
  std::vector<Entry> entries;
};

} // namespace ecf8

#endif // ECF8_LIB_CHECKPOINT_COMPRESSEDWRITER_H
