// A file in memory, for readers that take a path.
#ifndef ECF8_TEST_FUZZ_MEMORYFILE_H
#define ECF8_TEST_FUZZ_MEMORYFILE_H

#include "FuzzInput.h"

#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace ecf8::fuzz {

class MemoryFile {
public:
  explicit MemoryFile(std::span<const uint8_t> content) : descriptor(memfd_create("ecf8-fuzz", MFD_CLOEXEC)) {
    FUZZ_CHECK(descriptor >= 0);
    FUZZ_CHECK(write(descriptor, content.data(), content.size()) == ssize_t(content.size()));
  }
  ~MemoryFile() { close(descriptor); }
  MemoryFile(const MemoryFile &) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor); }

private:
  int descriptor;
};

} // namespace ecf8::fuzz

#endif // ECF8_TEST_FUZZ_MEMORYFILE_H
