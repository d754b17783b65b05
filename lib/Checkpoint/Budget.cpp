// What the saving buys.
#include "ecf8/Checkpoint/Budget.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

using namespace ecf8;
using nlohmann::json;

namespace {

constexpr uint64_t activationBytes = 2; // BF16
constexpr uint64_t chunkTokens = 2048;  // that a server works on at a time

/// The number under the first of `keys` that the config has.
std::optional<uint64_t> number(const json &config, std::initializer_list<const char *> keys) {
  for (const char *key : keys)
    if (auto found = config.find(key); found != config.end() && found->is_number_unsigned())
      return found->get<uint64_t>();
  return std::nullopt;
}

std::string text(const json &config, const char *key) {
  auto found = config.find(key);
  return found != config.end() && found->is_string() ? found->get<std::string>() : "";
}

Status missing(const char *key) {
  return Status(StatusCode::InvalidArgument, std::string("config.json: expected the number '") + key + "', got none");
}

Result<ModelNeeds> readImageNeeds(const json &config, ModelNeeds needs) {
  needs.kind = ModelNeeds::Kind::Image;
  std::optional<uint64_t> heads = number(config, {"num_attention_heads"});
  std::optional<uint64_t> headSize = number(config, {"attention_head_dim"});
  if (!heads || !headSize)
    return missing(heads ? "attention_head_dim" : "num_attention_heads");
  uint64_t width = *heads * *headSize;
  uint64_t patch = std::max<uint64_t>(number(config, {"patch_size"}).value_or(2), 1);
  // FLUX counts a patch of 2 x 2 as a part of its input channels.
  if (patch == 1)
    patch = 2;
  needs.pixelsPerTokenSide = 8 * patch;
  // Input and residual, queries, keys, values, the attention's output, and the inside of the MLP (4 widths) twice.
  needs.workBytesPerToken = width * (2 + 3 + 1 + 8) * activationBytes;
  return needs;
}

} // namespace

Result<ModelNeeds> ecf8::readModelNeeds(const json &root, unsigned cacheBits) {
  if (!root.is_object())
    return Status(StatusCode::Corrupt, "config.json: expected an object, got " + std::string(root.type_name()));
  ModelNeeds needs;
  needs.architecture = text(root, "_class_name");
  if (needs.architecture.find("Transformer") != std::string::npos && root.contains("attention_head_dim"))
    return readImageNeeds(root, needs);
  // Models of text and images keep the language model's numbers one level below.
  auto inner = root.find("text_config");
  const json &config = inner != root.end() && inner->is_object() ? *inner : root;
  if (auto names = root.find("architectures");
      names != root.end() && names->is_array() && !names->empty() && names->front().is_string())
    needs.architecture = names->front().get<std::string>();
  std::optional<uint64_t> layers = number(config, {"num_hidden_layers", "n_layer"});
  std::optional<uint64_t> width = number(config, {"hidden_size", "n_embd"});
  std::optional<uint64_t> heads = number(config, {"num_attention_heads", "n_head"});
  if (!layers || !width || !heads || *heads == 0)
    return missing(!layers ? "num_hidden_layers" : !width ? "hidden_size" : "num_attention_heads");
  uint64_t numbersPerLayer = 0;
  if (std::optional<uint64_t> rank = number(config, {"kv_lora_rank"}))
    numbersPerLayer = *rank + number(config, {"qk_rope_head_dim"}).value_or(0); // one latent for keys and values
  else
    numbersPerLayer = 2 * number(config, {"num_key_value_heads"}).value_or(*heads) *
                      number(config, {"head_dim"}).value_or(*width / *heads);
  needs.cacheBytesPerToken = *layers * numbersPerLayer * cacheBits / 8;
  needs.maxTokens = number(config, {"max_position_embeddings"}).value_or(0);
  uint64_t inside = number(config, {"intermediate_size"}).value_or(4 * *width);
  needs.workBytesPerToken = (6 * *width + 2 * inside) * activationBytes;
  return needs;
}

Capacity ecf8::computeCapacity(const ModelNeeds &needs, uint64_t budgetBytes, uint64_t weightBytes,
                               uint64_t contextTokens) {
  Capacity capacity;
  if (weightBytes > budgetBytes)
    return capacity;
  uint64_t left = budgetBytes - weightBytes;
  if (needs.kind == ModelNeeds::Kind::Image) {
    capacity.fitsWeights = true;
    capacity.tokens = left / std::max<uint64_t>(needs.workBytesPerToken, 1);
    auto tokensPerSide = uint64_t(std::sqrt(double(capacity.tokens)));
    capacity.imageSide = tokensPerSide * needs.pixelsPerTokenSide;
    return capacity;
  }
  uint64_t work = std::min(contextTokens == 0 ? chunkTokens : contextTokens, chunkTokens) * needs.workBytesPerToken;
  if (work > left)
    return capacity;
  capacity.fitsWeights = true;
  capacity.tokens = (left - work) / std::max<uint64_t>(needs.cacheBytesPerToken, 1);
  capacity.requests = contextTokens == 0 ? 0 : capacity.tokens / contextTokens;
  return capacity;
}

std::optional<uint64_t> ecf8::parseByteSize(std::string_view text) {
  double number = 0;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !(number >= 0))
    return std::nullopt;
  std::string_view unit = text.substr(size_t(stop - text.data()));
  while (unit.starts_with(' '))
    unit.remove_prefix(1);
  double factor = 1;
  constexpr std::string_view prefixes = "kMGTP";
  if (!unit.empty() && unit != "B") {
    size_t power = prefixes.find(unit[0] == 'K' ? 'k' : unit[0]);
    if (power == std::string_view::npos)
      return std::nullopt;
    unit.remove_prefix(1);
    bool isBinary = unit.starts_with('i');
    factor = std::pow(isBinary ? 1024.0 : 1000.0, double(power + 1));
    if (isBinary)
      unit.remove_prefix(1);
  }
  if ((!unit.empty() && unit != "B") || number * factor >= 9.2e18)
    return std::nullopt;
  return uint64_t(number * factor);
}
