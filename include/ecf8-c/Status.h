/* What the functions of all C APIs of ECF8 return. */
#ifndef ECF8_C_STATUS_H
#define ECF8_C_STATUS_H

#if defined(__GNUC__)
#define ECF8_API __attribute__((visibility("default")))
#else
#define ECF8_API
#endif

typedef enum EcfStatusCode {
  ECF8_OK = 0,
  ECF8_INVALID_ARGUMENT = 1, /* an argument of the caller: count, shape, dtype, name, option */
  ECF8_NOT_FOUND = 2,        /* a file or an entry point */
  ECF8_IO_ERROR = 3,         /* the operating system refused */
  ECF8_CORRUPT = 4,          /* a file that contradicts itself, or a wrong checksum */
  ECF8_UNSUPPORTED = 5,      /* a newer version, an unknown required feature, an instruction set */
  ECF8_OUT_OF_MEMORY = 6,
  ECF8_ABORTED = 7 /* the model itself failed: an assertion of its code */
} EcfStatusCode;

#endif /* ECF8_C_STATUS_H */
