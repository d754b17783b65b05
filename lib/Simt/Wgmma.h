// What is known about unfinished multiplications of warpgroups, in modules with checks.
#ifndef ECF8_SIMT_WGMMA_H
#define ECF8_SIMT_WGMMA_H

#include "Runtime.h"

#include <array>
#include <deque>
#include <utility>
#include <vector>

namespace ecf8::simt {

/// The reads of shared memory of each warp's multiplications: 16 bytes each, by commit group.
struct WgmmaState {
  using Reads = std::vector<std::pair<const char *, const CallSite *>>;
  std::array<Reads, 32> open;
  std::array<std::deque<Reads>, 32> groups;

  void begin() {
    for (unsigned w = 0; w < 32; ++w) {
      open[w].clear();
      groups[w].clear();
    }
  }
  void commit(unsigned warp) {
    groups[warp].push_back(std::move(open[warp]));
    open[warp].clear();
  }
  /// Whether a warp has multiplications that it has not waited for.
  bool isPending(unsigned warp) const { return !open[warp].empty() || !groups[warp].empty(); }
};

} // namespace ecf8::simt

#endif // ECF8_SIMT_WGMMA_H
