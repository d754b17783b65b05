// The floating-point environment of compiled code, so that a result does not depend on the caller's settings.
#ifndef ECF8_LIB_RUNTIME_FLOATINGPOINTSTATE_H
#define ECF8_LIB_RUNTIME_FLOATINGPOINTSTATE_H

#include <xmmintrin.h>

namespace ecf8 {

/// Round to nearest even, denormals kept (FTZ and DAZ off), exceptions masked (MXCSR, Intel SDM volume 1, 10.2.3).
inline void setDefaultFloatingPointState() { _mm_setcsr(0x1f80); }

/// The default state for the life of the object.
class FloatingPointScope {
public:
  FloatingPointScope() : saved(_mm_getcsr()) { setDefaultFloatingPointState(); }
  ~FloatingPointScope() { _mm_setcsr(saved); }
  FloatingPointScope(const FloatingPointScope &) = delete;

private:
  unsigned saved;
};

} // namespace ecf8

#endif // ECF8_LIB_RUNTIME_FLOATINGPOINTSTATE_H
