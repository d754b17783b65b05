// The commands that only look: inspect, stats, diff.
#ifndef ECF8_TOOLS_PACK_COMMANDS_H
#define ECF8_TOOLS_PACK_COMMANDS_H

#include "CommandLine.h"

#include <nlohmann/json.hpp>

namespace ecf8::pack {

Result<ExitCode> runInspect(const Options &options);
Result<ExitCode> runStats(const Options &options);
Result<ExitCode> runDiff(const Options &options);

/// Prints `value` on standard output, or says why it cannot be printed.
Status printJsonLine(const nlohmann::json &value);

} // namespace ecf8::pack

#endif // ECF8_TOOLS_PACK_COMMANDS_H
