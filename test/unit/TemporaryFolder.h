// A folder that lives as long as a test.
#ifndef ECF8_TEST_UNIT_TEMPORARYFOLDER_H
#define ECF8_TEST_UNIT_TEMPORARYFOLDER_H

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace ecf8::test {

class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ecf8-test-XXXXXX").string();
    root = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(root); }
  TemporaryFolder(const TemporaryFolder &) = delete;

  std::string path(const std::string &name = "") const { return name.empty() ? root.string() : (root / name).string(); }
  size_t fileCount() const {
    return std::distance(std::filesystem::directory_iterator(root), std::filesystem::directory_iterator());
  }
  void write(const std::string &name, const std::string &content) const {
    std::filesystem::create_directories((root / name).parent_path());
    std::ofstream(root / name, std::ios::binary) << content;
  }
  std::string read(const std::string &name) const {
    std::ifstream stream(root / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

private:
  std::filesystem::path root;
};

} // namespace ecf8::test

#endif // ECF8_TEST_UNIT_TEMPORARYFOLDER_H
