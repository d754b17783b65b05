#include "Kernels.h"

#include "ecf8/Codec/KernelPart.h"
#include "ecf8/Codec/Segments.h"
#include "ecf8/InitAll.h"
#include "ecf8/Pipelines/Compile.h"
#include "ecf8/Pipelines/KernelCode.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <algorithm>
#include <cstring>

namespace ecf8::test {

DeviceMemory::DeviceMemory(size_t bytes) : pointer(simt::allocate(std::max<size_t>(bytes, 1))) {}

DeviceMemory::DeviceMemory(const void *source, size_t bytes) : DeviceMemory(bytes) {
  if (bytes)
    std::memcpy(pointer, source, bytes);
}

DeviceMemory::~DeviceMemory() { EXPECT_TRUE(simt::release(pointer).isOk()); }

EncodeOptions Layout::options() const {
  EncodeOptions options = codec == "raw"     ? EncodeOptions::rawMma(tileColumns)
                          : codec == "quads" ? EncodeOptions::quads(11, tileColumns)
                          : codec == "pairs" ? EncodeOptions::pairs(12, tileColumns)
                                             : EncodeOptions::classic(8, tileColumns);
  if (maxCodeLength)
    options.maxCodeLength = maxCodeLength;
  return options;
}

std::string Layout::attribute() const {
  std::string end = "order = mma, tile_columns = " + std::to_string(tileColumns) + ">";
  if (codec == "raw")
    return "#ecf8.raw<" + end;
  EncodeOptions encode = options();
  return "#ecf8.huffman<group = " + std::to_string(encode.group) +
         ", raw_exponent_bits = " + std::to_string(getGroupLayout(type, encode.group)->rawExponentBits) +
         ", max_code_length = " + std::to_string(encode.maxCodeLength) + ", stream = segments, " + end;
}

static std::string compile(const std::string &program, const std::string &architecture) {
  mlir::DialectRegistry registry;
  mlir::ecf8::registerCompilerDialects(registry);
  mlir::MLIRContext context(registry);
  context.disableMultithreading();
  auto source = mlir::parseSourceString<mlir::ModuleOp>(program, &context);
  EXPECT_TRUE(source) << program;
  if (!source)
    return {};
  mlir::PassManager passes(&context);
  mlir::ecf8::GPUPipelineOptions options;
  options.architecture = architecture;
  mlir::ecf8::buildGPUKernelPipeline(passes, options);
  EXPECT_TRUE(succeeded(passes.run(*source)));
  llvm::SmallVector<char> code;
  EXPECT_TRUE(succeeded(mlir::ecf8::emitKernels(*source, *mlir::ecf8::findArchitecture(architecture),
                                                mlir::ecf8::KernelFormat::LLVMIR, code)));
  return std::string(code.data(), code.size());
}

Kernels::Kernels(const Layout &layout, const std::string &activations, const Scaling &scaling,
                 const std::string &architecture, const std::string &epilogue)
    : layout(layout), scaling(scaling), isByte(activations.starts_with("f8")), hasEpilogue(!epilogue.empty()) {
  auto matrix = [](const std::string &element) { return "memref<?x?x" + element + ", strided<[?, 1], offset: ?>>"; };
  std::string type = "!ecf8.compressed<64x64x" + layout.elementName() + ", " + layout.attribute() + ">";
  std::string scale = scaling.kind.empty() ? "" : matrix("f32") + ", index, index, ";
  std::string scaleAttributes = scaling.kind.empty() ? "" : ", ecf8.scale = \"" + scaling.kind + "\"";
  if (scaling.ofSums)
    scaleAttributes += ", ecf8.scales_sums";
  std::string extras;
  if (hasEpilogue) {
    scaleAttributes += ", ecf8.epilogue = @epilogue";
    for (const char *shape : {"?x1", "1x?", "?x?", "1x1"})
      extras += "memref<" + std::string(shape) + "xf32, strided<[?, 1], offset: ?>>, ";
  }
  std::string program = epilogue + "func.func private @decode(memref<?xi8>, " + matrix(layout.elementName()) +
                        ", index, index) attributes {ecf8.decoder = " + type + "}\n" +
                        "func.func private @contract(memref<?xi8>, " + matrix(activations) + ", " + matrix("f32") +
                        ", " + scale + extras + "index) attributes {ecf8.contraction = " + type + scaleAttributes +
                        "}\n";
  simt::LoadOptions load;
  load.check = true;
  auto loaded = simt::Module::load(compile(program, architecture), load);
  EXPECT_TRUE(loaded.isOk()) << loaded.status().message();
  if (loaded)
    module = std::make_unique<simt::Module>(loaded.take());
}

struct Kernels::Weight {
  Weight(const Layout &layout, Matrix shape, const std::vector<uint8_t> &elements)
      : Weight(layout, shape, elements, {0, 0}, shape) {}
  /// The part of `size` from row and column `first` on.
  Weight(const Layout &layout, Matrix shape, const std::vector<uint8_t> &elements, Matrix first, Matrix size) {
    uint64_t dims[] = {shape.rows, shape.columns};
    auto encoded = encode(layout.options(), layout.type, dims, elements);
    EXPECT_TRUE(encoded.isOk()) << encoded.status().message();
    std::vector<uint8_t> bytes = encoded.take();
    auto read = readPayload(bytes);
    EXPECT_TRUE(read.isOk()) << read.status().message();
    Header header = read->header;
    payload = std::make_unique<DeviceMemory>(bytes.data(), bytes.size());
    std::vector<uint32_t> entries = buildSegmentTable(header);
    tableBytes = uint32_t(entries.size() * 4);
    table = std::make_unique<DeviceMemory>(entries.data(), tableBytes);
    part = describePart(*read, first.rows, first.columns, size.rows, size.columns);
    plane = payload->data() + part.planeOffset, codes = payload->data() + part.codesOffset;
    tileTable = payload->data() + part.tileTableOffset;
  }
  std::vector<void *> arguments() {
    return {&plane,         &codes,       &tileTable,       &table->pointer,   &part.rows,      &part.columns,
            &part.rowTiles, &part.chunks, &part.stripTiles, &part.stripGroups, &part.slotBytes, &part.exponentOffset,
            &part.hasNaN};
  }
  std::unique_ptr<DeviceMemory> payload, table;
  KernelPart part;
  uint8_t *plane, *codes, *tileTable;
  uint32_t tableBytes = 0;
};

void Kernels::launch(const std::string &kernel, const Weight &weight, std::vector<void *> arguments,
                     uint32_t fixedBytes, uint32_t warpBytes, unsigned blocks, unsigned blockRows, unsigned warps) {
  ASSERT_TRUE(module);
  auto found = module->kernel(kernel);
  ASSERT_TRUE(found.isOk()) << found.status().message();
  uint32_t sharedBytes = fixedBytes + warps * (warpBytes + 2 * weight.part.slotBytes);
  simt::LaunchOptions options;
  options.numWorkers = 1;
  Status status = simt::launch(*found, {blocks, blockRows, 1}, {32 * warps, 1, 1}, sharedBytes, arguments.data(),
                               arguments.size(), options);
  ASSERT_TRUE(status.isOk()) << status.message();
}

std::vector<uint8_t> Kernels::decodeWeight(Weight &weight, uint64_t stride, unsigned blocks) {
  std::vector<uint8_t> result(weight.part.rows * stride, 0xA5);
  DeviceMemory out(result.data(), result.size());
  std::vector<void *> arguments = weight.arguments();
  arguments.insert(arguments.end(), {&out.pointer, &stride});
  launch("decode", weight, arguments, weight.tableBytes, 16 * (128 + 16), blocks, 1);
  std::copy_n(out.data(), result.size(), result.begin());
  return result;
}

std::vector<uint8_t> Kernels::decodePart(Matrix whole, const std::vector<uint8_t> &elements, Matrix part, uint32_t row,
                                         uint32_t column, unsigned blocks) {
  Weight weight(layout, whole, elements, {row, column}, part);
  return decodeWeight(weight, part.columns, blocks);
}

std::vector<uint8_t> Kernels::decode(Matrix shape, const std::vector<uint8_t> &elements, uint64_t stride,
                                     unsigned blocks) {
  Weight weight(layout, shape, elements);
  return decodeWeight(weight, stride, blocks);
}

std::vector<float> Kernels::contract(Matrix shape, const std::vector<uint8_t> &elements,
                                     const std::vector<uint8_t> &activations, uint32_t count,
                                     const std::vector<float> &scales, unsigned columnBlocks, unsigned blocks,
                                     const Extras &extras) {
  Weight weight(layout, shape, elements);
  DeviceMemory x(activations.data(), activations.size()), scale(scales.data(), scales.size() * 4);
  std::vector<float> result(count * shape.rows, 1.0f);
  DeviceMemory out(result.data(), result.size() * 4);
  unsigned blockRows = (count + 8 * columnBlocks - 1) / (8 * columnBlocks);
  uint64_t tiles = (shape.rows + 15) / 16, chunks = (shape.columns + layout.tileColumns - 1) / layout.tileColumns;
  DeviceMemory partials(blockRows * tiles * chunks * 512 * columnBlocks), counters(blockRows * tiles * 4);
  std::memset(counters.pointer, 0, blockRows * tiles * 4);
  uint64_t xStride = shape.columns, outStride = shape.rows;
  uint64_t scaleStride = (shape.columns + scaling.blockColumns - 1) / scaling.blockColumns;
  std::vector<void *> arguments = weight.arguments();
  arguments.insert(arguments.end(), {&x.pointer, &xStride, &count, &out.pointer, &outStride});
  uint32_t reciprocal = getGroupReciprocal(scaling.blockColumns);
  if (!scaling.kind.empty())
    arguments.insert(arguments.end(), {&scale.pointer, &scaleStride, &scaling.blockRows, &reciprocal});
  const std::vector<float> *matrices[] = {&extras.ofActivations, &extras.ofWeights, &extras.ofBoth, &extras.ofAll};
  uint64_t strides[] = {1, shape.rows, shape.rows, 1};
  std::vector<std::unique_ptr<DeviceMemory>> extraMemory;
  for (unsigned i = 0; hasEpilogue && i < 4; ++i) {
    extraMemory.push_back(std::make_unique<DeviceMemory>(matrices[i]->data(), matrices[i]->size() * 4));
    arguments.insert(arguments.end(), {&extraMemory.back()->pointer, &strides[i]});
  }
  arguments.insert(arguments.end(), {&partials.pointer, &counters.pointer});
  // docs/guides/gpu.md: table and activations in shared memory.
  uint32_t table = isByte ? (weight.tableBytes + 1023) / 1024 * 1024 : weight.tableBytes;
  uint32_t rowBytes = isByte ? layout.tileColumns + 16 : 2 * layout.tileColumns + 32;
  launch("contract_n" + std::to_string(8 * columnBlocks), weight, arguments, table + 8 * columnBlocks * rowBytes, 0,
         blocks, blockRows, isByte ? 8 : 4);
  for (uint64_t i = 0; i < blockRows * tiles; ++i)
    EXPECT_EQ(reinterpret_cast<uint32_t *>(counters.pointer)[i], 0u) << "counter " << i;
  std::memcpy(result.data(), out.pointer, result.size() * 4);
  return result;
}

} // namespace ecf8::test
