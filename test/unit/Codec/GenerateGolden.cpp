// Writes test/Inputs/golden anew: ecf8-golden <folder>. Run it only when the format gains a case; files that exist must
// not change (docs/Format.md, section Versions).
#include "Cases.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

using namespace ecf8;

namespace {

bool writeFile(const std::filesystem::path &path, std::span<const uint8_t> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(bytes.data()), std::streamsize(bytes.size()));
  file.close();
  if (!file)
    std::fprintf(stderr, "cannot write %s\n", path.c_str());
  return bool(file);
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: ecf8-golden <folder>\n");
    return 2;
  }
  std::filesystem::path folder = argv[1];
  std::error_code error;
  for (const char *part : {"valid", "invalid"})
    if (std::filesystem::create_directories(folder / part, error); error) {
      std::fprintf(stderr, "cannot create %s: %s\n", (folder / part).c_str(), error.message().c_str());
      return 1;
    }
  for (const test::ValidCase &valid : test::makeValidCases())
    if (!writeFile(folder / "valid" / (valid.name + ".ecf8"), valid.payload) ||
        !writeFile(folder / "valid" / (valid.name + ".bin"), valid.elements))
      return 1;
  std::string messages;
  for (const test::InvalidCase &invalid : test::makeInvalidCases()) {
    if (!writeFile(folder / "invalid" / (invalid.name + ".ecf8"), invalid.payload))
      return 1;
    messages += invalid.name + ": " + test::decodeMessage(invalid.payload) + "\n";
  }
  std::span<const uint8_t> text(reinterpret_cast<const uint8_t *>(messages.data()), messages.size());
  return writeFile(folder / "invalid/messages.txt", text) ? 0 : 1;
}
