// The program of docs/guides/runtime.md on a bundle.
#include "TestBundle.h"

#include <gtest/gtest.h>

#include <sys/wait.h>

using namespace ecf8::test;

namespace {

/// The exit code; what the program prints goes to `out` and `err` in `folder`.
int runProgram(const TemporaryFolder &folder, const std::string &arguments) {
  std::string command = GUIDE_PROGRAM " " + arguments + " >" + folder.path("out") + " 2>" + folder.path("err");
  int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

TEST(Guide, ProgramCallsAModel) {
  TestBundle bundle;
  TemporaryFolder folder;
  EXPECT_EQ(runProgram(folder, bundle.path() + " scale"), 0) << folder.read("err");
  EXPECT_EQ(folder.read("out"), "0.5\n1\n1.5\n2\n");
  EXPECT_EQ(runProgram(folder, "/no/such scale"), 1);
  EXPECT_EQ(folder.read("err"), "not found: /no/such/manifest.json: cannot open: No such file or directory\n");
}
