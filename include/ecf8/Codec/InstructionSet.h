// Which of the codec's inner loops run: all instruction sets give the same bytes.
#ifndef ECF8_CODEC_INSTRUCTIONSET_H
#define ECF8_CODEC_INSTRUCTIONSET_H

#include <string_view>
#include <vector>

namespace ecf8 {

/// From the least to the most capable. AVX512 stands for AVX-512 with BW, VL, VBMI, VBMI2 and GFNI; AVX2 for AVX2 with
/// BMI1 and BMI2.
enum class InstructionSet { Generic = 0, AVX2 = 1, AVX512 = 2 };

/// "generic", "avx2", "avx512".
std::string_view getName(InstructionSet set);

/// What this processor can run, from generic on.
std::vector<InstructionSet> availableInstructionSets();

/// The instruction set that encoders and decoders of this process use: the most capable one, unless
/// `useInstructionSet` said otherwise.
InstructionSet currentInstructionSet();

/// For tests and benchmarks: from now on this process uses `set`, which must be available. Returns whether it is; if
/// not, nothing changes. Calls that are running on other threads may still use what was current before.
bool useInstructionSet(InstructionSet set);

} // namespace ecf8

#endif // ECF8_CODEC_INSTRUCTIONSET_H
