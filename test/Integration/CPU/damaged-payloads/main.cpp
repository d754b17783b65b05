// ecf8-damaged-payloads write FOLDER
//   writes a program and its weights.
// ecf8-damaged-payloads run BUNDLE
//   calls the decoders of that program, compiled, for each instruction set of this machine. Undamaged payloads have to
//   give the elements; damaged ones an error status with a message, or any bytes. Fails where a call reads or writes
//   outside of its buffers.
#include "Damage.h"
#include "Module.h"

#include "ecf8/Codec/Decoder.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <set>
#include <unistd.h>

using namespace ecf8;
using namespace ecf8::test;

namespace {

/// The running call, for the message of a crash.
std::string running;

void onSignal(int signal, siginfo_t *info, void *) {
  std::string text = std::string(signal == SIGALRM ? "does not end" : strsignal(signal)) + ": " + running;
  if (signal != SIGALRM)
    text += ", address: " + describeAddress(info->si_addr);
  text += "\n";
  // The process is lost anyway, so calls that a handler should not make do no harm.
  (void)!write(STDERR_FILENO, text.data(), text.size());
  _exit(1);
}

struct Totals {
  uint64_t refused = 0, decoded = 0;
  std::set<std::string> messages;
};

class Runner {
public:
  Runner(const Module &module, std::string level) : module(module), level(std::move(level)) {}

  void run(const Weight &weight, uint64_t seed, Totals &totals) {
    checkUndamaged(weight);
    // A slice as large as the whole has its offsets folded away.
    if (weight.slice.elementCount() != weight.shape.elementCount())
      checkSlices(weight);
    Random random(seed);
    auto visit = [&](const std::string &what, std::span<const uint8_t> bytes) {
      Outcome outcome = callAtBothPlaces(weight.name, what, bytes, weight.shape, {});
      ++(outcome.code ? totals.refused : totals.decoded);
      if (outcome.code)
        totals.messages.insert(outcome.message);
      if (random.below(3) == 0) {
        const int64_t at[] = {int64_t(32 * random.below(6)), int64_t(weight.options.tileColumns * random.below(2))};
        callAtBothPlaces(weight.name + "_slice", what, bytes, weight.slice, at);
      }
      if (weight.hasTileOrder)
        callAtBothPlaces(weight.name + "_tiles", what, bytes, {1, weight.tileOrderBytes()}, {});
    };
    if (weight.shape.rows == 33)
      visitSystematicDamage(weight, visit);
    visitRandomDamage(weight, seed, /*count=*/1000, visit);
  }

private:
  Outcome call(const std::string &function, const std::string &what, std::span<const uint8_t> payload,
               const MatrixShape &shape, std::span<const int64_t> inputs, Placement placement) {
    running = level + ": " + function;
    for (int64_t input : inputs)
      running += " " + std::to_string(input);
    running += std::string(placement == Placement::AtEnd ? ", at the end" : ", at the begin") + ": " + what;
    Outcome outcome = module.call(function, payload, shape, inputs, placement);
    if (!outcome.wrong.empty())
      fail(outcome.wrong);
    return outcome;
  }

  /// What a call gives depends on nothing but its payload, even where that is damaged.
  Outcome callAtBothPlaces(const std::string &function, const std::string &what, std::span<const uint8_t> payload,
                           const MatrixShape &shape, std::span<const int64_t> inputs) {
    Outcome first = call(function, what, payload, shape, inputs, Placement::AtBegin);
    Outcome second = call(function, what, payload, shape, inputs, Placement::AtEnd);
    if (first.code != second.code || first.message != second.message || first.output != second.output)
      fail("expected the outcome of the call with its payload at the begin, got another: " + second.message);
    return second;
  }

  void checkUndamaged(const Weight &weight) {
    Result<std::vector<uint8_t>> expected = decode(weight.payload);
    Outcome outcome = callAtBothPlaces(weight.name, "undamaged", weight.payload, weight.shape, {});
    if (outcome.code || outcome.output != *expected)
      fail("expected the elements, got others: " + outcome.message);
    if (!weight.hasTileOrder)
      return;
    outcome = callAtBothPlaces(weight.name + "_tiles", "undamaged", weight.payload, {1, weight.tileOrderBytes()}, {});
    Result<Payload> payload = readPayload(weight.payload);
    std::vector<uint8_t> tiles;
    TileGrid grid = payload->header.grid();
    for (uint64_t tile = 0; tile < grid.tileCount(); ++tile) {
      std::vector<uint8_t> elements = *decodeTile(*payload, tile / grid.tilesPerStrip(), tile % grid.tilesPerStrip());
      tiles.insert(tiles.end(), elements.begin(), elements.end());
    }
    if (outcome.code || outcome.output != tiles)
      fail("expected the elements in tile order, got others: " + outcome.message);
  }

  /// Slices of an undamaged payload from anywhere: those that exist are right, all others refused.
  void checkSlices(const Weight &weight) {
    Result<Payload> payload = readPayload(weight.payload);
    auto rows = static_cast<int64_t>(weight.shape.rows), columns = static_cast<int64_t>(weight.shape.columns);
    constexpr int64_t least = INT64_MIN, greatest = INT64_MAX;
    for (int64_t row : {int64_t(0), int64_t(1), int64_t(31), int64_t(32), int64_t(128), int64_t(160), rows - 1, rows,
                        rows + 1, int64_t(-1), int64_t(-32), least, greatest, greatest - 31, int64_t(1) << 31})
      for (int64_t column : {int64_t(0), int64_t(1), int64_t(48), int64_t(64), columns - 1, columns, columns + 1,
                             int64_t(-1), int64_t(-48), least, greatest, int64_t(1) << 31}) {
        const int64_t at[] = {row, column};
        Outcome outcome = callAtBothPlaces(weight.name + "_slice", "undamaged", weight.payload, weight.slice, at);
        bool atTile = !weight.isRows32() || (row % 32 == 0 && column % weight.options.tileColumns == 0);
        bool exists = row >= 0 && column >= 0 && row <= rows - int64_t(weight.slice.rows) &&
                      column <= columns - int64_t(weight.slice.columns) && atTile;
        if (exists != (outcome.code == 0))
          fail(exists ? "expected the slice, got: " + outcome.message : "expected a refusal, got a slice");
        if (exists && outcome.output != *decodeSlice(*payload, row, column, weight.slice.rows, weight.slice.columns))
          fail("expected the elements of the slice, got others");
      }
  }

  [[noreturn]] void fail(const std::string &message) {
    std::fprintf(stderr, "%s: %s\n", running.c_str(), message.c_str());
    std::exit(1);
  }

  const Module &module;
  std::string level;
};

int run(const std::string &bundle) {
  struct sigaction action = {};
  action.sa_sigaction = onSignal;
  action.sa_flags = SA_SIGINFO;
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGALRM})
    sigaction(signal, &action, nullptr);
  alarm(300);
  std::vector<Weight> weights = makeWeights();
  for (const char *level : {"generic", "x86-64-v3", "x86-64-v4"}) {
    Module module;
    Module::Found found = module.open(bundle, level);
    if (found == Module::Found::Unsupported)
      continue;
    if (found == Module::Found::No)
      return 1;
    Runner runner(module, level);
    Totals totals;
    for (size_t i = 0; i < weights.size(); ++i)
      runner.run(weights[i], /*seed=*/i, totals);
    std::printf("%s: %llu damaged payloads refused, %llu decoded\n", level,
                static_cast<unsigned long long>(totals.refused), static_cast<unsigned long long>(totals.decoded));
    for (const std::string &message : totals.messages)
      std::printf("  %s\n", message.c_str());
    // Otherwise the test would not see what comes after the checks of the header.
    if (totals.refused < 1000 || totals.decoded < 1000)
      return 1;
  }
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  std::string command = argc == 3 ? argv[1] : "";
  if (command == "write") {
    Status status = writeProgram(argv[2], makeWeights());
    if (!status.isOk())
      std::fprintf(stderr, "%s\n", status.message().c_str());
    return status.isOk() ? 0 : 1;
  }
  if (command == "run")
    return run(argv[2]);
  std::fprintf(stderr, "usage: %s write FOLDER | run BUNDLE\n", argv[0]);
  return 2;
}
