// An mbarrier: 8 bytes of shared memory, of which programs see only that they are opaque.
#ifndef ECF8_SIMT_MBARRIER_H
#define ECF8_SIMT_MBARRIER_H

#include "Memory.h"

namespace ecf8::simt {

/// The state lies in shared memory itself: expected arrivals (20 bits), pending arrivals (20), bytes of transactions
/// still to come (21, signed), phase (1), and a mark that tells it from anything else (2).
class MBarrier {
public:
  /// Checks address and state; ends the launch where something else lies there.
  MBarrier(Context &context, const CallSite &site, void *address);

  static void initialize(Context &context, const CallSite &site, void *address, uint32_t count);
  void invalidate();
  /// Returns the state before the arrival, the token that a wait takes.
  uint64_t arrive(uint32_t count, bool drop = false);
  void expectTransaction(int64_t sizeBytes);
  void completeTransaction(int64_t sizeBytes) { expectTransaction(-sizeBytes); }
  bool phase() const;
  uint32_t pending() const;
  /// Whether the phase with this parity has completed. What was released into it is acquired then. Lets others run
  /// first if not; with `retry` looks again after that.
  bool waitParity(bool parity, bool retry);

  static bool phaseOf(uint64_t state) { return state >> 61 & 1; }

private:
  uint64_t load() const;
  void store(uint64_t state);
  void settle(uint64_t expected, int64_t pending, int64_t bytes, bool phase);

  Context &context;
  const CallSite &site;
  void *address;
};

} // namespace ecf8::simt

#endif // ECF8_SIMT_MBARRIER_H
