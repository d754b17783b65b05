// Weights that the programs of this folder encode: drawn with a fixed seed, the same on every machine.
#ifndef ECF8_BENCHMARKS_CODEC_WEIGHTS_H
#define ECF8_BENCHMARKS_CODEC_WEIGHTS_H

#include <cstdint>
#include <random>
#include <vector>

namespace ecf8::bench {

using Bytes = std::vector<uint8_t>;

struct Shape {
  uint64_t rows, columns;
};

class Random {
public:
  /// In (0, 1).
  double uniform() { return (double(engine() >> 11) + 0.5) / 9007199254740992.0; }
  uint64_t bits() { return engine(); }
  /// Box and Muller's method: unlike std::normal_distribution the same everywhere.
  double gaussian();

private:
  std::mt19937_64 engine{42};
};

/// Gaussian weights as E4M3FN; each block of blockRows x blockColumns is scaled so that its largest magnitude is 448.
Bytes gaussianScaled(Shape shape, Shape block);

/// Gaussian weights of this standard deviation, rounded to E4M3FN as they are.
Bytes gaussianCast(Shape shape, double deviation);

} // namespace ecf8::bench

#endif // ECF8_BENCHMARKS_CODEC_WEIGHTS_H
