// ecf8-bench-encode IN OUT ROWS COLUMNS ENCODING: the payload of a row-major E4M3FN matrix. ENCODING is the longest
// code of huffman in bits, or "planes".
#include "ecf8/Codec/Encoder.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

int main(int argc, char **argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: %s IN OUT ROWS COLUMNS MAX-CODE-LENGTH|planes\n", argv[0]);
    return 2;
  }
  std::ifstream in(argv[1], std::ios::binary);
  std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
  const uint64_t dims[] = {std::strtoull(argv[3], nullptr, 10), std::strtoull(argv[4], nullptr, 10)};
  std::span<const uint8_t> content(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
  auto options = std::strcmp(argv[5], "planes") == 0
                     ? ecf8::EncodeOptions::planes()
                     : ecf8::EncodeOptions::huffman(static_cast<unsigned>(std::atoi(argv[5])));
  auto payload = ecf8::encode(options, ecf8::ElementType::F8E4M3FN, dims, content);
  if (!payload) {
    std::fprintf(stderr, "%s: %s\n", argv[1], payload.status().message().c_str());
    return 1;
  }
  std::ofstream out(argv[2], std::ios::binary);
  out.write(reinterpret_cast<const char *>(payload->data()), static_cast<std::streamsize>(payload->size()));
  return out.flush() ? 0 : 1;
}
