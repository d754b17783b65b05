// Gaussian weights, scaled block by block and rounded to E4M3FN.
#include "Weights.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace ecf8::bench;

double Random::gaussian() { return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * std::numbers::pi * uniform()); }

/// Round to nearest even, saturating at 448. (OCP 8-bit Floating Point Specification, 1.0.)
static uint8_t toE4M3FN(double value) {
  uint8_t sign = std::signbit(value) ? 0x80 : 0;
  double magnitude = std::min(std::fabs(value), 448.0);
  if (magnitude == 0)
    return sign;
  int exponent = std::max(std::ilogb(magnitude), -6);
  int units = int(std::nearbyint(std::ldexp(magnitude, 3 - exponent))); // of the last place: 8 to 16 for normal numbers
  if (units < 8)
    return sign | uint8_t(units);
  return sign | uint8_t(((exponent + 7) << 3) + (units - 8)); // 16 carries into the exponent
}

Bytes ecf8::bench::gaussianScaled(Shape shape, Shape block) {
  Random random;
  std::vector<double> values(shape.rows * shape.columns);
  for (double &value : values)
    value = random.gaussian();
  Bytes bytes(values.size());
  for (uint64_t row = 0; row < shape.rows; row += block.rows)
    for (uint64_t column = 0; column < shape.columns; column += block.columns) {
      auto forBlock = [&](auto visit) {
        for (uint64_t r = row; r < std::min(shape.rows, row + block.rows); ++r)
          for (uint64_t c = column; c < std::min(shape.columns, column + block.columns); ++c)
            visit(r * shape.columns + c);
      };
      double largest = 0;
      forBlock([&](uint64_t i) { largest = std::max(largest, std::fabs(values[i])); });
      forBlock([&](uint64_t i) { bytes[i] = toE4M3FN(values[i] * 448 / largest); });
    }
  return bytes;
}

Bytes ecf8::bench::gaussianCast(Shape shape, double deviation) {
  Random random;
  Bytes bytes(shape.rows * shape.columns);
  for (uint8_t &byte : bytes)
    byte = toE4M3FN(deviation * random.gaussian());
  return bytes;
}
