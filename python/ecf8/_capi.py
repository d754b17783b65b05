"""ctypes declarations of include/ecf8-c/Runtime.h and of the part of DLPack 1.1 that it uses."""

from __future__ import annotations

import ctypes
import functools
from ctypes import (
    POINTER,
    Structure,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

from ._libraries import load, text
from ._tools import find_runtime_library
from .errors import ExecutionError

OK = 0
DLPACK_VERSION = (1, 1)
DLPACK_CPU = 1
SCALAR_RANK = -1


class DLPackVersion(Structure):
    _fields_ = [("major", c_uint32), ("minor", c_uint32)]


class DLDevice(Structure):
    _fields_ = [("device_type", c_int), ("device_id", c_int32)]


class DLDataType(Structure):
    _fields_ = [("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16)]


class DLTensor(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("device", DLDevice),
        ("ndim", c_int32),
        ("dtype", DLDataType),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
    ]


class DLManagedTensorVersioned(Structure):
    pass


DELETER = ctypes.CFUNCTYPE(None, POINTER(DLManagedTensorVersioned))
DLManagedTensorVersioned._fields_ = [
    ("version", DLPackVersion),
    ("manager_ctx", c_void_p),
    ("deleter", DELETER),
    ("flags", c_uint64),
    ("dl_tensor", DLTensor),
]


class LoadOptions(Structure):
    _fields_ = [
        ("struct_bytes", c_uint32),
        ("skip_weight_checksums", c_uint32),
        ("cpu", c_char_p),
        ("device", c_char_p),
    ]


class TensorSpecStruct(Structure):
    _fields_ = [("dtype", c_char_p), ("dl_dtype", DLDataType), ("rank", c_int32), ("shape", POINTER(c_int64))]


class WeightStruct(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("is_compressed", c_int32),
        ("dtype", c_char_p),
        ("encoding", c_char_p),
        ("rank", c_int32),
        ("shape", POINTER(c_int64)),
        ("stored_bytes", c_uint64),
        ("decoded_bytes", c_uint64),
        ("data", c_void_p),
    ]


_MANAGED = POINTER(DLManagedTensorVersioned)
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "ecf8_version": (c_char_p, []),
    "ecf8_status_name": (c_char_p, [c_int]),
    "ecf8_last_error": (c_char_p, []),
    "ecf8_set_threads": (c_int, [c_int32]),
    "ecf8_get_threads": (c_int32, []),
    "ecf8_load_options_init": (None, [POINTER(LoadOptions)]),
    "ecf8_model_load": (c_int, [c_char_p, POINTER(LoadOptions), POINTER(c_void_p)]),
    "ecf8_model_free": (None, [c_void_p]),
    "ecf8_bundle_verify": (c_int, [c_char_p]),
    "ecf8_model_cpu": (c_char_p, [c_void_p]),
    "ecf8_model_device": (c_char_p, [c_void_p]),
    "ecf8_model_producer": (c_char_p, [c_void_p]),
    "ecf8_model_entry_count": (c_size_t, [c_void_p]),
    "ecf8_model_entry_name": (c_char_p, [c_void_p, c_size_t]),
    "ecf8_model_input_count": (c_size_t, [c_void_p, c_size_t]),
    "ecf8_model_output_count": (c_size_t, [c_void_p, c_size_t]),
    "ecf8_model_input_spec": (c_int, [c_void_p, c_size_t, c_size_t, POINTER(TensorSpecStruct)]),
    "ecf8_model_output_spec": (c_int, [c_void_p, c_size_t, c_size_t, POINTER(TensorSpecStruct)]),
    "ecf8_model_weight_count": (c_size_t, [c_void_p]),
    "ecf8_model_weight": (c_int, [c_void_p, c_size_t, POINTER(WeightStruct)]),
    "ecf8_model_weight_is_transposed": (c_int32, [c_void_p, c_size_t]),
    "ecf8_model_invoke": (c_int, [c_void_p, c_size_t, POINTER(_MANAGED), c_size_t, POINTER(_MANAGED), c_size_t]),
}


@functools.cache
def library() -> ctypes.CDLL:
    """The runtime, loaded once, with its symbols kept to itself."""
    path = find_runtime_library()
    try:
        return load(path, _SIGNATURES)
    except (OSError, AttributeError) as error:
        raise ExecutionError(f"expected an ECF8 runtime library at '{path}': {error}") from error


def check(status: int) -> None:
    """Raises the calling thread's last runtime error as `ExecutionError` unless `status` is OK."""
    if status != OK:
        raise ExecutionError(text(library().ecf8_last_error()), code=text(library().ecf8_status_name(status)))
