// ecf8-run as a program: flags, files, exit codes.
#include "../../Runtime/TestBundle.h"

#include <gtest/gtest.h>

#include <sys/wait.h>

using namespace ecf8::test;

namespace {

class CommandLine : public testing::Test {
protected:
  struct Outcome {
    int exitCode;
    std::string out, err;
  };
  /// Runs the tool on the bundle, in the bundle's parent folder's shell syntax.
  Outcome run(const std::string &arguments, const std::string &environment = "") {
    std::string command = environment + " " ECF8_RUN " " + bundle.path() + " " + arguments + " >" + folder.path("out") +
                          " 2>" + folder.path("err");
    int status = std::system(command.c_str());
    std::string err = folder.read("err"), prefix = "ecf8-run: ";
    if (err.compare(0, prefix.size(), prefix) == 0)
      err.erase(0, prefix.size());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, folder.read("out"), err};
  }
  TestBundle bundle;
  TemporaryFolder folder;
};

} // namespace

TEST_F(CommandLine, PrintsOutputs) {
  Outcome outcome = run("--function=scale --input=2x4xf32=0.5");
  EXPECT_EQ(outcome.exitCode, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "2x4xf32=0.5,1,1.5,2,0.5,1,1.5,2\n");
  EXPECT_EQ(run("--function share --input 2x3xf32=1,2,3,4,5,6").out,
            "2x3xf32=1,2,3,4,5,6\n2x3xf32=1,2,3,4,5,6\n3x2xf32=1,4,2,5,3,6\n2x3xf32=1,2,3,4,5,6\n");
  EXPECT_EQ(run("--function=pieces --input=i64=100 --input=i64=7 --threads=3").out, "i64=1\n");
}

TEST_F(CommandLine, WritesReadsAndCompares) {
  std::string y = folder.path("y.npy");
  EXPECT_EQ(run("--function=scale --input=3x4xf32=1 --output=@" + y).exitCode, 0);
  EXPECT_EQ(folder.read("y.npy").size(), 128u + 48u);
  Outcome same = run("--function=scale --input=3x4xf32=1 --expected=@" + y);
  EXPECT_EQ(same.exitCode, 0) << same.err;
  EXPECT_EQ(same.out, "");
  Outcome differs = run("--function=scale --input=@" + y + " --expected=@" + y);
  EXPECT_EQ(differs.exitCode, 1);
  EXPECT_EQ(differs.err, "output 0 differs from " + y +
                             ": 9 of 12 elements differ; first at [0, 1]: expected 2 (0x40000000), got 4 (0x40800000); "
                             "largest difference 12 at [0, 3]\n");
  EXPECT_EQ(run("--function=scale --input=@" + y + " --atol=12 --expected=@" + y).exitCode, 0);
  EXPECT_EQ(run("--function=scale --input=@" + y + " --rtol=3 --expected=@" + y).exitCode, 0);
}

TEST_F(CommandLine, Lists) {
  std::string text = run("--list").out;
  EXPECT_NE(text.find("  scale(?x4xf32) -> (?x4xf32)\n"), std::string::npos) << text;
  EXPECT_NE(text.find("  packed  8x8xf8E4M3FN           256            64  32.000  #ecf8.raw\n"), std::string::npos)
      << text;
  json listed = json::parse(run("--list --json").out);
  EXPECT_EQ(listed["weights"][1]["stored_bytes"], 256);
  EXPECT_EQ(listed["entry_points"][2]["inputs"][0]["shape"], nullptr);
}

TEST_F(CommandLine, Verifies) {
  Outcome good = run("--verify");
  EXPECT_EQ(good.exitCode, 0);
  EXPECT_EQ(good.out, bundle.path() + ": sizes and checksums are right\n");
  bundle.flip("weights.safetensors", bundle.oddOffset);
  Outcome bad = run("--verify");
  EXPECT_EQ(bad.exitCode, 3);
  EXPECT_NE(bad.err.find("tensor 'odd' at byte"), std::string::npos) << bad.err;
  EXPECT_EQ(run("--function=denormals").exitCode, 3);
  EXPECT_EQ(run("--function=denormals --skip-weight-checksums").exitCode, 0);
}

TEST_F(CommandLine, Benchmarks) {
  json report = json::parse(run("--function=nested --input=i64=20 --benchmark=7 --json --threads=2").out);
  EXPECT_EQ(report["runs"], 7);
  EXPECT_EQ(report["threads"], 2);
  EXPECT_EQ(report["function"], "nested");
  EXPECT_TRUE(report["min_ms"] <= report["median_ms"] && report["median_ms"] <= report["p99_ms"]);
  EXPECT_NE(run("--benchmark --function=denormals").out.find("denormals: 100 runs, "), std::string::npos);
}

TEST_F(CommandLine, WrongUse) {
  EXPECT_EQ(run("--no-such-flag").exitCode, 2);
  EXPECT_EQ(run("--benchmark=0").exitCode, 2);
  EXPECT_EQ(run("--benchmark=x").exitCode, 2);
  EXPECT_EQ(run("--help").exitCode, 0);
  auto error = [&](const std::string &arguments) {
    Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exitCode, 3) << arguments;
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  EXPECT_EQ(error(""),
            "expected --function, as the model has several entry points and none is 'main'; --list shows them\n");
  EXPECT_NE(error("--function=none").find("--function: expected an entry point of the model (scale, "),
            std::string::npos);
  EXPECT_EQ(error("--function=scale"), "scale: expected 1 times --input, got 0\n");
  EXPECT_EQ(error("--function=scale --input=1x4xf32=0 --output=@a --output=@b"),
            "scale: expected at most 1 times --output, got 2\n");
  EXPECT_EQ(error("--function=scale --input=4xf32=0"), "--input 0: expected ?x4xf32, got 4xf32\n");
  EXPECT_EQ(error("--function=scale --input=@/no/x.npy"),
            "--input 0: /no/x.npy: cannot open: No such file or directory\n");
  EXPECT_EQ(error("--function=scale --input=1x4xf32=0 --output=y.npy"),
            "--output 0: expected @file.npy, got 'y.npy'\n");
  EXPECT_EQ(error("--function=scale --input=1x4xf32=0 --threads=-1"),
            "--threads: expected 0 to 1024 threads, got -1\n");
  EXPECT_NE(
      error("--function=denormals --cpu=z80").find("expected an instruction set of the bundle (generic), got 'z80'"),
      std::string::npos);
  EXPECT_EQ(error("--function=fail --input=i64=0"), "fail: assertion at model.mlir:3:4 failed\n");
}

TEST_F(CommandLine, FailuresLeaveNoFile) {
  std::string y = folder.path("sub/y.npy");
  std::filesystem::create_directory(folder.path("sub"));
  EXPECT_EQ(run("--function=fail --input=i64=2 --output=@" + y).exitCode, 3);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path("sub")));
  Outcome full = run("--function=fail --input=i64=9 --output=@/dev/full");
  EXPECT_EQ(full.exitCode, 3);
  EXPECT_EQ(full.err, "/dev/full: cannot write: No space left on device\n");
  Outcome missing = run("--function=fail --input=i64=9 --output=@/no/such/y.npy");
  EXPECT_EQ(missing.exitCode, 3);
  EXPECT_EQ(missing.err, "/no/such/y.npy: cannot write: No such file or directory\n");
}

TEST_F(CommandLine, RefusesArraysOfTheWrongRank) {
  std::string y = folder.path("y.npy");
  ASSERT_EQ(run("--function=share --input=2x3xf32=1 --output=@" + y).exitCode, 0);
  Outcome outcome = run("--function=scale --input=@" + y);
  EXPECT_EQ(outcome.exitCode, 3);
  EXPECT_EQ(outcome.err, "scale: input 0: expected f32 [?, 4], got [2, 3]\n");
}
