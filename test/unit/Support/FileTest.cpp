// Mapped files and atomic output.
#include "ecf8/Support/File.h"
#include "../TemporaryFolder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace ecf8;
using ecf8::test::TemporaryFolder;

TEST(MappedFile, ReadsWhatIsThere) {
  TemporaryFolder folder;
  folder.write("a", "hello");
  Result<MappedFile> file = MappedFile::open(folder.path("a"));
  ASSERT_TRUE(file.isOk());
  EXPECT_EQ(std::string(file->bytes().begin(), file->bytes().end()), "hello");
  MappedFile moved = file.take();
  EXPECT_EQ(moved.sizeBytes(), 5u);
}

TEST(MappedFile, EmptyFile) {
  TemporaryFolder folder;
  folder.write("a", "");
  Result<MappedFile> file = MappedFile::open(folder.path("a"));
  ASSERT_TRUE(file.isOk());
  EXPECT_EQ(file->sizeBytes(), 0u);
}

/// Bytes of this process in memory, by the kernel's count.
static uint64_t residentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

TEST(MappedFile, ReleasedPagesLeaveMemoryAndComeBack) {
  TemporaryFolder folder;
  constexpr size_t size = 32 << 20;
  folder.write("a", std::string(size, 'x'));
  Result<MappedFile> file = MappedFile::open(folder.path("a"));
  ASSERT_TRUE(file.isOk());
  auto count = [&] { return std::count(file->bytes().begin(), file->bytes().end(), 'x'); };
  EXPECT_EQ(count(), ptrdiff_t(size));
  uint64_t before = residentBytes();
  file->releasePages(file->bytes().subspan(1, size - 1)); // the first page is not wholly in it
  EXPECT_LT(residentBytes() + size / 2, before);
  EXPECT_EQ(count(), ptrdiff_t(size));
  file->releasePages(file->bytes().subspan(5, 10));
  file->releasePages({});
  EXPECT_EQ(count(), ptrdiff_t(size));
}

TEST(MappedFile, Errors) {
  TemporaryFolder folder;
  Status missing = MappedFile::open(folder.path("none")).status();
  EXPECT_EQ(missing.code(), StatusCode::NotFound);
  EXPECT_EQ(missing.message(), folder.path("none") + ": cannot open: No such file or directory");
  EXPECT_EQ(MappedFile::open(folder.path()).status().message(),
            folder.path() + ": expected a regular file, got a folder");
  EXPECT_EQ(MappedFile::open("/dev/null").status().message(),
            "/dev/null: expected a regular file, got a device or pipe");
}

TEST(AtomicFile, WritesChunks) {
  TemporaryFolder folder;
  ByteSpan chunks[] = {asBytes("ab"), asBytes(""), asBytes("cd")};
  ASSERT_TRUE(writeFileAtomically(folder.path("a"), chunks).isOk());
  EXPECT_EQ(folder.read("a"), "abcd");
  EXPECT_EQ(folder.fileCount(), 1u);
  ASSERT_TRUE(writeFileAtomically(folder.path("a"), "new").isOk());
  EXPECT_EQ(folder.read("a"), "new");
}

TEST(AtomicFile, WithoutCommitNothingChanges) {
  TemporaryFolder folder;
  folder.write("a", "old");
  {
    Result<AtomicFile> file = AtomicFile::create(folder.path("a"));
    ASSERT_TRUE(file.isOk());
    ASSERT_TRUE(file->append(asBytes("new")).isOk());
    AtomicFile moved = file.take();
    EXPECT_EQ(folder.fileCount(), 2u);
  }
  EXPECT_EQ(folder.fileCount(), 1u);
  EXPECT_EQ(folder.read("a"), "old");
}

TEST(AtomicFile, PlacesInAnyOrder) {
  TemporaryFolder folder;
  Result<AtomicFile> file = AtomicFile::create(folder.path("a"));
  ASSERT_TRUE(file.isOk());
  ASSERT_TRUE(file->writeAt(4, asBytes("ef")).isOk());
  ASSERT_TRUE(file->append(asBytes("ab")).isOk());
  ASSERT_TRUE(file->append(asBytes("cd")).isOk());
  ASSERT_TRUE(file->commit().isOk());
  EXPECT_EQ(folder.read("a"), "abcdef");
}

TEST(AtomicFile, FollowsLinks) {
  TemporaryFolder folder;
  folder.write("target", "old");
  ASSERT_EQ(symlink("target", folder.path("link").c_str()), 0);
  ASSERT_TRUE(writeFileAtomically(folder.path("link"), "new").isOk());
  EXPECT_EQ(folder.read("target"), "new");
  struct stat info;
  ASSERT_EQ(lstat(folder.path("link").c_str(), &info), 0);
  EXPECT_TRUE(S_ISLNK(info.st_mode));
}

TEST(AtomicFile, FullDisk) {
  Status status = writeFileAtomically("/dev/full", "x");
  EXPECT_EQ(status.code(), StatusCode::IoError);
  EXPECT_EQ(status.message(), "/dev/full: cannot write: No space left on device");
}

TEST(AtomicFile, Unwritable) {
  TemporaryFolder folder;
  EXPECT_EQ(writeFileAtomically(folder.path("no/such/a"), "x").message(),
            folder.path("no/such/a") + ": cannot write: No such file or directory");
  EXPECT_EQ(writeFileAtomically(folder.path(), "x").message(), folder.path() + ": cannot write: Is a directory");
}

// A limit on file sizes stops a write in the middle, as a full disk does.
TEST(AtomicFile, FailureInTheMiddleLeavesNothing) {
  TemporaryFolder folder;
  folder.write("a", "old");
  pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    rlimit limit = {1 << 16, 1 << 16};
    setrlimit(RLIMIT_FSIZE, &limit);
    Status status = writeFileAtomically(folder.path("a"), std::string(1 << 20, 'x'));
    _exit(status.message() == folder.path("a") + ": cannot write: File too large" ? 0 : 1);
  }
  int exitStatus = -1;
  ASSERT_EQ(waitpid(child, &exitStatus, 0), child);
  EXPECT_EQ(exitStatus, 0);
  EXPECT_EQ(folder.fileCount(), 1u);
  EXPECT_EQ(folder.read("a"), "old");
}
