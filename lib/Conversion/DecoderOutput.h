// Where the bytes of the decode functions go: to a buffer in the order of the format, or into the rows of a matrix.
#ifndef ECF8_LIB_CONVERSION_DECODEROUTPUT_H
#define ECF8_LIB_CONVERSION_DECODEROUTPUT_H

#include "StripDecoder.h"

namespace mlir::ecf8 {

/// The sink for `matrix`: memref<?x?xT, strided<[?, 1], offset: ?>> of an 8-bit float type, the slice's shape.
std::unique_ptr<DecodeSink> createMatrixSink(Value matrix);

/// The sink for `buffer`: memref<?xi8>, the whole weight in the order of the format, padding included.
/// `columnsPerStrip` are those of the weight with padding.
std::unique_ptr<DecodeSink> createTileOrderSink(Value buffer, Value columnsPerStrip);

} // namespace mlir::ecf8

#endif // ECF8_LIB_CONVERSION_DECODEROUTPUT_H
