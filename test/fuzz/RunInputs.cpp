// Runs a fuzz target on inputs that are kept, without libFuzzer: NAME FILE-OR-FOLDER... A property that does not hold
// ends the process; the last line names the input.
#include "FuzzInput.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace fs = std::filesystem;

int main(int argc, char **argv) {
  std::vector<fs::path> inputs;
  for (int i = 1; i < argc; ++i) {
    size_t before = inputs.size();
    if (fs::is_directory(argv[i]))
      for (const fs::directory_entry &entry : fs::recursive_directory_iterator(argv[i]))
        if (entry.is_regular_file())
          inputs.push_back(entry.path());
    if (fs::is_regular_file(argv[i]))
      inputs.emplace_back(argv[i]);
    if (inputs.size() == before) {
      std::fprintf(stderr, "%s: expected an input or a folder of inputs, got none\n", argv[i]);
      return 1;
    }
  }
  std::sort(inputs.begin(), inputs.end());
  for (const fs::path &path : inputs) {
    std::fprintf(stderr, "%s\n", path.c_str());
    std::ifstream stream(path, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(stream)), {});
    // Memory of exactly this size, so that AddressSanitizer sees a read behind it.
    auto bytes = std::make_unique<uint8_t[]>(text.size());
    std::copy(text.begin(), text.end(), bytes.get());
    LLVMFuzzerTestOneInput(bytes.get(), text.size());
  }
  std::printf("%zu inputs\n", inputs.size());
  return inputs.empty() ? 1 : 0;
}
