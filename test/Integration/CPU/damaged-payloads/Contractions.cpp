// Calls of contractions.
#include "Contractions.h"

#include "Damage.h"
#include "Running.h"
#include "ecf8/Support/Safetensors.h"

#include <cstring>

using namespace ecf8;
using namespace ecf8::test;

namespace {

/// Rows of activations: the kernel for one row, and the one for several.
constexpr uint64_t rowCounts[] = {1, 5};
/// Columns that a matrix has in front of those that a contraction sees, so that these end with the memory.
constexpr uint64_t activationsPadding = 5, sumsPadding = 3, scalePadding = 2;

unsigned bytesOf(const std::string &type) { return type == "f32" ? 4 : 2; }

std::string dims(uint64_t rows, uint64_t columns, const std::string &type) {
  return std::to_string(rows) + "x" + std::to_string(columns) + "x" + type;
}

MatrixShape scaleShape(const Contraction &contraction) {
  const MatrixShape &shape = contraction.weight.shape, &block = contraction.block;
  if (!block.rows)
    return {0, 0};
  return {(shape.rows + block.rows - 1) / block.rows, (shape.columns + block.columns - 1) / block.columns};
}

/// Offsets, sizes and strides of the last columns of a matrix.
std::string slice(uint64_t padding, uint64_t rows, uint64_t columns) {
  return "[0, " + std::to_string(padding) + "] [" + std::to_string(rows) + ", " + std::to_string(columns) + "] [1, 1]";
}

/// The view of the last columns of %`wide`.
std::string view(const std::string &name, const std::string &wide, const std::string &wideType,
                 const std::string &slice, const std::string &type) {
  return "  %" + name + " = tensor.extract_slice %" + wide + slice + " : " + wideType + " to " + type + "\n";
}

std::string functionText(const Contraction &contraction, uint64_t rows, const std::string &weightType) {
  const Weight &weight = contraction.weight;
  const MatrixShape &shape = weight.shape;
  MatrixShape scale = scaleShape(contraction);
  std::string in = contraction.activations;
  auto tensor = [](uint64_t r, uint64_t c, const std::string &type) { return "tensor<" + dims(r, c, type) + ">"; };
  std::string wideX = tensor(rows, shape.columns + activationsPadding, in), x = tensor(rows, shape.columns, in),
              wideY = tensor(rows, shape.rows + sumsPadding, "f32"), y = tensor(rows, shape.rows, "f32"),
              wideS = tensor(scale.rows, scale.columns + scalePadding, "f32"),
              s = tensor(scale.rows, scale.columns, "f32");
  std::string text = "func.func @" + weight.name + "_" + std::to_string(rows) + "(%wx: " + wideX + ", %wy: " + wideY;
  if (contraction.block.rows)
    text += ", %ws: " + wideS;
  text += ") -> " + wideY + " {\n  %c = ecf8.global.load @weight_" + weight.name + " : " + weightType + "\n";
  // Sums that may be written, so that the contraction gets a view of what is returned.
  text += "  %own = bufferization.alloc_tensor() copy(%wy) : " + wideY + "\n";
  std::string sumsSlice = slice(sumsPadding, rows, shape.rows);
  text += view("x", "wx", wideX, slice(activationsPadding, rows, shape.columns), x);
  text += view("y", "own", wideY, sumsSlice, y);
  if (contraction.block.rows)
    text += view("s", "ws", wideS, slice(scalePadding, scale.rows, scale.columns), s);
  text += "  %z = ecf8.contract ins(%x, %c : " + x + ", " + weightType + ")";
  if (contraction.block.rows)
    text += " scale(%s : " + s + ") block [" + std::to_string(contraction.block.rows) + ", " +
            std::to_string(contraction.block.columns) + "]";
  text += " outs(%y : " + y + ") -> " + y + "\n  %r = tensor.insert_slice %z into %own" + sumsSlice + " : " + y +
          " into " + wideY + "\n  return %r : " + wideY + "\n}\n";
  return text;
}

/// A matrix of numbers near 1, the same in each row count.
MatrixInput makeMatrix(uint64_t rows, uint64_t columns, const std::string &type, uint64_t seed) {
  MatrixInput matrix{{rows, columns}, bytesOf(type), std::vector<uint8_t>(rows * columns * bytesOf(type))};
  Random random(seed);
  for (uint64_t i = 0; i < rows * columns; ++i) {
    // The exponent of 0.5 or 1, a random mantissa.
    uint64_t bits = type == "f16" ? 0x3800 + random.below(0x800) : 0x3f00 + random.below(0x100);
    if (type == "f32")
      bits <<= 16;
    std::memcpy(matrix.bytes.data() + i * matrix.elementBytes, &bits, matrix.elementBytes);
  }
  return matrix;
}

class Runner {
public:
  Runner(const Module &module, std::string level, const Contraction &contraction)
      : module(module), level(std::move(level)), contraction(contraction) {
    const MatrixShape &shape = contraction.weight.shape;
    for (uint64_t rows : rowCounts) {
      auto &matrices = inputs.emplace_back();
      matrices.push_back(makeMatrix(rows, shape.columns + activationsPadding, contraction.activations, /*seed=*/1));
      matrices.push_back(makeMatrix(rows, shape.rows + sumsPadding, "f32", /*seed=*/2));
      MatrixShape scale = scaleShape(contraction);
      if (contraction.block.rows)
        matrices.push_back(makeMatrix(scale.rows, scale.columns + scalePadding, "f32", /*seed=*/3));
    }
  }

  void run(uint64_t seed, Totals &totals) {
    checkUndamaged();
    auto visit = [&](const std::string &what, std::span<const uint8_t> bytes) {
      for (size_t i = 0; i < std::size(rowCounts); ++i)
        totals.count(call(i, what, bytes));
    };
    if (contraction.weight.shape.rows == 33)
      visitSystematicDamage(contraction.weight, visit);
    visitRandomDamage(contraction.weight, seed, /*count=*/500, visit);
  }

private:
  Outcome call(size_t index, const std::string &what, std::span<const uint8_t> payload) {
    uint64_t rows = rowCounts[index], columns = contraction.weight.shape.rows + sumsPadding;
    Call request{contraction.weight.name + "_" + std::to_string(rows), payload, {rows, columns}, {}, inputs[index], 4};
    // Escapes behind the last one of a tile of planes take what their buffer held (codes_c7).
    request.isRepeatable = contraction.weight.options.encoding != Encoding::Planes || what == "undamaged";
    Outcome outcome = callAtBothPlaces(module, request, level, what);
    for (uint64_t row = 0; row < rows && !outcome.code; ++row) {
      uint64_t padding = row * columns * 4;
      if (std::memcmp(outcome.output.data() + padding, inputs[index][1].bytes.data() + padding, sumsPadding * 4) != 0)
        fail("wrote between the rows of its output");
    }
    return outcome;
  }

  /// Both kernels give the same sums for the first row. Their values: contractions.test.
  void checkUndamaged() {
    Outcome one = call(0, "undamaged", contraction.weight.payload),
            five = call(1, "undamaged", contraction.weight.payload);
    if (one.code || five.code)
      fail("expected sums, got: " + one.message + five.message);
    if (one.output == inputs[0][1].bytes)
      fail("expected sums, got what was there");
    for (size_t index = 0; index < inputs.size(); ++index) {
      spoilPadding(index);
      if (call(index, "undamaged", contraction.weight.payload).output != (index == 0 ? one : five).output)
        fail("read what is not in its view");
    }
    five.output.resize(one.output.size());
    if (!sharesFirstRow() || one.output != five.output)
      fail("expected the sums of one row to be those of several");
  }

  /// Other columns in front of activations and scales: NaN.
  void spoilPadding(size_t index) {
    for (size_t i = 0; i < inputs[index].size(); ++i) {
      if (i == 1)
        continue;
      MatrixInput &matrix = inputs[index][i];
      uint64_t rowBytes = matrix.shape.columns * matrix.elementBytes;
      uint64_t padding = (i == 0 ? activationsPadding : scalePadding) * matrix.elementBytes;
      for (uint64_t begin = 0; begin < matrix.bytes.size(); begin += rowBytes)
        std::fill_n(matrix.bytes.begin() + static_cast<std::ptrdiff_t>(begin), padding, uint8_t(0xff));
    }
  }

  bool sharesFirstRow() const {
    for (size_t matrix = 0; matrix < inputs[0].size(); ++matrix) {
      const std::vector<uint8_t> &one = inputs[0][matrix].bytes, &five = inputs[1][matrix].bytes;
      if (!std::equal(one.begin(), one.end(), five.begin()))
        return false;
    }
    return true;
  }

  const Module &module;
  std::string level;
  const Contraction &contraction;
  std::vector<std::vector<MatrixInput>> inputs; ///< by row count
};

} // namespace

std::vector<Contraction> ecf8::test::makeContractions() {
  struct Form {
    const char *name, *encoding;
    EncodeOptions options;
    ElementType elementType;
    const char *activations;
    MatrixShape block; ///< 0: the whole of that dimension; 0 x 0: no scale
  };
  const Form forms[] = {
      {"huffman8",
       "#ecf8.huffman<tile_columns = 64>",
       EncodeOptions::huffman(8, 64),
       ElementType::F8E4M3FN,
       "f32",
       {32, 64}},
      {"huffman7",
       "#ecf8.huffman<max_code_length = 7, tile_columns = 48>",
       EncodeOptions::huffman(7, 48),
       ElementType::F8E5M2,
       "bf16",
       {1, 0}},
      {"rows32",
       "#ecf8.raw<order = rows32, tile_columns = 48>",
       EncodeOptions::rawRows32(48),
       ElementType::F8E4M3FN,
       "f32",
       {1, 0}},
      {"planes", "#ecf8.planes<tile_columns = 64>", EncodeOptions::planes(64), ElementType::F8E5M2, "f16", {0, 0}},
  };
  // Units that are full have a kernel of their own for one row; the third has more strips than go in lockstep.
  const std::pair<MatrixShape, Distribution> contents[] = {{{33, 100}, Distribution::Geometric},
                                                           {{40, 192}, Distribution::Geometric},
                                                           {{164, 96}, Distribution::Fibonacci},
                                                           {{7, 3}, Distribution::TwoSymbols}};
  std::vector<Contraction> contractions;
  for (const Form &form : forms)
    for (const auto &[shape, distribution] : contents) {
      std::string name =
          std::string(form.name) + "_" + std::to_string(shape.rows) + "x" + std::to_string(shape.columns);
      const uint64_t dims[] = {shape.rows, shape.columns};
      std::vector<uint8_t> elements = makeElements(distribution, form.elementType, shape.elementCount());
      Result<std::vector<uint8_t>> payload = encode(form.options, form.elementType, dims, elements);
      if (!payload) {
        running = name;
        fail(payload.status().message());
      }
      MatrixShape block = form.block;
      if (block.rows && !block.columns)
        block.columns = shape.columns;
      contractions.push_back({{name, form.encoding, form.options, form.elementType, shape, /*slice=*/shape,
                               /*hasTileOrder=*/false, payload.take()},
                              form.activations,
                              block});
    }
  return contractions;
}

Status ecf8::test::writeContractionProgram(const std::string &folder, const std::vector<Contraction> &contractions) {
  std::string text;
  std::vector<Weight> weights;
  for (const Contraction &contraction : contractions) {
    const Weight &weight = contraction.weight;
    std::string type = "!ecf8.compressed<" +
                       dims(weight.shape.rows, weight.shape.columns, std::string(getName(weight.elementType))) + ", " +
                       weight.encoding + ">";
    text += "ecf8.global private @weight_" + weight.name + " key(\"" + weight.name + "\") : " + type + "\n";
    for (uint64_t rows : rowCounts)
      text += functionText(contraction, rows, type);
    weights.push_back(weight);
  }
  return writeFiles(folder, text, weights);
}

int ecf8::test::runContractions(const std::string &bundle) {
  std::vector<Contraction> contractions = makeContractions();
  return runOnEveryLevel(bundle, [&](const Module &module, const std::string &level, Totals &totals) {
    for (size_t i = 0; i < contractions.size(); ++i)
      Runner(module, level, contractions[i]).run(/*seed=*/i, totals);
  });
}
