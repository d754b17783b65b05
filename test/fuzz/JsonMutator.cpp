// Mutations of JSON text that keep it JSON.
#include "JsonMutator.h"

#include <vector>

using nlohmann::json;

namespace ecf8::fuzz {
namespace {

struct Place {
  json *value;
  json *parent; ///< null for the root
  json::object_t::key_type key;
};

void collect(json &value, json *parent, const std::string &key, std::vector<Place> &places) {
  places.push_back({&value, parent, key});
  if (value.is_object())
    for (auto &[name, member] : value.get_ref<json::object_t &>())
      collect(member, &value, name, places);
  if (value.is_array())
    for (json &element : value)
      collect(element, &value, "", places);
}

/// Values that readers have an opinion on.
json interestingValue(Random &random) {
  static const json values = {nullptr,
                              true,
                              false,
                              -1,
                              0,
                              1,
                              2,
                              64,
                              9223372036854775807,
                              9223372036854775808u,
                              18446744073709551615u,
                              0.5,
                              "",
                              "..",
                              "/",
                              "a/../b",
                              "0123456789abcdef",
                              "compressed",
                              "plain",
                              "f32",
                              "f8E4M3FN",
                              "F8_E4M3",
                              "F4",
                              "F6_E2M3",
                              "U8",
                              "F64",
                              "cpu",
                              "transposed_weights",
                              json::array(),
                              json::object(),
                              json::array({0}),
                              json::array({2, 3})};
  return values[random.below(values.size())];
}

/// Another number, text or value in the place of `value`.
void changeScalar(json &value, Random &random) {
  if (value.is_number_integer() && !random.oneIn(4)) {
    uint64_t number = value.get<uint64_t>();
    const uint64_t others[] = {number + 1, number - 1, number * 2, number / 2,
                               number ^ uint64_t(1) << random.below(64)};
    value = others[random.below(std::size(others))];
  } else if (value.is_string() && !random.oneIn(4)) {
    mutateFreely(value.get_ref<std::string &>(), value.get_ref<std::string &>().size() + 4);
  } else {
    value = interestingValue(random);
  }
}

void rename(json &object, const std::string &key, Random &random) {
  std::string name = key;
  if (random.oneIn(2))
    mutateFreely(name, name.size() + 2);
  else
    name += "2";
  object[name] = object[key];
  if (random.oneIn(2))
    object.erase(key);
}

} // namespace

void mutateValue(json &root, Random &random) {
  std::vector<Place> places;
  collect(root, nullptr, "", places);
  Place place = places[random.below(places.size())];
  json &value = *place.value;
  switch (random.below(5)) {
  case 0: // a copy of another value
    if (json copy = *places[random.below(places.size())].value;
        copy.dump(-1, ' ', false, json::error_handler_t::replace).size() < 512)
      value = std::move(copy);
    return;
  case 1: // one less, or one more of the same
    if (place.parent && place.parent->is_array() && random.oneIn(2)) {
      json copy = value;
      place.parent->push_back(std::move(copy));
    } else if (place.parent && place.parent->is_array()) {
      place.parent->erase(random.below(place.parent->size()));
    } else if (place.parent) {
      rename(*place.parent, place.key, random);
    }
    return;
  case 2:
    if (place.parent && place.parent->is_object() && random.oneIn(4)) {
      place.parent->erase(place.key);
      return;
    }
    [[fallthrough]];
  default:
    // Containers are many levels above what readers look at: change something inside instead.
    if (value.is_structured() && !value.empty() && !random.oneIn(8))
      changeScalar(*places[random.below(places.size())].value, random);
    else
      changeScalar(value, random);
  }
}

std::string toText(const json &value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

void mutateJson(std::string &text, size_t maxSize, Random &random) {
  json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded() || random.oneIn(4)) {
    mutateFreely(text, maxSize);
    return;
  }
  mutateValue(value, random);
  text = toText(value);
}

} // namespace ecf8::fuzz
