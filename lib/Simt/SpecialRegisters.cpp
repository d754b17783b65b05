// Special registers of PTX that need no call.
#include "SpecialRegisters.h"
#include "Runtime.h"

#include <array>
#include <map>

using namespace ecf8::simt;

/// Special registers that are fields of a thread's context.
static const std::map<std::string_view, size_t> &registerOffsets() {
  static const std::map<std::string_view, size_t> table = [] {
    std::map<std::string_view, size_t> t;
    auto triple = [&t](std::array<std::string_view, 3> names, size_t offset) {
      for (unsigned i = 0; i < 3; ++i)
        t[names[i]] = offset + 4 * i;
    };
    triple({"tid.x", "tid.y", "tid.z"}, offsetof(Context, tid));
    triple({"ntid.x", "ntid.y", "ntid.z"}, offsetof(Context, ntid));
    triple({"ctaid.x", "ctaid.y", "ctaid.z"}, offsetof(Context, ctaid));
    triple({"nctaid.x", "nctaid.y", "nctaid.z"}, offsetof(Context, nctaid));
    t["laneid"] = offsetof(Context, laneId);
    t["warpid"] = offsetof(Context, warpId);
    t["nwarpid"] = offsetof(Context, numWarps);
    t["dynamic_smem_size"] = offsetof(Context, dynamicSharedBytes);
    t["total_smem_size"] = offsetof(Context, totalSharedBytes);
    t["lanemask.eq"] = offsetof(Context, laneMaskEq);
    t["lanemask.lt"] = offsetof(Context, laneMaskLt);
    t["lanemask.le"] = offsetof(Context, laneMaskLe);
    t["lanemask.gt"] = offsetof(Context, laneMaskGt);
    t["lanemask.ge"] = offsetof(Context, laneMaskGe);
    t["gridid"] = offsetof(Context, gridId);
    return t;
  }();
  return table;
}

/// The same in each thread. A block is a cluster of its own, and all run on one multiprocessor.
static const std::map<std::string_view, uint32_t> &registerConstants() {
  static const std::map<std::string_view, uint32_t> table = {
      {"warpsize", 32},
      {"smid", 0},
      {"nsmid", 1},
      {"cluster.ctaid.x", 0},
      {"cluster.ctaid.y", 0},
      {"cluster.ctaid.z", 0},
      {"cluster.nctaid.x", 1},
      {"cluster.nctaid.y", 1},
      {"cluster.nctaid.z", 1},
      {"cluster.ctarank", 0},
      {"cluster.nctarank", 1},
  };
  return table;
}

template <typename T> static std::optional<T> find(const std::map<std::string_view, T> &table, std::string_view name) {
  auto found = table.find(name);
  return found == table.end() ? std::nullopt : std::optional<T>(found->second);
}

std::optional<size_t> ecf8::simt::registerOffset(std::string_view name) { return find(registerOffsets(), name); }
std::optional<uint32_t> ecf8::simt::registerConstant(std::string_view name) { return find(registerConstants(), name); }
