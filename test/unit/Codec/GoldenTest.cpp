// The files of test/Inputs/golden: today's encoder still writes them, the decoder still reads them, and each invalid
// one still gets its message.
#include "Cases.h"
#include "ecf8/Codec/Decoder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

using namespace ecf8;

namespace {

const std::filesystem::path goldenFolder = GOLDEN_FOLDER;

std::vector<uint8_t> readBytes(const std::filesystem::path &path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::set<std::string> namesIn(const std::string &folder) {
  std::set<std::string> names;
  for (const auto &entry : std::filesystem::directory_iterator(goldenFolder / folder))
    if (entry.path().extension() == ".ecf8")
      names.insert(entry.path().stem());
  return names;
}

/// The lines "name: message" of invalid/messages.txt.
std::map<std::string, std::string> readMessages() {
  std::ifstream file(goldenFolder / "invalid/messages.txt");
  EXPECT_TRUE(file.is_open());
  std::map<std::string, std::string> messages;
  for (std::string line; std::getline(file, line);)
    if (size_t colon = line.find(": "); colon != std::string::npos)
      messages[line.substr(0, colon)] = line.substr(colon + 2);
  return messages;
}

TEST(Golden, ValidFiles) {
  std::set<std::string> names;
  for (const test::ValidCase &valid : test::makeValidCases()) {
    SCOPED_TRACE(valid.name);
    names.insert(valid.name);
    std::vector<uint8_t> payload = readBytes(goldenFolder / "valid" / (valid.name + ".ecf8"));
    EXPECT_EQ(payload, valid.payload) << "the encoder's bytes have changed";
    EXPECT_EQ(test::decodeMessage(payload), "ok");
    EXPECT_EQ(decodeUnchecked(*readPayload(payload)), valid.elements);
    EXPECT_EQ(readBytes(goldenFolder / "valid" / (valid.name + ".bin")), valid.elements);
  }
  EXPECT_EQ(namesIn("valid"), names);
}

TEST(Golden, InvalidFilesGetTheirMessages) {
  std::map<std::string, std::string> messages = readMessages();
  std::set<std::string> names;
  for (const test::InvalidCase &invalid : test::makeInvalidCases()) {
    SCOPED_TRACE(invalid.name);
    names.insert(invalid.name);
    std::vector<uint8_t> payload = readBytes(goldenFolder / "invalid" / (invalid.name + ".ecf8"));
    EXPECT_EQ(payload, invalid.payload);
    std::string message = test::decodeMessage(payload);
    EXPECT_EQ(message, messages[invalid.name]);
    EXPECT_TRUE(message.ends_with("[" + invalid.rule() + "]")) << message;
  }
  EXPECT_EQ(namesIn("invalid"), names);
}

/// Each rule of docs/Format.md that says "A reader checks" has a payload that breaks it.
TEST(Golden, EveryCheckedRuleIsBrokenOnce) {
  std::set<std::string> broken, checked;
  for (const test::InvalidCase &invalid : test::makeInvalidCases())
    broken.insert(invalid.rule());
  std::ifstream file(FORMAT_PAGE);
  ASSERT_TRUE(file.is_open());
  // A checked rule's label is in bold and followed by an asterisk in the page: **header_c1***.
  for (std::string line; std::getline(file, line);)
    if (size_t begin = line.find("**"), end = line.find("***", begin + 2);
        begin != std::string::npos && end != std::string::npos)
      checked.insert(line.substr(begin + 2, end - begin - 2));
  EXPECT_EQ(broken, checked);
}

} // namespace
