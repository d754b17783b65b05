// The three ways to multiply on tensor cores.
#include "GroupProducts.h"
#include "WeightFragments.h"

using namespace mlir;
using namespace mlir::ecf8;

static constexpr int64_t kGroup = DeviceSpec::columnsPerGroup;

static constexpr int64_t kWarpgroup = 4;
/// A matrix descriptor with 128-byte swizzle wants addresses whose bits below this are those of rows and pieces.
static constexpr int64_t kSwizzleBytes = 1024;

ActivationLayout ActivationLayout::of(const DeviceSpec &spec, Type activations) {
  // Rows that are read by single lanes lie so that these read different banks.
  if (activations.getIntOrFloatBitWidth() == 16)
    return {ProductKind::Half, 2, spec.tileColumns * 2 + 32, 16};
  if (spec.architecture->hasWarpgroups)
    return {ProductKind::Warpgroup, 1, spec.tileColumns, kSwizzleBytes};
  return {ProductKind::Byte, 1, spec.tileColumns + 16, 16};
}

LaunchLayout LaunchLayout::of(const DeviceSpec &spec, Type activations, int64_t columnBlocks) {
  if (activations.getIntOrFloatBitWidth() == 16)
    return {ActivationLayout::of(spec, activations).endIn(spec, columnBlocks), 1};
  return {int64_t(llvm::alignTo(spec.tableBytes(), kSwizzleBytes)) + 8 * columnBlocks * (spec.tileColumns + 16),
          kWarpgroup};
}

namespace {

/// mma.m16n8k16. The k of a product are the columns in another order: a lane has four neighbours, of which the second
/// and the third change places where weights have that order (WeightFragments).
class HalfProducts : public GroupProducts {
public:
  HalfProducts(DeviceBuilder &b, const DeviceSpec &spec, Type type, const ActivationLayout &layout,
               int64_t columnBlocks, Value area, Value lane, bool mayHaveNaN)
      : GroupProducts(b, spec, layout, columnBlocks, area, lane), fragments(b, spec, type, mayHaveNaN) {}

  double sumFactor() const override { return fragments.sumFactor(); }

  Value offsetOf(Value row, Value column) override {
    if (WeightFragments::usesIntegers(spec))
      column = b.orI(b.andI(column, ~int64_t(3)), b.orI(b.shl(b.andI(column, 1), 1), b.andI(b.shrU(column, 1), 1)));
    return b.add(b.add(b.mul(row, layout.rowBytes), b.mul(column, 2)), layout.beginIn(spec));
  }

  void storePiece(Value row, Value column, Value bytes) override {
    if (WeightFragments::usesIntegers(spec)) {
      Value pieces = bytes;
      for (int64_t i : {0, 2}) {
        Value low = b.element(pieces, i), high = b.element(pieces, i + 1);
        bytes = LLVM::InsertElementOp::create(b, bytes, b.permute(low, high, 0x5410), b.word(i));
        bytes = LLVM::InsertElementOp::create(b, bytes, b.permute(low, high, 0x7632), b.word(i + 1));
      }
    }
    GroupProducts::storePiece(row, column, bytes);
  }

  /// Lane 4n + t reads the activations 4t to 4t + 3 of row n: 8 bytes.
  SmallVector<Value> multiply(Value group, ArrayRef<SmallVector<Value>> quads, ArrayRef<Value> scales,
                              SmallVector<Value> sums) override {
    Value column = b.add(b.mul(group, kGroup), b.mul(b.andI(lane, 3), 4));
    Value base = b.at(area, offsetOf(b.shrU(lane, 2), column));
    Type pair = b.vectorOf(2, b.i32());
    for (auto [step, stepQuads] : llvm::enumerate(quads)) {
      auto a = fragments.convert(stepQuads, scales);
      for (int64_t n = 0; n < columnBlocks; ++n)
        for (int64_t half = 0; half < 2; ++half) {
          Value two = b.load(pair, b.at(base, int32_t(8 * n * layout.rowBytes + 64 * step + 32 * half)), 8);
          fragments.multiply(a[half], b.element(two, 0), b.element(two, 1),
                             MutableArrayRef<Value>(sums).slice(4 * n, 4));
        }
    }
    return sums;
  }

private:
  WeightFragments fragments;
};

StringRef nameOf(bool isE4M3) { return isE4M3 ? "e4m3" : "e5m2"; }

/// mma.m16n8k32. The bytes that a lane needs of a group lie together: 8 for each step, in their halves 4.
class ByteProducts : public GroupProducts {
public:
  ByteProducts(DeviceBuilder &b, const DeviceSpec &spec, Type type, const ActivationLayout &layout,
               int64_t columnBlocks, Value area, Value lane)
      : GroupProducts(b, spec, layout, columnBlocks, area, lane) {
    name = ("llvm.nvvm.mma.m16n8k32.row.col.f32." + nameOf(spec.isE4M3) + "." + nameOf(isa<Float8E4M3FNType>(type)) +
            ".f32")
               .str();
  }

  /// Of the column's bits those of the lane go up, above those of step and half.
  Value offsetOf(Value row, Value column) override {
    Value group = b.andI(column, ~(kGroup - 1)), inQuad = b.andI(column, 3);
    Value ofLane = b.mul(b.andI(b.shrU(column, 2), 3), 32), ofHalf = b.mul(b.andI(b.shrU(column, 4), 7), 4);
    Value inRow = b.orI(b.orI(group, inQuad), b.orI(ofLane, ofHalf));
    return b.add(b.add(b.mul(row, layout.rowBytes), inRow), layout.beginIn(spec));
  }

  void storePiece(Value row, Value column, Value bytes) override {
    Value to = b.at(area, offsetOf(row, column));
    for (int64_t i = 0; i < 4; ++i)
      b.store(b.element(bytes, i), b.at(to, int32_t(32 * i)), 4);
  }

  SmallVector<Value> multiply(Value group, ArrayRef<SmallVector<Value>> quads, ArrayRef<Value>,
                              SmallVector<Value> sums) override {
    Value column = b.add(b.mul(group, kGroup), b.mul(b.andI(lane, 3), 4));
    Value base = b.at(area, offsetOf(b.shrU(lane, 2), column));
    Type f32 = b.getF32Type();
    auto result = LLVM::LLVMStructType::getLiteral(b.getContext(), {f32, f32, f32, f32});
    for (int64_t n = 0; n < columnBlocks; ++n) {
      SmallVector<Value> words;
      for (int64_t half = 0; half < 2; ++half) {
        Value four = b.load(b.vectorOf(4, b.i32()), b.at(base, int32_t(8 * n * layout.rowBytes + 16 * half)), 16);
        for (int64_t i = 0; i < 4; ++i)
          words.push_back(b.element(four, i));
      }
      for (auto [step, stepQuads] : llvm::enumerate(quads)) {
        SmallVector<Value> operands(stepQuads);
        operands.append({words[2 * step], words[2 * step + 1]});
        operands.append(sums.begin() + 4 * n, sums.begin() + 4 * n + 4);
        Value product = b.intrinsic(name, result, operands);
        for (int64_t i = 0; i < 4; ++i)
          sums[4 * n + i] = b.field(product, i);
      }
    }
    return sums;
  }

private:
  std::string name;
};

/// wgmma.m64nNk32 with the weights in registers: each warp of four has the tile of 16 rows that is its own part of the
/// 64. Activations lie in the layout of a matrix descriptor with 128-byte swizzle: a group of 8 rows is 1024 bytes, in
/// which the 16-byte pieces of a row are exchanged by its number.
class WarpgroupProducts : public GroupProducts {
public:
  WarpgroupProducts(DeviceBuilder &b, const DeviceSpec &spec, Type type, const ActivationLayout &layout,
                    int64_t columnBlocks, Value area, Value lane)
      : GroupProducts(b, spec, layout, columnBlocks, area, lane) {
    const int64_t count = 4 * columnBlocks;
    std::string sums = registers(0, count);
    llvm::raw_string_ostream text(assembly);
    // Products of a group begin at zero: these tensor cores keep fewer bits of a sum than f32 has, so that sums of more
    // columns are taken outside of them.
    text << "{\n.reg .pred begins, continues;\nsetp.ne.b32 begins, 0, 0;\nsetp.ne.b32 continues, 1, 0;\n"
         << "wgmma.fence.sync.aligned;\n";
    for (int64_t step = 0; step < DeviceSpec::stepsPerGroup; ++step)
      text << "wgmma.mma_async.sync.aligned.m64n" << 8 * columnBlocks << "k32.f32." << nameOf(spec.isE4M3) << "."
           << nameOf(isa<Float8E4M3FNType>(type)) << " " << sums << ", " << registers(count + 4 * step, 4) << ", $"
           << count + 16 + step << ", " << (step == 0 ? "begins" : "continues") << ", 1, 1;\n";
    text << "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n}";
    for (int64_t i = 0; i < count; ++i)
      constraints += "=&f,";
    for (int64_t i = 0; i < 16; ++i)
      constraints += "r,";
    constraints += "l,l,l,l";
    // PTX ISA, "Matrix Descriptor Format": address and strides in units of 16 bytes.
    Value address = LLVM::PtrToIntOp::create(b, b.i32(), b.at(area, b.word(layout.beginIn(spec))));
    low = b.orI(b.shrU(b.andI(address, 0x3FFFF), 4), b.word(1 << 16));
  }

  Value offsetOf(Value row, Value column) override {
    Value block = b.add(b.mul(b.shrU(column, 7), columnBlocks), b.shrU(row, 3)), inBlock = b.andI(row, 7);
    Value inRow = b.xorI(b.andI(column, kGroup - 1), b.mul(inBlock, 16));
    return b.add(b.add(b.mul(block, kSwizzleBytes), b.mul(inBlock, kGroup)), b.add(inRow, layout.beginIn(spec)));
  }

  void publish() override { b.callVoid("llvm.nvvm.fence.proxy.async.shared_cta", {}); }
  bool canContinue() const override { return false; }

  SmallVector<Value> multiply(Value group, ArrayRef<SmallVector<Value>> quads, ArrayRef<Value>,
                              SmallVector<Value>) override {
    SmallVector<Value> operands;
    for (const SmallVector<Value> &stepQuads : quads)
      operands.append(stepQuads);
    // In the upper half groups of 8 rows are 1024 bytes apart, and 1 << 30 is the swizzle; the other stride is not
    // used.
    Value upper = b.constant(b.i64(), int64_t(1) << 62 | int64_t(kSwizzleBytes / 16) << 32);
    Value first = b.add(low, b.mul(group, kSwizzleBytes / 16 * columnBlocks));
    for (int64_t step = 0; step < DeviceSpec::stepsPerGroup; ++step)
      operands.push_back(b.orI(b.wide(b.add(first, 2 * step)), upper));
    SmallVector<Type> types(4 * columnBlocks, b.getF32Type());
    Type result = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
    Value all = LLVM::InlineAsmOp::create(b, TypeRange{result}, operands, assembly, constraints,
                                          /*has_side_effects=*/true, /*is_align_stack=*/false, LLVM::TailCallKind::None,
                                          LLVM::AsmDialectAttr(), ArrayAttr())
                    ->getResult(0);
    SmallVector<Value> sums;
    for (int64_t i = 0; i < 4 * columnBlocks; ++i)
      sums.push_back(b.field(all, i));
    return sums;
  }

private:
  static std::string registers(int64_t first, int64_t count) {
    std::string text = "{";
    for (int64_t i = 0; i < count; ++i)
      text += (i ? ", $" : "$") + std::to_string(first + i);
    return text + "}";
  }

  std::string assembly, constraints;
  Value low; ///< lower half of the descriptor of the first group
};

} // namespace

bool GroupProducts::isFasterWithoutNaN(const DeviceSpec &spec, Type activations) {
  return ActivationLayout::of(spec, activations).kind == ProductKind::Half && WeightFragments::usesIntegers(spec);
}

std::unique_ptr<GroupProducts> GroupProducts::create(DeviceBuilder &b, const DeviceSpec &spec, Type activations,
                                                     int64_t columnBlocks, Value area, Value lane, bool mayHaveNaN) {
  ActivationLayout layout = ActivationLayout::of(spec, activations);
  switch (layout.kind) {
  case ProductKind::Half:
    return std::make_unique<HalfProducts>(b, spec, activations, layout, columnBlocks, area, lane, mayHaveNaN);
  case ProductKind::Byte:
    return std::make_unique<ByteProducts>(b, spec, activations, layout, columnBlocks, area, lane);
  case ProductKind::Warpgroup:
    return std::make_unique<WarpgroupProducts>(b, spec, activations, layout, columnBlocks, area, lane);
  }
  llvm_unreachable("all kinds are above");
}
