// Functions that compiled kernels may call: those of libdevice, computed by the C library, and helpers of code
// generation. libdevice itself is not linked: it holds inline assembly for the GPU.
#include "Retarget.h"
#include "SmallFloats.h"

#include <cmath>
#include <unordered_map>

using namespace ecf8::simt;

// Code generation calls these for conversions that the machine has no instruction for. bf16 and f16 values are returned
// in the vector register.
static __m128 inRegister(uint16_t bits) { return _mm_castsi128_ps(_mm_cvtsi32_si128(bits)); }
static __m128 truncateToBf16(float value) { return inRegister(f32ToBf16(value)); }
/// To odd first: the second rounding then sees whether anything was lost in the first.
static float toOdd(double value) {
  float rounded = float(value);
  if (double(rounded) == value || std::isnan(value) || std::isinf(rounded))
    return rounded;
  uint32_t bits;
  std::memcpy(&bits, &rounded, sizeof bits);
  if (std::fabs(double(rounded)) > std::fabs(value))
    --bits;
  bits |= 1;
  std::memcpy(&rounded, &bits, sizeof rounded);
  return rounded;
}
static __m128 truncateDoubleToBf16(double value) { return inRegister(f32ToBf16(toOdd(value))); }
static __m128 truncateDoubleToF16(double value) { return inRegister(f32ToF16(toOdd(value))); }

static float rsqrtf(float x) { return float(1 / std::sqrt(double(x))); }

void *ecf8::simt::findLibraryFunction(std::string_view name) {
  static const std::unordered_map<std::string_view, void *> table = [] {
    std::unordered_map<std::string_view, void *> t;
    auto f32 = [&t](std::string_view n, float (*f)(float)) { t[n] = reinterpret_cast<void *>(f); };
    auto f32x2 = [&t](std::string_view n, float (*f)(float, float)) { t[n] = reinterpret_cast<void *>(f); };
    auto f64 = [&t](std::string_view n, double (*f)(double)) { t[n] = reinterpret_cast<void *>(f); };
    f32("__nv_expf", expf);
    f32("__nv_exp2f", exp2f);
    f32("__nv_expm1f", expm1f);
    f32("__nv_logf", logf);
    f32("__nv_log2f", log2f);
    f32("__nv_log10f", log10f);
    f32("__nv_log1pf", log1pf);
    f32("__nv_sqrtf", sqrtf);
    f32("__nv_rsqrtf", rsqrtf);
    f32("__nv_tanhf", tanhf);
    f32("__nv_erff", erff);
    f32("__nv_sinf", sinf);
    f32("__nv_cosf", cosf);
    f32("__nv_fabsf", fabsf);
    f32("__nv_floorf", floorf);
    f32("__nv_ceilf", ceilf);
    f32("__nv_roundf", roundf);
    f32("__nv_truncf", truncf);
    f32x2("__nv_powf", powf);
    f32x2("__nv_fmodf", fmodf);
    f32x2("__nv_fminf", fminf);
    f32x2("__nv_fmaxf", fmaxf);
    t["__nv_fmaf"] = reinterpret_cast<void *>(static_cast<float (*)(float, float, float)>(fmaf));
    f64("__nv_exp", exp);
    f64("__nv_log", log);
    f64("__nv_sqrt", sqrt);
    f64("__nv_tanh", tanh);
    f64("__nv_erf", erf);
    t["__truncsfbf2"] = reinterpret_cast<void *>(truncateToBf16);
    t["__truncdfbf2"] = reinterpret_cast<void *>(truncateDoubleToBf16);
    t["__truncdfhf2"] = reinterpret_cast<void *>(truncateDoubleToF16);
    return t;
  }();
  auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}
