// What may have happened to a payload.
#ifndef ECF8_TEST_INTEGRATION_CPU_DAMAGE_H
#define ECF8_TEST_INTEGRATION_CPU_DAMAGE_H

#include "Weights.h"

#include <functional>

namespace ecf8::test {

/// `what` says what was done to `bytes`.
using DamageVisitor = std::function<void(const std::string &what, std::span<const uint8_t> bytes)>;

/// Visits each bit of the header inverted, each of its fields at 0, 1, its greatest value and its neighbours, and the
/// payload cut to every size up to 256 and to sizes near its own, with the header's size kept and adapted.
void visitSystematicDamage(const Weight &weight, const DamageVisitor &visit);

/// Visits `count` combinations of one to three damages anywhere. Most of them keep the header plausible, so that what
/// comes after its checks has to deal with them: other complete codes, sections moved inside the payload, any tile
/// table, codes and rests.
void visitRandomDamage(const Weight &weight, uint64_t seed, unsigned count, const DamageVisitor &visit);

} // namespace ecf8::test

#endif // ECF8_TEST_INTEGRATION_CPU_DAMAGE_H
