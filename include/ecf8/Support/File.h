// Files: a read-only mapping, and output that appears whole or not at all.
#ifndef ECF8_SUPPORT_FILE_H
#define ECF8_SUPPORT_FILE_H

#include "ecf8/Support/Status.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ecf8 {

using ByteSpan = std::span<const uint8_t>;

inline ByteSpan asBytes(std::string_view text) { return {reinterpret_cast<const uint8_t *>(text.data()), text.size()}; }

/// "model.bin: cannot open: No such file or directory", with the code that fits `errorNumber` (an errno value).
Status fileError(const std::string &path, const char *action, int errorNumber);

/// A file mapped read-only. The bytes stay valid as long as the object (moving it keeps their address).
/// The file must not be truncated while it is mapped: the kernel ends a process that reads past the new end.
class MappedFile {
public:
  MappedFile() = default;
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  /// Fails when `path` is not a regular file that can be read. An empty file maps to no bytes.
  static Result<MappedFile> open(const std::string &path);

  ByteSpan bytes() const { return {address, byteCount}; }
  uint64_t sizeBytes() const { return byteCount; }
  const std::string &path() const { return filePath; }

  /// Takes the pages that lie wholly in `part` of `bytes()` out of this process's memory; touched again, they are read
  /// again. For whoever goes through a large file once.
  void releasePages(ByteSpan part) const;

private:
  const uint8_t *address = nullptr; // page aligned
  uint64_t byteCount = 0;
  std::string filePath;
};

/// A file under construction: written to a temporary neighbour of `path`, which takes its place in `commit`. Without a
/// successful `commit` the temporary is removed and whatever stood at `path` is untouched. A symbolic link at `path` is
/// followed. Devices and pipes (/dev/stdout, /dev/full) have no neighbour and are written directly, in order only.
class AtomicFile {
public:
  AtomicFile(AtomicFile &&other) noexcept;
  AtomicFile &operator=(AtomicFile &&other) = delete;
  ~AtomicFile();

  static Result<AtomicFile> create(const std::string &path);

  /// Writes after the last byte that `append` wrote. A short write (full disk) is an error.
  Status append(ByteSpan bytes);
  /// Writes at a place of its own, in any order; does not move the place of `append`.
  Status writeAt(uint64_t offsetBytes, ByteSpan bytes);
  /// Flushes to the disk and renames.
  Status commit();

private:
  AtomicFile() = default;
  void abandon();

  int descriptor = -1;
  uint64_t appendOffset = 0;
  std::string givenPath;     // for messages
  std::string finalPath;     // with links resolved
  std::string temporaryPath; // empty: written directly
};

/// Writes the chunks one after the other; on failure nothing is left behind and an older file stays as it was.
Status writeFileAtomically(const std::string &path, std::span<const ByteSpan> chunks);
Status writeFileAtomically(const std::string &path, std::string_view text);

} // namespace ecf8

#endif // ECF8_SUPPORT_FILE_H
