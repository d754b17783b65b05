// Contractions on damaged payloads: activations, sums and scales lie between inaccessible pages as well.
#ifndef ECF8_TEST_INTEGRATION_CPU_CONTRACTIONS_H
#define ECF8_TEST_INTEGRATION_CPU_CONTRACTIONS_H

#include "Weights.h"

namespace ecf8::test {

/// A weight and what multiplies it. The function NAME_ROWS takes activations, sums and, where there is one, a scale;
/// its matrices are views of wider ones.
struct Contraction {
  Weight weight;
  const char *activations; ///< "f32", "bf16", "f16"
  MatrixShape block;       ///< of the f32 scale; 0 x 0: there is none
};

std::vector<Contraction> makeContractions();

/// Writes program.mlir and weights.safetensors into `folder`.
Status writeContractionProgram(const std::string &folder, const std::vector<Contraction> &contractions);

/// Calls all of them on damaged payloads. Gives the exit status.
int runContractions(const std::string &bundle);

} // namespace ecf8::test

#endif // ECF8_TEST_INTEGRATION_CPU_CONTRACTIONS_H
