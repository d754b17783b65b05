// The command line of ecf8-pack.
#ifndef ECF8_TOOLS_PACK_COMMANDLINE_H
#define ECF8_TOOLS_PACK_COMMANDLINE_H

#include "ecf8/Checkpoint/Job.h"

namespace ecf8::pack {

enum ExitCode { Success = 0, Differs = 1, BadUsage = 2, Failure = 3 };

enum class Command { Compress, Decompress, Convert, Verify, Inspect, Stats, Diff };

struct StatsOptions {
  uint64_t sampleBytes = uint64_t(1) << 30; ///< 0: everything
  uint64_t budgetBytes = 0, contextTokens = 0;
  unsigned cacheBits = 16;
  bool showAll = false;
};

struct Options {
  Command command = Command::Compress;
  JobOptions job; ///< for diff, `input` is A and `output` is B
  StatsOptions stats;
  bool json = false, quiet = false;
};

/// Parses the command line; an exit code if that is all there is to do (--help, --version, a wrong flag).
std::optional<int> parseCommandLine(int argc, char **argv, Options &options);

} // namespace ecf8::pack

#endif // ECF8_TOOLS_PACK_COMMANDLINE_H
