// ecf8-damaged-payloads write FOLDER
//   writes a program and its weights.
// ecf8-damaged-payloads run BUNDLE
//   calls the decoders of that program, compiled, for each instruction set of this machine. Undamaged payloads have to
//   give the elements; damaged ones an error status with a message, or any bytes. Fails where a call reads or writes
//   outside of its buffers.
// ecf8-damaged-payloads write-contractions FOLDER
// ecf8-damaged-payloads run-contractions BUNDLE
//   the same for contractions (Contractions.h).
#include "Contractions.h"
#include "Damage.h"
#include "Running.h"

#include "ecf8/Codec/Decoder.h"

using namespace ecf8;
using namespace ecf8::test;

namespace {

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
      totals.count(outcome);
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
  /// What a call gives depends on nothing but its payload, even where that is damaged.
  Outcome callAtBothPlaces(const std::string &function, const std::string &what, std::span<const uint8_t> payload,
                           const MatrixShape &shape, std::span<const int64_t> inputs) {
    return test::callAtBothPlaces(module, {function, payload, shape, inputs}, level, what);
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

  const Module &module;
  std::string level;
};

int run(const std::string &bundle) {
  std::vector<Weight> weights = makeWeights();
  return runOnEveryLevel(bundle, [&](const Module &module, const std::string &level, Totals &totals) {
    Runner runner(module, level);
    for (size_t i = 0; i < weights.size(); ++i)
      runner.run(weights[i], /*seed=*/i, totals);
  });
}

} // namespace

int main(int argc, char **argv) {
  std::string command = argc == 3 ? argv[1] : "";
  if (command == "write" || command == "write-contractions") {
    Status status = command == "write" ? writeProgram(argv[2], makeWeights())
                                       : writeContractionProgram(argv[2], makeContractions());
    if (!status.isOk())
      std::fprintf(stderr, "%s\n", status.message().c_str());
    return status.isOk() ? 0 : 1;
  }
  if (command == "run")
    return run(argv[2]);
  if (command == "run-contractions")
    return runContractions(argv[2]);
  std::fprintf(stderr, "usage: %s write[-contractions] FOLDER | run[-contractions] BUNDLE\n", argv[0]);
  return 2;
}
