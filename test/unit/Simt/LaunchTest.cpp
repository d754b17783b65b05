// Loading and launching: what goes wrong, that it leaves everything usable, and that results do not depend on workers.
#include "SimtTest.h"

#include "ecf8-c/GPU.h"

#include <dlfcn.h>
#include <thread>

using namespace ecf8;
using namespace ecf8::test;

static const char *kEmpty = "define ptx_kernel void @k() {\n  ret void\n}\n";

static std::string launchOf(const simt::Module &module, simt::Dim3 grid, simt::Dim3 block, uint32_t sharedBytes = 0,
                            size_t numParameters = 0) {
  void *value = nullptr;
  void *parameters[] = {&value, &value};
  return simt::launch(*module.kernel("k"), grid, block, sharedBytes, parameters, numParameters).message();
}

TEST(Launch, Shapes) {
  simt::Module module = load(kEmpty);
  EXPECT_EQ(launchOf(module, {1, 2, 3}, {4, 5, 6}), "");
  EXPECT_EQ(launchOf(module, {0, 1, 1}, {1, 1, 1}),
            "kernel 'k': expected a grid of 1 to 2147483647 x 65535 x 65535 blocks, got 0x1x1");
  EXPECT_EQ(launchOf(module, {1, 65536, 1}, {1, 1, 1}),
            "kernel 'k': expected a grid of 1 to 2147483647 x 65535 x 65535 blocks, got 1x65536x1");
  EXPECT_EQ(launchOf(module, {}, {1025, 1, 1}),
            "kernel 'k': expected a block of 1 to 1024 threads, at most 64 in z, got 1025x1x1");
  EXPECT_EQ(launchOf(module, {}, {1, 1, 65}),
            "kernel 'k': expected a block of 1 to 1024 threads, at most 64 in z, got 1x1x65");
  EXPECT_EQ(launchOf(module, {}, {65536, 65536, 1}),
            "kernel 'k': expected a block of 1 to 1024 threads, at most 64 in z, got 65536x65536x1");
  EXPECT_EQ(launchOf(module, {}, {}, 0, 2), "kernel 'k': expected 0 parameters, got 2");
  EXPECT_EQ(launchOf(module, {}, {}, 232448), "");
  EXPECT_EQ(launchOf(module, {}, {}, 232449), "kernel 'k': expected at most 232448 bytes of shared memory, got 232449");
  EXPECT_EQ(launchOf(module, {}, {}, ~0u),
            "kernel 'k': expected at most 232448 bytes of shared memory, got 4294967295");
  simt::Module bounded = load("define ptx_kernel void @k() \"nvvm.maxntid\"=\"64\" {\n  ret void\n}\n");
  EXPECT_EQ(launchOf(bounded, {}, {64, 1, 1}), "");
  EXPECT_EQ(launchOf(bounded, {}, {65, 1, 1}), "kernel 'k': expected at most 64 threads (nvvm.maxntid), got 65");
  simt::Module exact = load("define ptx_kernel void @k() \"nvvm.reqntid\"=\"32,2\" {\n  ret void\n}\n");
  EXPECT_EQ(launchOf(exact, {}, {32, 2, 1}), "");
  EXPECT_EQ(launchOf(exact, {}, {64, 1, 1}),
            "kernel 'k': expected blocks of 32x2x1 threads (nvvm.reqntid), got 64x1x1");
}

TEST(Load, Errors) {
  EXPECT_EQ(loadError("no IR"), "test:1: expected top-level entity");
  EXPECT_NE(loadError("BC\xc0\xde garbage").find("test: "), std::string::npos);
  EXPECT_EQ(loadError(""), "test: expected a kernel (calling convention ptx_kernel), found none");
  EXPECT_EQ(loadError("define ptx_kernel void @k() {\n  %v = call i32 @llvm.nvvm.read.ptx.sreg.envreg0()\n"
                      "  %w = call i32 @unheard()\n  %x = call float @llvm.nvvm.tex.unknown()\n  ret void\n}\n"
                      "declare i32 @llvm.nvvm.read.ptx.sreg.envreg0()\ndeclare i32 @unheard()\n"
                      "declare float @llvm.nvvm.tex.unknown()\n"),
            "test: not known to the simulator:\n  function unheard (in k)\n  llvm.nvvm.read.ptx.sreg.envreg0 (in k)\n"
            "  llvm.nvvm.tex.unknown (in k)");
  EXPECT_EQ(loadError("@s = internal addrspace(3) global i32 5\ndefine ptx_kernel void @k() {\n  ret void\n}\n"),
            "test: shared variable 's': expected no initial value, got one; shared memory starts undefined");
  EXPECT_EQ(
      loadError("@s = internal addrspace(3) global [0 x i8] undef\ndefine ptx_kernel void @k() {\n  ret void\n}\n"),
      "test: shared variable 's': expected an external declaration for the dynamic area, got a definition of 0 bytes, "
      "of "
      "which PTX makes a variable of its own");
  EXPECT_NE(
      loadError("@s = internal addrspace(3) global [300000 x i8] undef\ndefine ptx_kernel void @k() {\n  ret void\n}\n")
          .find("expected at most 232448 bytes of shared memory, got 300001"),
      std::string::npos);
  Result<simt::Kernel> kernel = load(kEmpty).kernel("other");
  EXPECT_EQ(kernel.status().message(), "test: no kernel 'other'");
  EXPECT_EQ(load(kEmpty).global("g").status().message(), "test: no global variable 'g'");
}

// A kernel that fails leaves process, module and memory as usable as before.
TEST(Launch, GoesOnAfterFailures) {
  simt::Module module = load(withDeclarations(R"(
@buffer = internal addrspace(3) global [64 x i32] undef, align 4
define ptx_kernel void @k(ptr addrspace(1) %out, i32 %bad) {
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %ctaid = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %place = getelementptr i32, ptr addrspace(1) %out, i32 %tid
  %own = getelementptr i32, ptr addrspace(3) @buffer, i32 %tid
  store i32 %tid, ptr addrspace(3) %own
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %isBad = icmp eq i32 %bad, %ctaid
  %target = select i1 %isBad, ptr addrspace(1) null, ptr addrspace(1) %place
  %v = load i32, ptr addrspace(3) %own
  store i32 %v, ptr addrspace(1) %target
  ret void
}
)"));
  auto *out = static_cast<uint32_t *>(simt::allocate(256));
  for (unsigned workers : {1u, 2u})
    for (unsigned round = 0; round < 20; ++round) {
      uint32_t bad = round % 2 ? 3 : 100;
      void *parameters[] = {&out, &bad};
      std::string message =
          simt::launch(*module.kernel("k"), {8, 1, 1}, {64, 1, 1}, 0, parameters, 2, {.numWorkers = workers}).message();
      if (bad == 3)
        EXPECT_NE(
            message.find("kernel 'k', block (3,0,0), thread (63,0,0): out-of-bounds write at 0x0, a null pointer"),
            std::string::npos)
            << message;
      else
        EXPECT_EQ(message, "");
    }
  EXPECT_EQ(out[63], 63u);
  EXPECT_TRUE(simt::release(out).isOk());
  EXPECT_EQ(simt::release(out).message(), "expected an address of allocated memory to release, got another");
  EXPECT_TRUE(simt::release(nullptr).isOk());
  EXPECT_EQ(simt::allocate(0), nullptr);
  EXPECT_EQ(simt::allocate(~size_t(0)), nullptr);
}

TEST(Launch, FromManyThreads) {
  simt::Module module = load(withDeclarations(R"(
define ptx_kernel void @k(ptr addrspace(1) %out) {
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %sum = call i32 @llvm.nvvm.redux.sync.add(i32 %tid, i32 -1)
  %place = getelementptr i32, ptr addrspace(1) %out, i32 %tid
  store i32 %sum, ptr addrspace(1) %place
  ret void
}
)"));
  std::vector<std::thread> threads;
  std::atomic<unsigned> good = 0;
  for (unsigned i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (unsigned round = 0; round < 20; ++round) {
        auto *out = static_cast<uint32_t *>(simt::allocate(256));
        void *parameters[] = {&out};
        Status status = simt::launch(*module.kernel("k"), {5, 1, 1}, {64, 1, 1}, 0, parameters, 1);
        good += status.isOk() && out[0] == 496 && out[63] == 496 + 1024;
        (void)simt::release(out);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(good, 80u);
}

TEST(Launch, ParametersAndGlobals) {
  simt::Module module = load(R"(
%pair = type { i32, double }
@result = addrspace(1) global [4 x double] zeroinitializer
@scale = addrspace(4) constant double 2.0
define double @half(double %x) {
  %h = fmul double %x, 5.0e-1
  ret double %h
}
define ptx_kernel void @k(i8 %a, double %b, ptr byval(%pair) align 8 %c, <2 x float> %d) {
  %n = load i32, ptr %c
  %p = getelementptr %pair, ptr %c, i32 0, i32 1
  %x = load double, ptr %p
  store i32 0, ptr %c
  %a32 = sext i8 %a to i32
  %s0 = add i32 %a32, %n
  %s1 = sitofp i32 %s0 to double
  %half = call double @half(double %b)
  %scale = load double, ptr addrspace(4) @scale
  %s2 = fmul double %s1, %scale
  %e = extractelement <2 x float> %d, i32 1
  %f = fpext float %e to double
  store double %s2, ptr addrspace(1) @result
  store double %half, ptr addrspace(1) getelementptr (double, ptr addrspace(1) @result, i32 1)
  store double %x, ptr addrspace(1) getelementptr (double, ptr addrspace(1) @result, i32 2)
  store double %f, ptr addrspace(1) getelementptr (double, ptr addrspace(1) @result, i32 3)
  ret void
}
)",
                             true);
  int8_t a = -3;
  double b = 7;
  struct {
    int32_t n;
    double x;
  } c{10, 1.25};
  float d[2] = {1, 2.5};
  void *parameters[] = {&a, &b, &c, d};
  Status status = simt::launch(*module.kernel("k"), {}, {}, 0, parameters, 4);
  ASSERT_TRUE(status.isOk()) << status.message();
  auto result = module.global("result");
  ASSERT_TRUE(result.isOk());
  EXPECT_EQ(result->second, 32u);
  const auto *values = static_cast<const double *>(result->first);
  EXPECT_EQ(values[0], 14);
  EXPECT_EQ(values[1], 3.5);
  EXPECT_EQ(values[2], 1.25);
  EXPECT_EQ(values[3], 2.5);
  EXPECT_EQ(c.n, 10) << "the kernel has a copy of its own";
}

// The C symbols, as host code finds them.
TEST(Wrappers, HostCode) {
  void *library = dlopen(SIMT_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  auto find = [&]<typename T>(const char *name, T *&function) {
    function = reinterpret_cast<T *>(dlsym(library, name));
    ASSERT_NE(function, nullptr) << name;
  };
  void *(*moduleLoad)(void *, size_t);
  void (*moduleUnload)(void *);
  void *(*getFunction)(void *, const char *);
  void (*launchKernel)(void *, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, int32_t, void *, void **,
                       void **, size_t);
  void *(*streamCreate)();
  void (*streamSynchronize)(void *);
  void *(*memAlloc)(uint64_t, void *, bool);
  void (*memFree)(void *, void *);
  void (*memCopy)(void *, void *, size_t, void *);
  void (*memSet32)(void *, unsigned, size_t, void *);
  void (*memSet16)(void *, unsigned short, size_t, void *);
  const char *(*lastError)(int *);
  find("mgpuModuleLoad", moduleLoad);
  find("mgpuModuleUnload", moduleUnload);
  find("mgpuModuleGetFunction", getFunction);
  find("mgpuLaunchKernel", launchKernel);
  find("mgpuStreamCreate", streamCreate);
  find("mgpuStreamSynchronize", streamSynchronize);
  find("mgpuMemAlloc", memAlloc);
  find("mgpuMemFree", memFree);
  find("mgpuMemcpy", memCopy);
  find("mgpuMemset32", memSet32);
  find("mgpuMemset16", memSet16);
  find("ecf8_gpu_last_error", lastError);
  for (const char *name : {"mgpuModuleLoadJIT", "mgpuLaunchClusterKernel", "mgpuStreamDestroy", "mgpuStreamWaitEvent",
                           "mgpuEventCreate", "mgpuEventDestroy", "mgpuEventSynchronize", "mgpuEventRecord",
                           "mgpuMemHostRegister", "mgpuMemHostUnregister", "mgpuSetDefaultDevice"})
    EXPECT_NE(dlsym(library, name), nullptr) << name;
  EXPECT_EQ(dlsym(library, "_ZN4ecf84simt8allocateEm"), nullptr) << "the C++ code stays private";

  std::string text = withDeclarations(R"(
define ptx_kernel void @k(ptr addrspace(1) %a, i32 %n) {
  %tid = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %p = getelementptr i32, ptr addrspace(1) %a, i32 %tid
  %v = load i32, ptr addrspace(1) %p
  %s = add i32 %v, %n
  store i32 %s, ptr addrspace(1) %p
  ret void
}
)");
  EXPECT_STREQ(lastError(nullptr), "");
  void *module = moduleLoad(text.data(), text.size());
  ASSERT_NE(module, nullptr);
  void *kernel = getFunction(module, "k"), *stream = streamCreate();
  ASSERT_NE(kernel, nullptr);
  void *memory = memAlloc(128, stream, false);
  memSet32(memory, 5, 32, stream);
  memSet16(memory, 1, 4, stream);
  uint32_t n = 100, host[32];
  void *parameters[] = {&memory, &n};
  launchKernel(kernel, 1, 1, 1, 32, 1, 1, 0, stream, parameters, nullptr, 2);
  streamSynchronize(stream);
  memCopy(host, memory, 128, stream);
  EXPECT_EQ(host[0], 0x00010001u + 100);
  EXPECT_EQ(host[1], 0x00010001u + 100);
  EXPECT_EQ(host[31], 105u);
  EXPECT_STREQ(lastError(nullptr), "");

  testing::internal::CaptureStderr();
  EXPECT_EQ(getFunction(module, "other"), nullptr);
  launchKernel(nullptr, 1, 1, 1, 1, 1, 1, 0, stream, nullptr, nullptr, 0);
  EXPECT_NE(
      testing::internal::GetCapturedStderr().find("ecf8-simt: mgpuModuleGetFunction: module: no kernel 'other'\n"),
      std::string::npos);
  EXPECT_STREQ(lastError(nullptr), "module: no kernel 'other'");
  EXPECT_STREQ(lastError(nullptr), "");
  testing::internal::CaptureStderr();
  launchKernel(kernel, 1, 1, 1, 32, 1, 1, 0, stream, parameters, nullptr, 1);
  EXPECT_EQ(moduleLoad(text.data(), 40), nullptr);
  launchKernel(kernel, -1, 1, 1, 32, 1, 1, 0, stream, parameters, nullptr, 2);
  testing::internal::GetCapturedStderr();
  EXPECT_STREQ(lastError(nullptr), "kernel 'k': expected 2 parameters, got 1");
  memFree(memory, stream);
  moduleUnload(module);
}
