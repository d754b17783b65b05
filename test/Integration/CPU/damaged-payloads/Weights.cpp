// The weights of the test's program, and the program.
#include "Weights.h"

#include "ecf8/Support/Safetensors.h"

#include <cstdio>
#include <cstdlib>

using namespace ecf8;
using namespace ecf8::test;

static TileStorage storageOf(const Weight &weight) {
  return getTileStorage(weight.elementType, weight.options.encoding);
}

static TileGrid gridOf(const Weight &weight) {
  return {weight.shape, weight.options.tileColumns, storageOf(weight).columnGroup};
}

uint64_t Weight::tileTableBytes() const {
  return options.encoding != Encoding::Raw ? 4 * (gridOf(*this).tileCount() + 1) : 0;
}

uint64_t Weight::planeBytes() const {
  if (!isRows32())
    return shape.elementCount();
  TileGrid grid = gridOf(*this);
  return grid.strips() * grid.paddedColumns() * storageOf(*this).bytesPerColumn;
}

uint64_t Weight::tileOrderBytes() const { return gridOf(*this).strips() * gridOf(*this).paddedColumns() * laneCount; }

std::vector<Weight> ecf8::test::makeWeights() {
  struct Form {
    const char *name, *encoding;
    EncodeOptions options;
  };
  const Form forms[] = {
      {"huffman8", "#ecf8.huffman<tile_columns = 64>", EncodeOptions::huffman(8, 64)},
      {"huffman7", "#ecf8.huffman<max_code_length = 7, tile_columns = 48>", EncodeOptions::huffman(7, 48)},
      {"rows32", "#ecf8.raw<order = rows32, tile_columns = 48>", EncodeOptions::rawRows32(48)},
      {"raw", "#ecf8.raw", EncodeOptions::raw()},
  };
  struct Content {
    MatrixShape shape, slice;
    Distribution distribution;
  };
  // The second has more strips than are decoded in lockstep; its codes are as long as they get.
  const Content contents[] = {
      {{33, 100}, {32, 20}, Distribution::Geometric},
      {{164, 90}, {32, 20}, Distribution::Fibonacci},
      {{7, 3}, {7, 2}, Distribution::Uniform},
      {{1, 1}, {1, 1}, Distribution::OneSymbol},
  };
  std::vector<Weight> weights;
  for (ElementType type : {ElementType::F8E4M3FN, ElementType::F8E5M2})
    for (const Form &form : forms)
      for (const Content &content : contents) {
        const MatrixShape &shape = content.shape;
        std::string name = std::string(form.name) + "_" + std::string(getName(type)) + "_" +
                           std::to_string(shape.rows) + "x" + std::to_string(shape.columns);
        const uint64_t dims[] = {shape.rows, shape.columns};
        std::vector<uint8_t> elements = makeElements(content.distribution, type, shape.elementCount());
        Result<std::vector<uint8_t>> payload = encode(form.options, type, dims, elements);
        if (!payload) {
          std::fprintf(stderr, "%s: %s\n", name.c_str(), payload.status().message().c_str());
          std::exit(1);
        }
        // Each costs a decoder of its own, so there are two: both types, both code lengths.
        bool hasTileOrder = shape.rows == 164 && form.options.encoding == Encoding::Huffman &&
                            (form.options.maxCodeLength == 8) == (type == ElementType::F8E5M2);
        weights.push_back(
            {name, form.encoding, form.options, type, shape, content.slice, hasTileOrder, payload.take()});
      }
  return weights;
}

Status ecf8::test::writeProgram(const std::string &folder, const std::vector<Weight> &weights) {
  std::string text;
  for (const Weight &weight : weights) {
    auto dims = [&](const MatrixShape &shape) {
      return std::to_string(shape.rows) + "x" + std::to_string(shape.columns) + "x" +
             std::string(getName(weight.elementType));
    };
    const std::string &name = weight.name;
    std::string whole = "tensor<" + dims(weight.shape) + ">", slice = "tensor<" + dims(weight.slice) + ">";
    std::string type = "!ecf8.compressed<" + dims(weight.shape) + ", " + weight.encoding + ">";
    std::string load = "  %c = ecf8.global.load @weight_" + name + " : " + type + "\n";
    text += "ecf8.global private @weight_" + name + " key(\"" + name + "\") : " + type + "\n";
    text += "func.func @" + name + "() -> " + whole + " {\n" + load + "  %w = ecf8.decode %c : " + type +
            "\n  return %w : " + whole + "\n}\n";
    text += "func.func @" + name + "_slice(%row: i64, %column: i64) -> " + slice + " {\n" + load +
            "  %r = arith.index_cast %row : i64 to index\n  %k = arith.index_cast %column : i64 to index\n" +
            "  %w = ecf8.decode %c[%r, %k] : " + type + " to " + slice + "\n  return %w : " + slice + "\n}\n";
    if (weight.hasTileOrder) {
      std::string decoder = "decoder_of_" + name, bytes = std::to_string(weight.tileOrderBytes());
      text += "func.func private @" + decoder + "(" + type +
              ", memref<?xi8>, index, index) attributes {ecf8.decoder = " + type + "}\n";
      text += "func.func @" + name + "_tiles() -> tensor<1x" + bytes + "xi8> {\n" + load +
              "  %m = memref.alloc() : memref<1x" + bytes + "xi8>\n" +
              "  %f = memref.collapse_shape %m [[0, 1]] : memref<1x" + bytes + "xi8> into memref<" + bytes + "xi8>\n" +
              "  %d = memref.cast %f : memref<" + bytes + "xi8> to memref<?xi8>\n" +
              "  %z = arith.constant 0 : index\n  func.call @" + decoder + "(%c, %d, %z, %z) : (" + type +
              ", memref<?xi8>, index, index) -> ()\n" + "  %t = bufferization.to_tensor %m restrict : memref<1x" +
              bytes + "xi8> to tensor<1x" + bytes + "xi8>\n  return %t : tensor<1x" + bytes + "xi8>\n}\n";
    }
  }
  return writeFiles(folder, text, weights);
}

Status ecf8::test::writeFiles(const std::string &folder, const std::string &program,
                              const std::vector<Weight> &weights) {
  std::vector<SafetensorsSpec> specs;
  for (const Weight &weight : weights)
    specs.push_back({weight.name, SafetensorsDType::U8, {weight.payload.size()}, /*isBlob=*/true});
  if (Status status = writeFileAtomically(folder + "/program.mlir", program); !status.isOk())
    return status;
  Result<SafetensorsWriter> writer = SafetensorsWriter::create(folder + "/weights.safetensors", specs);
  if (!writer)
    return writer.status();
  for (size_t i = 0; i < weights.size(); ++i)
    if (Status status = writer->write(i, weights[i].payload); !status.isOk())
      return status;
  return writer->commit();
}
