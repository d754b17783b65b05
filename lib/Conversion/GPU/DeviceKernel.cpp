#include "DeviceKernel.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::ecf8;

FailureOr<DeviceSpec> DeviceSpec::of(Operation *diagnosed, CompressedType type, const Architecture &architecture) {
  EncodingAttrInterface encoding = type.getEncoding();
  DeviceSpec spec{&architecture, isa<Float8E4M3FNType>(type.getElementType()), 0, 0, encoding.getTileColumnCount()};
  if (encoding.getElementOrder() != Order::mma)
    return diagnosed->emitError() << "expected a weight in order mma for a GPU, got " << type, failure();
  if (auto huffman = dyn_cast<HuffmanAttr>(encoding)) {
    spec.group = huffman.getGroup();
    spec.maxCodeLength = huffman.getMaxCodeLength();
  }
  return spec;
}

FailureOr<const Architecture *> mlir::ecf8::getArchitecture(Operation *diagnosed, StringRef name) {
  if (const Architecture *found = findArchitecture(name))
    return found;
  auto error = diagnosed->emitError() << "expected a GPU architecture (";
  llvm::interleaveComma(getArchitectures(), error, [&](const Architecture &a) { error << a.name; });
  error << "), got '" << name << "'";
  return failure();
}

gpu::GPUModuleOp mlir::ecf8::getOrCreateKernelModule(ModuleOp module, const Architecture &architecture) {
  std::string name = "ecf8_kernels";
  for (Operation *taken; (taken = module.lookupSymbol(name)); name += "_")
    if (auto existing = dyn_cast<gpu::GPUModuleOp>(taken))
      return existing;
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(), builder.getUnitAttr());
  auto kernels = gpu::GPUModuleOp::create(builder, module.getLoc(), name);
  auto target = NVVM::NVVMTargetAttr::get(module.getContext(), 3, "nvptx64-nvidia-cuda", architecture.name,
                                          architecture.ptxFeature);
  kernels.setTargetsAttr(builder.getArrayAttr({target}));
  return kernels;
}

/// The dynamic area of shared memory: in PTX an array without size (`gpu.dynamic_shared_memory` has one of a byte).
static LLVM::GlobalOp getSharedArea(gpu::GPUModuleOp module, int64_t alignment) {
  if (auto existing = module.lookupSymbol<LLVM::GlobalOp>(kSharedArea)) {
    existing.setAlignment(std::max<int64_t>(*existing.getAlignment(), alignment));
    return existing;
  }
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), 0);
  return LLVM::GlobalOp::create(builder, module.getLoc(), type, /*isConstant=*/false, LLVM::Linkage::External,
                                kSharedArea, Attribute(), alignment, DeviceBuilder::sharedSpace);
}

gpu::GPUFuncOp mlir::ecf8::createKernel(gpu::GPUModuleOp module, StringRef name, ArrayRef<Type> arguments,
                                        llvm::function_ref<void(DeviceBuilder &, ValueRange, Value)> emitBody,
                                        int64_t alignment) {
  LLVM::GlobalOp shared = getSharedArea(module, alignment);
  DeviceBuilder b(module.getLoc(), module.getContext());
  b.setInsertionPointToEnd(module.getBody());
  auto kernel = gpu::GPUFuncOp::create(b, name, b.getFunctionType(arguments, {}));
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  kernel->setAttr("nvvm.maxntid", b.getDenseI32ArrayAttr({int32_t(kMaxBlockThreads), 1, 1}));
  b.setInsertionPointToStart(&kernel.getBody().front());
  Value area = LLVM::AddressOfOp::create(b, shared);
  emitBody(b, kernel.getArguments(), area);
  gpu::ReturnOp::create(b);
  return kernel;
}
