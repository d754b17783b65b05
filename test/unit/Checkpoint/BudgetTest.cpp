// From configs to capacities, with numbers worked out by hand.
#include "ecf8/Checkpoint/Budget.h"

#include <gtest/gtest.h>

using namespace ecf8;
using nlohmann::json;

TEST(Budget, GroupedAttention) { // Qwen3-8B
  json config = {{"architectures", {"Qwen3ForCausalLM"}},
                 {"hidden_size", 4096},
                 {"intermediate_size", 12288},
                 {"num_hidden_layers", 36},
                 {"num_attention_heads", 32},
                 {"num_key_value_heads", 8},
                 {"head_dim", 128},
                 {"max_position_embeddings", 40960}};
  Result<ModelNeeds> needs = readModelNeeds(config);
  ASSERT_TRUE(needs.isOk());
  EXPECT_EQ(needs->architecture, "Qwen3ForCausalLM");
  EXPECT_EQ(needs->cacheBytesPerToken, 36u * 2 * 8 * 128 * 2);
  EXPECT_EQ(needs->workBytesPerToken, (6u * 4096 + 2 * 12288) * 2);
  EXPECT_EQ(needs->maxTokens, 40960u);
  EXPECT_EQ(readModelNeeds(config, 8)->cacheBytesPerToken, 36u * 2 * 8 * 128);

  uint64_t weights = 9'000'000'000, budget = uint64_t(24) << 30;
  Capacity capacity = computeCapacity(*needs, budget, weights, 8192);
  EXPECT_TRUE(capacity.fitsWeights);
  EXPECT_EQ(capacity.tokens, (budget - weights - 2048 * 98304) / 147456);
  EXPECT_EQ(capacity.requests, capacity.tokens / 8192);
  EXPECT_FALSE(computeCapacity(*needs, weights - 1, weights, 8192).fitsWeights);
  EXPECT_FALSE(computeCapacity(*needs, weights + 1, weights, 8192).fitsWeights);
}

TEST(Budget, LatentAttention) { // DeepSeek-V3
  json config = {{"hidden_size", 7168},        {"intermediate_size", 18432}, {"num_hidden_layers", 61},
                 {"num_attention_heads", 128}, {"num_key_value_heads", 128}, {"kv_lora_rank", 512},
                 {"qk_rope_head_dim", 64}};
  EXPECT_EQ(readModelNeeds(config)->cacheBytesPerToken, 61u * (512 + 64) * 2);
  // One level below in models of text and images; without groups every head has keys and values.
  json inner = {{"text_config", {{"hidden_size", 64}, {"num_hidden_layers", 2}, {"num_attention_heads", 4}}}};
  EXPECT_EQ(readModelNeeds(inner)->cacheBytesPerToken, 2u * 2 * 64 * 2);
}

TEST(Budget, Images) { // FLUX.1-dev
  json config = {{"_class_name", "FluxTransformer2DModel"},
                 {"num_attention_heads", 24},
                 {"attention_head_dim", 128},
                 {"patch_size", 1}};
  Result<ModelNeeds> needs = readModelNeeds(config);
  ASSERT_TRUE(needs.isOk());
  EXPECT_EQ(needs->pixelsPerTokenSide, 16u);
  EXPECT_EQ(needs->workBytesPerToken, 3072u * 14 * 2);
  Capacity capacity = computeCapacity(*needs, 1000 + 10000 * needs->workBytesPerToken, 1000, 0);
  EXPECT_EQ(capacity.tokens, 10000u);
  EXPECT_EQ(capacity.imageSide, 1600u);
}

TEST(Budget, MissingNumbers) {
  EXPECT_EQ(readModelNeeds(json::array()).status().message(), "config.json: expected an object, got array");
  EXPECT_EQ(readModelNeeds(json::object()).status().message(),
            "config.json: expected the number 'num_hidden_layers', got none");
  EXPECT_EQ(readModelNeeds({{"num_hidden_layers", 2}, {"hidden_size", "8"}}).status().message(),
            "config.json: expected the number 'hidden_size', got none");
}

TEST(Budget, Sizes) {
  EXPECT_EQ(parseByteSize("24GiB"), uint64_t(24) << 30);
  EXPECT_EQ(parseByteSize("24 GB"), 24'000'000'000u);
  EXPECT_EQ(parseByteSize("1.5T"), 1'500'000'000'000u);
  EXPECT_EQ(parseByteSize("512kB"), 512'000u);
  EXPECT_EQ(parseByteSize("1000"), 1000u);
  EXPECT_EQ(parseByteSize("7B"), 7u);
  for (const char *bad : {"", "GiB", "-1", "1X", "1GiBs", "1e30", "nan", "1i"})
    EXPECT_EQ(parseByteSize(bad), std::nullopt) << bad;
}
