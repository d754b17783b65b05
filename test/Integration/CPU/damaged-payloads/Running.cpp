// Crashes are caught and described.
#include "Running.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

using namespace ecf8;
using namespace ecf8::test;

std::string ecf8::test::running;

static void onSignal(int signal, siginfo_t *info, void *) {
  std::string text = std::string(signal == SIGALRM ? "does not end" : strsignal(signal)) + ": " + running;
  if (signal != SIGALRM)
    text += ", address: " + describeAddress(info->si_addr);
  text += "\n";
  // The process is lost anyway, so calls that a handler should not make do no harm.
  (void)!write(STDERR_FILENO, text.data(), text.size());
  _exit(1);
}

void ecf8::test::fail(const std::string &message) {
  std::fprintf(stderr, "%s: %s\n", running.c_str(), message.c_str());
  std::exit(1);
}

int ecf8::test::runOnEveryLevel(
    const std::string &bundle,
    const std::function<void(const Module &module, const std::string &level, Totals &totals)> &body) {
  struct sigaction action = {};
  action.sa_sigaction = onSignal;
  action.sa_flags = SA_SIGINFO;
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGALRM})
    sigaction(signal, &action, nullptr);
  alarm(300);
  for (const char *level : {"generic", "x86-64-v3", "x86-64-v4", "x86-64-v4-bf16"}) {
    Module module;
    Module::Found found = module.open(bundle, level);
    if (found == Module::Found::Unsupported)
      continue;
    if (found == Module::Found::No)
      return 1;
    Totals totals;
    body(module, level, totals);
    std::printf("%s: %llu damaged payloads refused, %llu decoded\n", level,
                static_cast<unsigned long long>(totals.refused), static_cast<unsigned long long>(totals.decoded));
    for (const std::string &message : totals.messages)
      std::printf("  %s\n", message.c_str());
    // Otherwise the test would not see what comes after the checks of the header.
    if (totals.refused < 1000 || totals.decoded < 1000)
      return 1;
  }
  return 0;
}

static Outcome callAt(const Module &module, const Call &call, const std::string &level, const std::string &what,
                      Placement placement) {
  running = level + ": " + call.function;
  for (int64_t input : call.integers)
    running += " " + std::to_string(input);
  running += std::string(placement == Placement::AtEnd ? ", at the end" : ", at the begin") + ": " + what;
  Outcome outcome = module.call(call, placement);
  if (!outcome.wrong.empty())
    fail(outcome.wrong);
  return outcome;
}

Outcome ecf8::test::callAtBothPlaces(const Module &module, const Call &call, const std::string &level,
                                     const std::string &what) {
  Outcome first = callAt(module, call, level, what, Placement::AtBegin);
  Outcome second = callAt(module, call, level, what, Placement::AtEnd);
  if (first.code != second.code || first.message != second.message ||
      (call.isRepeatable && first.output != second.output))
    fail("expected the outcome of the call with its payload at the begin, got another: " + second.message);
  return second;
}
