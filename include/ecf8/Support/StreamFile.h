// Files of any size, read and written in pieces, by several threads at once.
#ifndef ECF8_SUPPORT_STREAMFILE_H
#define ECF8_SUPPORT_STREAMFILE_H

#include "ecf8/Support/File.h"

#include <atomic>
#include <memory>

namespace ecf8 {

/// A file that is read by offset, not mapped: one that shrinks or changes meanwhile is an error, not the end of the
/// process.
class InputFile {
public:
  InputFile(InputFile &&other) noexcept;
  InputFile &operator=(InputFile &&other) = delete;
  ~InputFile();

  /// Fails when `path` is not a regular file that can be read.
  static Result<InputFile> open(const std::string &path);

  const std::string &path() const { return filePath; }
  uint64_t sizeBytes() const { return identity.sizeBytes; }
  /// Fills `out` from `offsetBytes` on. A file that ends before is an error.
  Status readAt(uint64_t offsetBytes, std::span<uint8_t> out) const;
  /// Fails when size or times are not those of `open`, or the name now means another file.
  Status checkUnchanged() const;

private:
  /// What tells a file from another, or from itself after a change.
  struct Identity {
    uint64_t device = 0, node = 0, sizeBytes = 0;
    int64_t modifiedSeconds = 0, modifiedNanoseconds = 0;
    bool operator==(const Identity &) const = default;
  };
  InputFile() = default;

  int descriptor = -1;
  Identity identity;
  std::string filePath;
};

/// A file under construction: `path`.ecf8-partial, which takes the place of `path` in `commit`; a link there is
/// replaced, not followed. The temporary is locked: a second writer of the same file is refused, one left over by a
/// killed writer is taken over. Without a successful `commit` it is removed and what stood at `path` is untouched.
class OutputFile {
public:
  static constexpr const char *temporarySuffix = ".ecf8-partial";

  OutputFile(OutputFile &&other) noexcept;
  OutputFile &operator=(OutputFile &&other) = delete;
  ~OutputFile();

  static Result<OutputFile> create(const std::string &path);

  const std::string &path() const { return finalPath; }
  /// Writes at `offsetBytes`. Zeros beyond all that was written become a hole in the file where the system has those.
  Status writeAt(uint64_t offsetBytes, ByteSpan bytes);
  /// Reads what was written (or, between, zeros).
  Status readAt(uint64_t offsetBytes, std::span<uint8_t> out) const;
  /// Cuts or extends the file to `sizeBytes`, flushes file and folder to the disk, and renames.
  Status commit(uint64_t sizeBytes);

private:
  OutputFile() = default;
  void abandon();

  int descriptor = -1;
  std::string finalPath, temporaryPath;
  std::unique_ptr<std::atomic<uint64_t>> writtenEnd; ///< behind the last byte that was written
};

} // namespace ecf8

#endif // ECF8_SUPPORT_STREAMFILE_H
