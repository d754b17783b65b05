// Files in pieces: reading what changes, and output that appears whole or not at all.
#include "ecf8/Support/StreamFile.h"
#include "../TemporaryFolder.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>

using namespace ecf8;
using ecf8::test::TemporaryFolder;

TEST(StreamFile, ReadsByOffset) {
  TemporaryFolder folder;
  folder.write("f", "0123456789");
  Result<InputFile> file = InputFile::open(folder.path("f"));
  ASSERT_TRUE(file.isOk());
  EXPECT_EQ(file->sizeBytes(), 10u);
  uint8_t part[4];
  ASSERT_TRUE(file->readAt(3, part).isOk());
  EXPECT_EQ(std::string(part, part + 4), "3456");
  EXPECT_EQ(file->readAt(8, part).message(), folder.path("f") + ": expected 4 bytes at byte 8, got the end of the file "
                                                                "at byte 10 (cut off while it was read?)");
  EXPECT_TRUE(file->checkUnchanged().isOk());
  EXPECT_EQ(InputFile::open(folder.path("none")).status().code(), StatusCode::NotFound);
  EXPECT_EQ(InputFile::open(folder.path()).status().message(),
            folder.path() + ": expected a regular file, got a folder");
}

TEST(StreamFile, NoticesChanges) {
  TemporaryFolder folder;
  for (int kind = 0; kind < 3; ++kind) {
    folder.write("f", "0123456789");
    Result<InputFile> file = InputFile::open(folder.path("f"));
    ASSERT_TRUE(file.isOk());
    if (kind == 0) {
      folder.write("f", "longer than it was");
    } else if (kind == 1) { // the same size at another time
      timespec times[2] = {{1, 0}, {1, 0}};
      ASSERT_EQ(utimensat(AT_FDCWD, folder.path("f").c_str(), times, 0), 0);
    } else { // another file of this name
      folder.write("g", "0123456789");
      std::filesystem::rename(folder.path("g"), folder.path("f"));
    }
    EXPECT_NE(file->checkUnchanged().message().find("got a change while it was read"), std::string::npos);
  }
}

TEST(StreamFile, AppearsWholeOrNotAtAll) {
  TemporaryFolder folder;
  folder.write("f", "old");
  {
    Result<OutputFile> file = OutputFile::create(folder.path("f"));
    ASSERT_TRUE(file.isOk());
    ASSERT_TRUE(file->writeAt(4, asBytes("4567")).isOk());
    EXPECT_EQ(folder.fileCount(), 2u);
  }
  EXPECT_EQ(folder.read("f"), "old");
  EXPECT_EQ(folder.fileCount(), 1u);
  Result<OutputFile> file = OutputFile::create(folder.path("f"));
  ASSERT_TRUE(file.isOk());
  EXPECT_EQ(OutputFile::create(folder.path("f")).status().message(),
            folder.path("f") + ".ecf8-partial: another process is writing this file");
  ASSERT_TRUE(file->writeAt(4, asBytes("45678")).isOk());
  uint8_t part[6];
  ASSERT_TRUE(file->readAt(2, part).isOk()); // zeros between and behind
  EXPECT_EQ(std::string(part, part + 6), std::string("\0\0"
                                                     "4567",
                                                     6));
  ASSERT_TRUE(file->commit(8).isOk());
  EXPECT_EQ(folder.read("f"), std::string("\0\0\0\0"
                                          "4567",
                                          8));
  EXPECT_EQ(folder.fileCount(), 1u);
}

TEST(StreamFile, ReplacesLinksAndLeftovers) {
  TemporaryFolder folder;
  folder.write("target", "untouched");
  std::filesystem::create_symlink(folder.path("target"), folder.path("link"));
  folder.write("link.ecf8-partial", "left over by a killed writer");
  Result<OutputFile> file = OutputFile::create(folder.path("link"));
  ASSERT_TRUE(file.isOk());
  ASSERT_TRUE(file->writeAt(0, asBytes("new")).isOk());
  ASSERT_TRUE(file->commit(3).isOk());
  EXPECT_FALSE(std::filesystem::is_symlink(folder.path("link")));
  EXPECT_EQ(folder.read("link"), "new");
  EXPECT_EQ(folder.read("target"), "untouched");
  EXPECT_EQ(folder.fileCount(), 2u);
  std::filesystem::create_directory(folder.path("folder"));
  EXPECT_EQ(OutputFile::create(folder.path("folder")).status().message(),
            folder.path("folder") + ": expected a regular file or none, got a folder");
  EXPECT_EQ(OutputFile::create(folder.path("none/f")).status().code(), StatusCode::NotFound);
}

TEST(StreamFile, ZerosAreHoles) {
  TemporaryFolder folder;
  Result<OutputFile> file = OutputFile::create(folder.path("f"));
  ASSERT_TRUE(file.isOk());
  std::vector<uint8_t> zeros(1 << 20), ones(1 << 20, 1);
  ASSERT_TRUE(file->writeAt(0, ones).isOk());
  ASSERT_TRUE(file->writeAt(0, zeros).isOk()); // over other bytes they are written
  for (uint64_t i = 1; i < 64; ++i)
    ASSERT_TRUE(file->writeAt(i << 20, zeros).isOk());
  ASSERT_TRUE(file->commit(64 << 20).isOk());
  EXPECT_EQ(folder.read("f"), std::string(64 << 20, '\0'));
  struct stat info;
  ASSERT_EQ(stat(folder.path("f").c_str(), &info), 0);
  EXPECT_LE(info.st_blocks * 512, 2 << 20);
}
