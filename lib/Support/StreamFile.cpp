// Files of any size, read and written in pieces.
#include "ecf8/Support/StreamFile.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

using namespace ecf8;

// Linux reads and writes at most 2^31 - 4096 bytes at once.
static constexpr size_t maxTransferBytes = size_t(1) << 30;

/// Fills `out`. Returns an errno value, or 0 with the number of bytes that were there in `readBytes`.
static int readAll(int descriptor, std::span<uint8_t> out, uint64_t offset, size_t &readBytes) {
  for (readBytes = 0; readBytes < out.size();) {
    ssize_t got = ::pread(descriptor, out.data() + readBytes, std::min(out.size() - readBytes, maxTransferBytes),
                          static_cast<off_t>(offset + readBytes));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return errno;
    if (got == 0)
      return 0;
    readBytes += static_cast<size_t>(got);
  }
  return 0;
}

static Status readExactly(int descriptor, std::span<uint8_t> out, uint64_t offset, const std::string &path) {
  size_t readBytes = 0;
  if (int error = readAll(descriptor, out, offset, readBytes))
    return fileError(path, "read", error);
  if (readBytes != out.size())
    return Status(StatusCode::Corrupt, path + ": expected " + std::to_string(out.size()) + " bytes at byte " +
                                           std::to_string(offset) + ", got the end of the file at byte " +
                                           std::to_string(offset + readBytes) + " (cut off while it was read?)");
  return Status::ok();
}

//===-- InputFile ---------------------------------------------------------------------------------------------===//

InputFile::InputFile(InputFile &&other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), identity(other.identity), filePath(std::move(other.filePath)) {}

InputFile::~InputFile() {
  if (descriptor >= 0)
    close(descriptor);
}

template <typename Identity> static Identity identityOf(const struct stat &info) {
  return {info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size), info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

Result<InputFile> InputFile::open(const std::string &path) {
  InputFile file;
  file.filePath = path;
  // O_NONBLOCK: a pipe without a writer is refused below instead of waited for.
  file.descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat info;
  if (file.descriptor < 0)
    return fileError(path, "open", errno);
  if (fstat(file.descriptor, &info) != 0)
    return fileError(path, "read", errno);
  if (!S_ISREG(info.st_mode))
    return Status(StatusCode::IoError,
                  path + ": expected a regular file, got a " + (S_ISDIR(info.st_mode) ? "folder" : "device or pipe"));
  file.identity = identityOf<Identity>(info);
  return file;
}

Status InputFile::readAt(uint64_t offsetBytes, std::span<uint8_t> out) const {
  return readExactly(descriptor, out, offsetBytes, filePath);
}

Status InputFile::checkUnchanged() const {
  struct stat opened, named;
  if (fstat(descriptor, &opened) != 0)
    return fileError(filePath, "read", errno);
  if (stat(filePath.c_str(), &named) != 0)
    return fileError(filePath, "read", errno);
  if (identityOf<Identity>(opened) != identity || identityOf<Identity>(named) != identity)
    return Status(StatusCode::Corrupt, filePath + ": expected a file that stays as it is, got a change while it was "
                                                  "read");
  return Status::ok();
}

//===-- OutputFile --------------------------------------------------------------------------------------------===//

OutputFile::OutputFile(OutputFile &&other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), finalPath(std::move(other.finalPath)),
      temporaryPath(std::exchange(other.temporaryPath, std::string())), writtenEnd(std::move(other.writtenEnd)) {}

OutputFile::~OutputFile() { abandon(); }

void OutputFile::abandon() {
  // The name goes before the lock does.
  if (!temporaryPath.empty())
    unlink(std::exchange(temporaryPath, std::string()).c_str());
  if (descriptor >= 0)
    close(std::exchange(descriptor, -1));
}

/// A writer that was killed holds its lock until the system has cleared it away: a run that is started again at once
/// waits a little for that. False with errno as flock sets it.
static bool lockPatiently(int descriptor) {
  using namespace std::chrono_literals;
  for (auto end = std::chrono::steady_clock::now() + 3s; flock(descriptor, LOCK_EX | LOCK_NB) != 0;
       std::this_thread::sleep_for(10ms))
    if (errno != EINTR && (errno != EWOULDBLOCK || std::chrono::steady_clock::now() > end))
      return false;
  return true;
}

Result<OutputFile> OutputFile::create(const std::string &path) {
  struct stat opened, named;
  if (stat(path.c_str(), &named) == 0 && !S_ISREG(named.st_mode))
    return Status(StatusCode::IoError, path + ": expected a regular file or none, got a " +
                                           (S_ISDIR(named.st_mode) ? "folder" : "device or pipe"));
  OutputFile file;
  file.finalPath = path;
  file.writtenEnd = std::make_unique<std::atomic<uint64_t>>(0);
  std::string temporary = path + temporarySuffix;
  for (;;) {
    file.descriptor = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file.descriptor < 0)
      return fileError(temporary, "write", errno);
    if (!lockPatiently(file.descriptor))
      return errno == EWOULDBLOCK ? Status(StatusCode::IoError, temporary + ": another process is writing this file")
                                  : fileError(temporary, "lock", errno);
    // Another writer may have renamed or removed it between our opening and locking.
    if (fstat(file.descriptor, &opened) == 0 && lstat(temporary.c_str(), &named) == 0 &&
        opened.st_ino == named.st_ino && opened.st_dev == named.st_dev)
      break;
    close(std::exchange(file.descriptor, -1));
  }
  file.temporaryPath = std::move(temporary);
  if (ftruncate(file.descriptor, 0) != 0)
    return fileError(file.temporaryPath, "write", errno);
  return file;
}

Status OutputFile::writeAt(uint64_t offsetBytes, ByteSpan bytes) {
  if (bytes.empty())
    return Status::ok();
  if (offsetBytes > uint64_t(INT64_MAX) - bytes.size())
    return fileError(finalPath, "write", EFBIG);
  uint64_t end = writtenEnd->load();
  // All bytes equal the one before them, and the first is zero.
  if (offsetBytes >= end && bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0)
    return Status::ok();
  while (end < offsetBytes + bytes.size() && !writtenEnd->compare_exchange_weak(end, offsetBytes + bytes.size()))
    ;
  while (!bytes.empty()) {
    ssize_t written =
        ::pwrite(descriptor, bytes.data(), std::min(bytes.size(), maxTransferBytes), static_cast<off_t>(offsetBytes));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return fileError(finalPath, "write", written < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(static_cast<size_t>(written));
    offsetBytes += static_cast<uint64_t>(written);
  }
  return Status::ok();
}

Status OutputFile::readAt(uint64_t offsetBytes, std::span<uint8_t> out) const {
  size_t readBytes = 0;
  if (int error = readAll(descriptor, out, offsetBytes, readBytes))
    return fileError(finalPath, "read", error);
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(readBytes), out.end(), uint8_t(0));
  return Status::ok();
}

Status OutputFile::commit(uint64_t sizeBytes) {
  if (ftruncate(descriptor, static_cast<off_t>(sizeBytes)) != 0 || fsync(descriptor) != 0 ||
      rename(temporaryPath.c_str(), finalPath.c_str()) != 0) {
    int error = errno;
    abandon();
    return fileError(finalPath, "write", error);
  }
  temporaryPath.clear();
  close(std::exchange(descriptor, -1));
  size_t slash = finalPath.rfind('/');
  std::string folder = slash == std::string::npos ? "." : finalPath.substr(0, slash + 1);
  int folderDescriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folderDescriptor < 0)
    return fileError(folder, "open", errno);
  // Some file systems cannot flush a folder; the file itself is safe by then.
  int error = fsync(folderDescriptor) != 0 && errno != EINVAL ? errno : 0;
  close(folderDescriptor);
  return error ? fileError(folder, "write", error) : Status::ok();
}
