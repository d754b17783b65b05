// What the C APIs share: results of C++ functions become status codes, and no exception leaves the library.
#ifndef ECF8_SUPPORT_LASTERROR_H
#define ECF8_SUPPORT_LASTERROR_H

#include "ecf8-c/Status.h"
#include "ecf8/Support/Status.h"

namespace ecf8 {

static_assert(int(StatusCode::Aborted) == ECF8_ABORTED && int(StatusCode::IoError) == ECF8_IO_ERROR,
              "the codes of the C APIs are those of the libraries");

/// The last failure of a thread. Each C API has one, thread_local.
class LastError {
public:
  const char *message() const { return isOutOfMemory ? "out of memory" : text.c_str(); }

  /// Runs `function`, which returns a Status.
  template <typename Function> EcfStatusCode guard(Function function) noexcept {
    try {
      Status status = function();
      if (status.isOk())
        return ECF8_OK;
      isOutOfMemory = false;
      text = status.message();
      return static_cast<EcfStatusCode>(status.code());
    } catch (...) {         // std::bad_alloc, or std::length_error of a container that no memory can hold
      isOutOfMemory = true; // a message of its own could need memory
      return ECF8_OUT_OF_MEMORY;
    }
  }

private:
  std::string text;
  bool isOutOfMemory = false;
};

} // namespace ecf8

#endif // ECF8_SUPPORT_LASTERROR_H
