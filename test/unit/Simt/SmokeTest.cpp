#include "ecf8/Simt/Simt.h"
#include <gtest/gtest.h>
using namespace ecf8;
TEST(Smoke, Runs) {
  const char *ir = R"(
@buf = internal addrspace(3) global [256 x i32] undef, align 4
define ptx_kernel void @k(ptr addrspace(1) %out) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %p = getelementptr [256 x i32], ptr addrspace(3) @buf, i32 0, i32 %t
  store i32 %t, ptr addrspace(3) %p
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %r = sub i32 255, %t
  %q = getelementptr [256 x i32], ptr addrspace(3) @buf, i32 0, i32 %r
  %v = load i32, ptr addrspace(3) %q
  %s = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %v, i32 1, i32 31)
  %o = getelementptr i32, ptr addrspace(1) %out, i32 %t
  store i32 %s, ptr addrspace(1) %o
  ret void
}
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare i32 @llvm.nvvm.shfl.sync.bfly.i32(i32, i32, i32, i32)
)";
  for (bool check : {false, true}) {
    Result<simt::Module> m = simt::Module::load(ir, {check, "m"});
    ASSERT_TRUE(m.isOk()) << m.status().message();
    Result<simt::Kernel> k = m->kernel("k");
    ASSERT_TRUE(k.isOk());
    auto *out = static_cast<int *>(simt::allocate(256 * 4));
    void *params[] = {&out};
    Status s = simt::launch(*k, {1, 1, 1}, {256, 1, 1}, 0, params, 1);
    ASSERT_TRUE(s.isOk()) << s.message();
    for (int i = 0; i < 256; ++i)
      EXPECT_EQ(out[i], 255 - (i ^ 1));
    EXPECT_TRUE(simt::release(out).isOk());
  }
}
