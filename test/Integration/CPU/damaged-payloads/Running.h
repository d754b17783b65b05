// What the tests on damaged payloads have in common: the running call, and the levels of this machine.
#ifndef ECF8_TEST_INTEGRATION_CPU_RUNNING_H
#define ECF8_TEST_INTEGRATION_CPU_RUNNING_H

#include "Module.h"

#include <functional>
#include <set>

namespace ecf8::test {

/// The running call, for the message of a crash and of `fail`.
extern std::string running;

/// Ends the process, with a message.
[[noreturn]] void fail(const std::string &message);

struct Totals {
  uint64_t refused = 0, decoded = 0;
  std::set<std::string> messages;

  void count(const Outcome &outcome) {
    ++(outcome.code ? refused : decoded);
    if (outcome.code)
      messages.insert(outcome.message);
  }
};

/// Calls `body` with the code for each instruction set of this machine in the bundle, and prints its totals. Gives the
/// exit status: 1 where few payloads were refused, or few were not.
int runOnEveryLevel(const std::string &bundle,
                    const std::function<void(const Module &module, const std::string &level, Totals &totals)> &body);

/// Calls the function with everything at the begin of its memory and at the end; the outcomes must be the same.
/// The elements of a damaged payload need not where the call says so.
Outcome callAtBothPlaces(const Module &module, const Call &call, const std::string &level, const std::string &what);

} // namespace ecf8::test

#endif // ECF8_TEST_INTEGRATION_CPU_RUNNING_H
