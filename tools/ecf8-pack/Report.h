// What the commands print, as text for people or JSON for programs.
#ifndef ECF8_TOOLS_PACK_REPORT_H
#define ECF8_TOOLS_PACK_REPORT_H

#include "ecf8/Checkpoint/Job.h"

#include <nlohmann/json.hpp>

namespace ecf8::pack {

/// The closing lines of a run.
std::string printJob(const JobOptions &options, const JobReport &report);
nlohmann::json jobToJson(const JobOptions &options, const JobReport &report);

/// Rows of text with columns as wide as they need: the first to the left, the others to the right.
std::string printTable(const std::vector<std::vector<std::string>> &rows);

/// "[576, 7168]".
std::string printShape(std::span<const uint64_t> shape);

/// "6.655".
std::string printNumber(double number, int digits);

} // namespace ecf8::pack

#endif // ECF8_TOOLS_PACK_REPORT_H
