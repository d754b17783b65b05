// A file name of this process, for writers; the file is removed with the object.
#ifndef ECF8_TEST_FUZZ_SCRATCHFILE_H
#define ECF8_TEST_FUZZ_SCRATCHFILE_H

#include <filesystem>
#include <string>
#include <unistd.h>

namespace ecf8::fuzz {

class ScratchFile {
public:
  /// `name` tells files of one process from each other.
  explicit ScratchFile(const std::string &name = "file")
      : place(std::filesystem::temp_directory_path() / ("ecf8-fuzz-" + std::to_string(getpid()) + "-" + name)) {}
  ~ScratchFile() { std::filesystem::remove(place); }
  ScratchFile(const ScratchFile &) = delete;

  std::string path() const { return place.string(); }
  bool exists() const { return std::filesystem::exists(place); }

private:
  std::filesystem::path place;
};

} // namespace ecf8::fuzz

#endif // ECF8_TEST_FUZZ_SCRATCHFILE_H
