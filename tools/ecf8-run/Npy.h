// NumPy's .npy files (numpy.lib.format, versions 1.0 to 3.0): one array, C order, little endian.
#ifndef ECF8_TOOLS_ECF8_RUN_NPY_H
#define ECF8_TOOLS_ECF8_RUN_NPY_H

#include "Tensor.h"

namespace ecf8::run {

/// Reads an array as elements of `dtype` (its MLIR name is for messages). NumPy has no FP8 and no bfloat16: those are
/// read from |u1 or |V1, and from <u2 or <V2. Signless integers are read from either sign. Rules:
///  * npy_r1: magic, a known version, a header inside the file
///  * npy_r2: the header is a dictionary of exactly descr, fortran_order and shape
///  * npy_r3: descr fits `dtype`, is little endian, and the order is C's
///  * npy_r4: the data is exactly what the shape says
/// Messages name the file and the byte offset.
Result<HostTensor> readNpy(const std::string &path, DLDataType dtype, std::string_view dtypeName);

/// The header of a version 1.0 file (2.0 if it is long); the elements follow it.
std::string npyHeader(DLDataType dtype, std::span<const int64_t> shape);

} // namespace ecf8::run

#endif // ECF8_TOOLS_ECF8_RUN_NPY_H
