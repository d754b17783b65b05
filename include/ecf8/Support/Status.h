// Error values for the libraries below the compiler. Nothing in them throws.
#ifndef ECF8_SUPPORT_STATUS_H
#define ECF8_SUPPORT_STATUS_H

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace ecf8 {

/// What kind of failure a message describes. The values are those of `EcfStatusCode` in `ecf8-c/Runtime.h`.
enum class StatusCode : int {
  Ok = 0,
  InvalidArgument = 1, ///< a caller's argument: shape, dtype, name, option
  NotFound = 2,        ///< a file, an entry point, a tensor
  IoError = 3,         ///< the operating system refused: permissions, disk full
  Corrupt = 4,         ///< a file whose content contradicts itself, or a wrong checksum
  Unsupported = 5,     ///< a newer version, a required feature, an instruction set
  OutOfMemory = 6,
  Aborted = 7, ///< the model itself failed: an assertion of its code
};

/// Success, or a code with one message: what was expected, what was found, where. Lower case, no full stop.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(StatusCode code, std::string message) : statusCode(code), text(std::move(message)) {
    assert(code != StatusCode::Ok && "an error needs an error code");
  }
  static Status ok() { return {}; }
  bool isOk() const { return statusCode == StatusCode::Ok; }
  StatusCode code() const { return statusCode; }
  const std::string &message() const { return text; }
  /// The same error with `where` and a colon in front.
  Status in(const std::string &where) const { return isOk() ? *this : Status(statusCode, where + ": " + text); }

private:
  StatusCode statusCode = StatusCode::Ok;
  std::string text;
};

/// A value or the Status that says why there is none.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : content(std::in_place_index<0>, std::move(value)) {}
  Result(Status status) : content(std::in_place_index<1>, std::move(status)) {
    assert(!std::get<1>(content).isOk() && "an ok status carries no value");
  }
  bool isOk() const { return content.index() == 0; }
  explicit operator bool() const { return isOk(); }
  T &operator*() { return std::get<0>(content); }
  const T &operator*() const { return std::get<0>(content); }
  T *operator->() { return &std::get<0>(content); }
  const T *operator->() const { return &std::get<0>(content); }
  T take() { return std::move(std::get<0>(content)); }
  Status status() const { return isOk() ? Status::ok() : std::get<1>(content); }

private:
  std::variant<T, Status> content;
};

} // namespace ecf8

#endif // ECF8_SUPPORT_STATUS_H
