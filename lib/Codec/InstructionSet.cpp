// The choice of the inner loops.
#include "ecf8/Codec/InstructionSet.h"

#include "Kernels.h"

#include <algorithm>
#include <atomic>

namespace ecf8 {
namespace {

bool isAvailable(InstructionSet set) {
#if defined(__x86_64__)
  // These look also at whether the operating system saves the registers.
  if (set == InstructionSet::AVX2)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  if (set == InstructionSet::AVX512)
    return isAvailable(InstructionSet::AVX2) && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("gfni") &&
           __builtin_cpu_supports("lzcnt");
#endif
  return set == InstructionSet::Generic;
}

std::atomic<InstructionSet> &current() {
  static std::atomic<InstructionSet> set = availableInstructionSets().back();
  return set;
}

} // namespace

std::string_view getName(InstructionSet set) {
  constexpr std::string_view names[] = {"generic", "avx2", "avx512"};
  return size_t(set) < std::size(names) ? names[size_t(set)] : "unknown";
}

std::vector<InstructionSet> availableInstructionSets() {
  std::vector<InstructionSet> sets;
  for (InstructionSet set : {InstructionSet::Generic, InstructionSet::AVX2, InstructionSet::AVX512})
    if (isAvailable(set))
      sets.push_back(set);
  return sets;
}

InstructionSet currentInstructionSet() { return current(); }

bool useInstructionSet(InstructionSet set) {
  if (!isAvailable(set))
    return false;
  current() = set;
  return true;
}

const EncodeKernels &encodeKernels() {
#if defined(__x86_64__)
  switch (currentInstructionSet()) {
  case InstructionSet::AVX512:
    return avx512EncodeKernels();
  case InstructionSet::AVX2:
    return avx2EncodeKernels();
  case InstructionSet::Generic:
    break;
  }
#endif
  return genericEncodeKernels();
}

const DecodeKernels &decodeKernels() {
#if defined(__x86_64__)
  switch (currentInstructionSet()) {
  case InstructionSet::AVX512:
    return avx512DecodeKernels();
  case InstructionSet::AVX2:
    return avx2DecodeKernels();
  case InstructionSet::Generic:
    break;
  }
#endif
  return genericDecodeKernels();
}

} // namespace ecf8
