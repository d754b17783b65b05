// What ecf8-run prints about a model: its contents and its speed.
#ifndef ECF8_TOOLS_ECF8_RUN_REPORT_H
#define ECF8_TOOLS_ECF8_RUN_REPORT_H

#include "ecf8-c/Runtime.h"

#include <string>
#include <vector>

namespace ecf8::run {

/// Entry points and weights, as a table or as JSON.
std::string listModel(const EcfModel *model, bool asJson);

struct Timing {
  double minimum, median, p99; ///< milliseconds; percentiles by nearest rank
};
/// `milliseconds` has at least one entry.
Timing summarize(std::vector<double> milliseconds);

std::string reportTiming(const Timing &timing, const EcfModel *model, const char *function, size_t runs, bool asJson);

} // namespace ecf8::run

#endif // ECF8_TOOLS_ECF8_RUN_REPORT_H
