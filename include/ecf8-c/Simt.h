// C symbols of libECF8Simt besides those of the GPU runtime (mgpu*), which MLIR defines (docs/Simt.md).
#ifndef ECF8_C_SIMT_H
#define ECF8_C_SIMT_H

#ifdef __cplusplus
extern "C" {
#endif

/// The first error of the mgpu functions since the last call, an empty text for none; valid until the next call. Errors
/// are printed on stderr, too.
const char *ecf8_simt_last_error(void);

#ifdef __cplusplus
}
#endif

#endif // ECF8_C_SIMT_H
