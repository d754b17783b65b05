// Files: a read-only mapping, and output that appears whole or not at all.
#include "ecf8/Support/File.h"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace ecf8;

Status ecf8::fileError(const std::string &path, const char *action, int errorNumber) {
  StatusCode code = StatusCode::IoError;
  if (errorNumber == ENOENT || errorNumber == ENOTDIR)
    code = StatusCode::NotFound;
  else if (errorNumber == ENOMEM)
    code = StatusCode::OutOfMemory;
  return Status(code, path + ": cannot " + action + ": " + std::strerror(errorNumber));
}

//===-- MappedFile
//--------------------------------------------------------------------------------------------------===//

MappedFile::MappedFile(MappedFile &&other) noexcept { *this = std::move(other); }

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(address, other.address);
  std::swap(byteCount, other.byteCount);
  std::swap(filePath, other.filePath);
  return *this;
}

MappedFile::~MappedFile() {
  if (address)
    munmap(const_cast<uint8_t *>(address), byteCount);
}

Result<MappedFile> MappedFile::open(const std::string &path) {
  // O_NONBLOCK: a pipe without a writer is refused below instead of waited for.
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return fileError(path, "open", errno);
  MappedFile file;
  file.filePath = path;
  struct stat info;
  if (fstat(descriptor, &info) != 0) {
    int error = errno;
    close(descriptor);
    return fileError(path, "read", error);
  }
  if (!S_ISREG(info.st_mode)) {
    close(descriptor);
    return Status(StatusCode::IoError,
                  path + ": expected a regular file, got a " + (S_ISDIR(info.st_mode) ? "folder" : "device or pipe"));
  }
  file.byteCount = static_cast<uint64_t>(info.st_size);
  if (file.byteCount != 0) {
    void *mapped = mmap(nullptr, file.byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (mapped == MAP_FAILED) {
      int error = errno;
      close(descriptor);
      return fileError(path, "map", error);
    }
    file.address = static_cast<const uint8_t *>(mapped);
  }
  close(descriptor);
  return file;
}

void MappedFile::releasePages(ByteSpan part) const {
  uintptr_t pageBytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  uintptr_t begin = (reinterpret_cast<uintptr_t>(part.data()) + pageBytes - 1) / pageBytes * pageBytes;
  uintptr_t end = (reinterpret_cast<uintptr_t>(part.data()) + part.size()) / pageBytes * pageBytes;
  // The mapping is private and was never written, so its pages can be had again. A failure costs memory, nothing else.
  if (begin < end)
    madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
}

//===-- AtomicFile
//--------------------------------------------------------------------------------------------------===//

AtomicFile::AtomicFile(AtomicFile &&other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), appendOffset(other.appendOffset),
      givenPath(std::move(other.givenPath)), finalPath(std::move(other.finalPath)),
      temporaryPath(std::exchange(other.temporaryPath, std::string())) {}

AtomicFile::~AtomicFile() { abandon(); }

void AtomicFile::abandon() {
  if (descriptor >= 0)
    close(std::exchange(descriptor, -1));
  if (!temporaryPath.empty())
    unlink(std::exchange(temporaryPath, std::string()).c_str());
}

Result<AtomicFile> AtomicFile::create(const std::string &path) {
  AtomicFile file;
  file.givenPath = path;
  file.finalPath = path;
  struct stat info;
  if (stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode))
      return fileError(path, "write", EISDIR);
    if (!S_ISREG(info.st_mode)) {
      file.descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
      if (file.descriptor < 0)
        return fileError(path, "write", errno);
      return file;
    }
    // A neighbour could be renamed over a file that is itself not writable; that would defeat its owner's intent.
    if (access(path.c_str(), W_OK) != 0)
      return fileError(path, "write", errno);
    if (char *resolved = realpath(path.c_str(), nullptr)) {
      file.finalPath = resolved;
      std::free(resolved);
    }
  }
  std::string pattern = file.finalPath + ".tmp-" + std::to_string(getpid()) + "-";
  for (unsigned attempt = 0;; ++attempt) {
    std::string candidate = pattern + std::to_string(attempt);
    file.descriptor = ::open(candidate.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file.descriptor >= 0) {
      file.temporaryPath = std::move(candidate);
      return file;
    }
    if (errno != EEXIST || attempt == 10000)
      return fileError(path, "write", errno);
  }
}

/// Writes all of `bytes` at `offset`, or (negative) at the place of the descriptor. Returns 0 or an errno value.
static int writeAll(int descriptor, ByteSpan bytes, int64_t offset) {
  while (!bytes.empty()) {
    // Linux writes at most 2^31 - 4096 bytes at once.
    size_t wanted = std::min<size_t>(bytes.size(), size_t(1) << 30);
    ssize_t written = offset < 0 ? ::write(descriptor, bytes.data(), wanted)
                                 : ::pwrite(descriptor, bytes.data(), wanted, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return written < 0 ? errno : ENOSPC;
    bytes = bytes.subspan(static_cast<size_t>(written));
    if (offset >= 0)
      offset += written;
  }
  return 0;
}

Status AtomicFile::append(ByteSpan bytes) {
  int error = writeAll(descriptor, bytes, temporaryPath.empty() ? -1 : static_cast<int64_t>(appendOffset));
  if (error)
    return fileError(givenPath, "write", error);
  appendOffset += bytes.size();
  return Status::ok();
}

Status AtomicFile::writeAt(uint64_t offsetBytes, ByteSpan bytes) {
  if (temporaryPath.empty())
    return Status(StatusCode::InvalidArgument, givenPath + ": expected a regular file, got a device or pipe");
  if (offsetBytes > uint64_t(INT64_MAX) - bytes.size())
    return fileError(givenPath, "write", EFBIG);
  if (int error = writeAll(descriptor, bytes, static_cast<int64_t>(offsetBytes)))
    return fileError(givenPath, "write", error);
  return Status::ok();
}

Status AtomicFile::commit() {
  if (temporaryPath.empty()) {
    if (close(std::exchange(descriptor, -1)) != 0)
      return fileError(givenPath, "write", errno);
    return Status::ok();
  }
  int error = fsync(descriptor) != 0 ? errno : 0;
  if (close(std::exchange(descriptor, -1)) != 0 && !error)
    error = errno;
  if (!error && rename(temporaryPath.c_str(), finalPath.c_str()) != 0)
    error = errno;
  if (error) {
    abandon();
    return fileError(givenPath, "write", error);
  }
  temporaryPath.clear();
  return Status::ok();
}

Status ecf8::writeFileAtomically(const std::string &path, std::span<const ByteSpan> chunks) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.status();
  for (ByteSpan chunk : chunks)
    if (Status status = file->append(chunk); !status.isOk())
      return status;
  return file->commit();
}

Status ecf8::writeFileAtomically(const std::string &path, std::string_view text) {
  ByteSpan chunk = asBytes(text);
  return writeFileAtomically(path, {&chunk, 1});
}
