// A builder of JSON values on nlohmann's event interface, which can say where an error is and stop there.
#include "ecf8/Support/Json.h"

#include <set>
#include <vector>

using namespace ecf8;
using nlohmann::json;

namespace {

constexpr size_t maxDepth = 64;

class StrictBuilder : public nlohmann::json_sax<json> {
public:
  json root;
  std::string error;         // of our own checks; without a position
  std::string parserMessage; // of the parser
  size_t errorPosition = 0;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t &) override { return add(value); }
  bool string(string_t &value) override { return add(std::move(value)); }
  bool binary(binary_t &) override { return false; }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t &name) override {
    auto [place, isNew] = stack.back()->get_ref<json::object_t &>().try_emplace(name, nullptr);
    if (!isNew) {
      error = "key '" + name + "' occurs twice";
      return false;
    }
    slot = &place->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string &, const nlohmann::detail::exception &exception) override {
    errorPosition = position;
    // "[json.exception.parse_error.101] parse error at line 1, column 9: syntax error ...": keep what follows the
    // place.
    parserMessage = exception.what();
    if (size_t place = parserMessage.find(": "); place != std::string::npos)
      parserMessage.erase(0, place + 2);
    return false;
  }

private:
  json *insert(json value) {
    if (stack.empty())
      return &(root = std::move(value));
    if (stack.back()->is_array()) {
      stack.back()->push_back(std::move(value));
      return &stack.back()->back();
    }
    return &(*slot = std::move(value));
  }
  bool add(json value) {
    insert(std::move(value));
    return true;
  }
  bool open(json value) {
    if (stack.size() == maxDepth) {
      error = "nesting is deeper than " + std::to_string(maxDepth);
      return false;
    }
    stack.push_back(insert(std::move(value)));
    return true;
  }
  bool close() {
    stack.pop_back();
    return true;
  }

  // Pointers into `root`: an open container does not move, because only the innermost one grows.
  std::vector<json *> stack;
  json *slot = nullptr; // the value of the last key
};

} // namespace

Result<json> ecf8::parseJson(std::string_view text, uint64_t baseOffset) {
  // The parser would take a zero byte for the end of the text, whatever follows.
  if (size_t zero = text.find('\0'); zero != std::string_view::npos)
    return Status(StatusCode::Corrupt,
                  "byte " + std::to_string(baseOffset + zero) + ": expected JSON, got a zero byte");
  StrictBuilder builder;
  if (json::sax_parse(text.begin(), text.end(), &builder))
    return std::move(builder.root);
  if (!builder.error.empty())
    return Status(StatusCode::Corrupt, builder.error);
  return Status(StatusCode::Corrupt,
                "byte " + std::to_string(baseOffset + builder.errorPosition) + ": " + builder.parserMessage);
}

Result<std::string> ecf8::printJson(const json &value, bool pretty) {
  try {
    return value.dump(pretty ? 2 : -1);
  } catch (const json::exception &) {
    return Status(StatusCode::InvalidArgument, "expected text in UTF-8, got other bytes");
  }
}
