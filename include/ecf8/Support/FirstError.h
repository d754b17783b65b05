// Errors of C functions that return nothing, such as those of MLIR's GPU runtime: the first one of each thread is kept
// until somebody asks for it.
#ifndef ECF8_SUPPORT_FIRSTERROR_H
#define ECF8_SUPPORT_FIRSTERROR_H

#include "ecf8/Support/Status.h"

#include <atomic>
#include <cstdio>

namespace ecf8 {

/// Of one thread; a thread_local variable.
class FirstError {
public:
  /// Keeps what went wrong in `where`, a function of `library`, and prints it while nobody asks. True for nothing.
  bool note(const char *library, const char *where, const Status &status) {
    if (status.isOk())
      return true;
    if (!isAskedFor)
      std::fprintf(stderr, "%s: %s: %s\n", library, where, status.message().c_str());
    if (first.isOk())
      first = status;
    return false;
  }

  /// What was kept since the last call, an empty text for nothing; valid until the next call.
  const char *take(StatusCode &code) {
    code = first.code();
    shown = first.message();
    first = Status::ok();
    return shown.c_str();
  }

  /// From now on somebody asks for errors: they are not printed any more, on all threads.
  static void setAskedFor() { isAskedFor = true; }

private:
  static inline std::atomic<bool> isAskedFor{false};
  Status first;
  std::string shown;
};

} // namespace ecf8

#endif // ECF8_SUPPORT_FIRSTERROR_H
