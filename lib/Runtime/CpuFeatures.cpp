// CPU features from the cpuid instruction (Intel SDM volume 2A, CPUID; the same bits on AMD).
#include "CpuFeatures.h"

#include <cpuid.h>
#include <cstdint>

using namespace ecf8;

namespace {

enum Register : uint8_t { EAX, EBX, ECX, EDX };
enum Needs : uint8_t { Nothing, Ymm, Zmm }; // register state that the operating system must save

struct Feature {
  std::string_view name;
  uint32_t leaf;
  Register reg;
  uint8_t bit;
  Needs needs = Nothing;
  uint8_t subleaf = 0;
};

constexpr uint32_t extended = 0x80000001;

constexpr Feature features[] = {
    {"x87", 1, EDX, 0},
    {"cx8", 1, EDX, 8},
    {"cmov", 1, EDX, 15},
    {"mmx", 1, EDX, 23},
    {"fxsr", 1, EDX, 24},
    {"sse", 1, EDX, 25},
    {"sse2", 1, EDX, 26},
    {"sse3", 1, ECX, 0},
    {"pclmul", 1, ECX, 1},
    {"ssse3", 1, ECX, 9},
    {"fma", 1, ECX, 12, Ymm},
    {"cx16", 1, ECX, 13},
    {"sse4.1", 1, ECX, 19},
    {"sse4.2", 1, ECX, 20},
    {"crc32", 1, ECX, 20}, // part of SSE4.2
    {"movbe", 1, ECX, 22},
    {"popcnt", 1, ECX, 23},
    {"aes", 1, ECX, 25},
    {"xsave", 1, ECX, 26},
    {"avx", 1, ECX, 28, Ymm},
    {"f16c", 1, ECX, 29, Ymm},
    {"bmi", 7, EBX, 3},
    {"avx2", 7, EBX, 5, Ymm},
    {"bmi2", 7, EBX, 8},
    {"avx512f", 7, EBX, 16, Zmm},
    {"avx512dq", 7, EBX, 17, Zmm},
    {"adx", 7, EBX, 19},
    {"avx512ifma", 7, EBX, 21, Zmm},
    {"avx512cd", 7, EBX, 28, Zmm},
    {"avx512bw", 7, EBX, 30, Zmm},
    {"avx512vl", 7, EBX, 31, Zmm},
    {"evex512", 7, EBX, 16, Zmm}, // LLVM's name for 512-bit registers with AVX-512
    {"avx512vbmi", 7, ECX, 1, Zmm},
    {"avx512vbmi2", 7, ECX, 6, Zmm},
    {"gfni", 7, ECX, 8},
    {"vaes", 7, ECX, 9, Ymm},
    {"vpclmulqdq", 7, ECX, 10, Ymm},
    {"avx512vnni", 7, ECX, 11, Zmm},
    {"avx512bitalg", 7, ECX, 12, Zmm},
    {"avx512vpopcntdq", 7, ECX, 14, Zmm},
    {"avx512bf16", 7, EAX, 5, Zmm, 1},
    {"sahf", extended, ECX, 0},
    {"lzcnt", extended, ECX, 5},
    {"prfchw", extended, ECX, 8},
    {"64bit", extended, EDX, 29},
};

/// The XCR0 register: which register states the operating system saves.
uint64_t savedStates() {
  uint32_t eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx >> 27 & 1)) // OSXSAVE
    return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

} // namespace

bool ecf8::hostHasFeature(std::string_view name) {
  constexpr uint64_t ymmStates = 0x6, zmmStates = 0xe6;
  for (const Feature &feature : features) {
    if (feature.name != name)
      continue;
    uint32_t registers[4];
    if (!__get_cpuid_count(feature.leaf, feature.subleaf, &registers[EAX], &registers[EBX], &registers[ECX],
                           &registers[EDX]) ||
        !(registers[feature.reg] >> feature.bit & 1))
      return false;
    uint64_t states = feature.needs == Zmm ? zmmStates : feature.needs == Ymm ? ymmStates : 0;
    return states == 0 || (savedStates() & states) == states;
  }
  return false;
}
