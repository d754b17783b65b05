"""ctypes declarations of include/ecf8-c/Checkpoint.h."""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, Structure, c_char_p, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any

from ._libraries import load, text
from ._tools import find_checkpoint_library
from .errors import CheckpointError

OK = 0
CODES = {
    1: "invalid argument",
    2: "not found",
    3: "input/output error",
    4: "corrupt file",
    5: "unsupported",
    6: "out of memory",
}


class TensorStruct(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("file", c_char_p),
        ("dtype", c_char_p),
        ("rank", c_int32),
        ("shape", POINTER(c_uint64)),
        ("size_bytes", c_uint64),
        ("stored_bytes", c_uint64),
        ("encoding", c_char_p),
    ]


_TEXT = POINTER(c_char_p)
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "ecf8_checkpoint_last_error": (c_char_p, []),
    "ecf8_checkpoint_open": (c_int, [c_char_p, POINTER(c_void_p)]),
    "ecf8_checkpoint_free": (None, [c_void_p]),
    "ecf8_checkpoint_tensor_count": (c_size_t, [c_void_p]),
    "ecf8_checkpoint_tensor": (c_int, [c_void_p, c_size_t, POINTER(TensorStruct)]),
    "ecf8_checkpoint_metadata_count": (c_size_t, [c_void_p]),
    "ecf8_checkpoint_metadata": (c_int, [c_void_p, c_size_t, _TEXT, _TEXT, _TEXT]),
    "ecf8_checkpoint_read": (c_int, [c_void_p, c_size_t, c_void_p, c_uint64, c_uint32]),
    "ecf8_checkpoint_read_part": (c_int, [c_void_p, c_size_t, c_uint64, c_void_p, c_uint64]),
    "ecf8_checkpoint_compress": (c_int, [c_char_p, c_char_p, c_char_p, c_uint32, c_int32, POINTER(c_int32)]),
}


@functools.cache
def library() -> ctypes.CDLL:
    """The library, loaded once, with its symbols kept to itself."""
    path = find_checkpoint_library()
    try:
        return load(path, _SIGNATURES)
    except (OSError, AttributeError) as error:
        raise CheckpointError(f"expected an ECF8 checkpoint library at '{path}': {error}") from error


def check(status: int) -> None:
    """Raises the calling thread's last error as `CheckpointError` unless `status` is OK."""
    if status != OK:
        raise CheckpointError(text(library().ecf8_checkpoint_last_error()), code=CODES.get(status, "unknown"))
