// The strict JSON reader.
#include "ecf8/Support/Json.h"

#include <gtest/gtest.h>

using namespace ecf8;

TEST(Json, Builds) {
  Result<nlohmann::json> value = parseJson(R"( {"a": [1, -2, 2.5, {"b": null}], "c": "x", "d": true} )");
  ASSERT_TRUE(value.isOk());
  EXPECT_EQ(value->dump(), R"({"a":[1,-2,2.5,{"b":null}],"c":"x","d":true})");
}

TEST(Json, RefusesWithPosition) {
  EXPECT_NE(parseJson(R"({"a": })", 8).status().message().find("byte 15: "), std::string::npos)
      << parseJson(R"({"a": })", 8).status().message();
  EXPECT_EQ(parseJson(R"({"a": 1, "a": 2})").status().message(), "key 'a' occurs twice");
  EXPECT_EQ(parseJson(R"([{"x": {"a": 1, "b": {}, "b": 2}}])").status().message(), "key 'b' occurs twice");
  EXPECT_EQ(parseJson(std::string(1000, '[')).status().message(), "nesting is deeper than 64");
  EXPECT_FALSE(parseJson("{} {}").isOk());
  EXPECT_FALSE(parseJson("").isOk());
  EXPECT_EQ(parseJson(std::string("{}\0]", 4), 8).status().message(), "byte 10: expected JSON, got a zero byte");
  EXPECT_FALSE(parseJson("{\"a\": \"\xff\"}").isOk());
  EXPECT_FALSE(parseJson("1e999").isOk());
}

TEST(Json, PrintingRefusesOtherBytesThanUtf8) {
  EXPECT_TRUE(printJson({{"a", "ü"}}).isOk());
  EXPECT_EQ(printJson({{"a", "\xff"}}).status().message(), "expected text in UTF-8, got other bytes");
}
