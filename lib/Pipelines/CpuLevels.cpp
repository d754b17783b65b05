// The table of instruction sets. The runtime checks the manifest's feature names against the machine.
#include "ecf8/Pipelines/CpuLevels.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"

using namespace llvm;

namespace mlir::ecf8 {

// The levels are those of the x86-64 psABI. `x86-64-v4` asks for more than the psABI does: every machine since Ice Lake
// and Zen 4 has VBMI2 (the decoder's expand and permute) and GFNI, and older AVX-512 machines run the v3 code as fast.
// `x86-64-v4-bf16` adds one feature, the last, which multiplies bf16 activations: Zen 4, Sapphire Rapids and later.
static constexpr StringRef v3Features[] = {"sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "lzcnt", "movbe",
                                           "avx",  "avx2",  "bmi",    "bmi2",   "f16c",   "fma"};
static constexpr StringRef v4BF16Features[] = {
    "sse3",     "ssse3",    "sse4.1",     "sse4.2",      "popcnt", "lzcnt",           "movbe",     "avx",
    "avx2",     "bmi",      "bmi2",       "f16c",        "fma",    "avx512f",         "avx512bw",  "avx512cd",
    "avx512dq", "avx512vl", "avx512vbmi", "avx512vbmi2", "gfni",   "avx512vpopcntdq", "avx512bf16"};

static const CpuLevel levels[] = {
    {"x86-64-v4-bf16", "x86-64-v4", v4BF16Features, 512, "permute"},
    {"x86-64-v4", "x86-64-v4", ArrayRef(v4BF16Features).drop_back(), 512, "permute"},
    {"x86-64-v3", "x86-64-v3", v3Features, 256, "nibble"},
    {"generic", "x86-64", {}, 128, "scalar"},
};

std::string CpuLevel::getLLVMFeatures() const {
  return join(map_range(features, [](StringRef feature) { return ("+" + feature).str(); }), ",");
}

ArrayRef<CpuLevel> getCpuLevels() { return levels; }

const CpuLevel *findCpuLevel(StringRef name) {
  const CpuLevel *level = llvm::find_if(levels, [&](const CpuLevel &candidate) { return candidate.name == name; });
  return level == std::end(levels) ? nullptr : level;
}

const CpuLevel &getNativeCpuLevel() {
  StringMap<bool> host = sys::getHostCPUFeatures();
  return *llvm::find_if(levels, [&](const CpuLevel &level) {
    return llvm::all_of(level.features, [&](StringRef feature) { return host.lookup(feature); });
  });
}

::ecf8::Result<SmallVector<const CpuLevel *>> parseCpuLevels(ArrayRef<std::string> names) {
  SmallVector<const CpuLevel *> selected;
  for (const std::string &name : names) {
    const CpuLevel *level = name == "native" ? &getNativeCpuLevel() : findCpuLevel(name);
    if (!level)
      return ::ecf8::Status(::ecf8::StatusCode::InvalidArgument,
                            "expected a list of 'native', 'x86-64-v4-bf16', 'x86-64-v4', 'x86-64-v3' and 'generic' in "
                            "--target-cpu, got '" +
                                name + "'");
    selected.push_back(level);
  }
  if (names.empty())
    for (const CpuLevel &level : levels)
      selected.push_back(&level);
  // The table is sorted, so pointers into it are, too.
  sort(selected);
  selected.erase(llvm::unique(selected), selected.end());
  return selected;
}

} // namespace mlir::ecf8
