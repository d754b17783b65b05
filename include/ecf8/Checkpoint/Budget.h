// From bytes saved to tokens, requests or pixels (docs/guides/checkpoints.md, "What the saving buys").
#ifndef ECF8_CHECKPOINT_BUDGET_H
#define ECF8_CHECKPOINT_BUDGET_H

#include "ecf8/Support/Json.h"
#include "ecf8/Support/Status.h"

#include <cstdint>
#include <optional>
#include <string>

namespace ecf8 {

/// What a model needs besides its weights, from its config.json.
struct ModelNeeds {
  enum class Kind { Language, Image } kind = Kind::Language;
  std::string architecture;        ///< as the config names it
  uint64_t cacheBytesPerToken = 0; ///< Language: keys and values of all layers
  uint64_t maxTokens = 0;          ///< Language: of one sequence; 0: not given
  uint64_t workBytesPerToken = 0;  ///< activations that live at the same time
  uint64_t pixelsPerTokenSide = 0; ///< Image: the side of the square of pixels that is one token
};

/// Reads the needs out of a config of transformers or diffusers. `cacheBits` is the size of a cached number. Fails with
/// the key that is missing.
Result<ModelNeeds> readModelNeeds(const nlohmann::json &config, unsigned cacheBits = 16);

/// What fits.
struct Capacity {
  bool fitsWeights = false;
  uint64_t tokens = 0;    ///< Language: of the cache. Image: of one image.
  uint64_t requests = 0;  ///< Language: sequences of the wanted context
  uint64_t imageSide = 0; ///< Image: pixels, a multiple of a token's
};

/// Language: the tokens that fit a cache beside the weights and the activations of `contextTokens` tokens, at most 2048
/// at a time. Image: the largest square image whose activations fit.
Capacity computeCapacity(const ModelNeeds &needs, uint64_t budgetBytes, uint64_t weightBytes, uint64_t contextTokens);

/// "24GiB", "24 GB", "1.5T", "1000": bytes. Nothing if it is no size.
std::optional<uint64_t> parseByteSize(std::string_view text);

} // namespace ecf8

#endif // ECF8_CHECKPOINT_BUDGET_H
