"""Tensors in and out of the C API without copies: torch tensors and numpy arrays to DLPack, and back.

Neither torch nor numpy is imported before a caller's tensor or an output needs it.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import weakref
from typing import TYPE_CHECKING, Any, TypeAlias

from . import _capi
from .errors import ExecutionError

if TYPE_CHECKING:
    import numpy
    import torch

    Array: TypeAlias = numpy.ndarray[Any, Any] | torch.Tensor

# element type -> (DLPack type code, bits, torch name, numpy name); ml_dtypes supplies numpy's missing ones.
_DTYPES = {
    "f8E4M3FN": (10, 8, "float8_e4m3fn", "float8_e4m3fn"),
    "f8E5M2": (12, 8, "float8_e5m2", "float8_e5m2"),
    "f16": (2, 16, "float16", "float16"),
    "bf16": (4, 16, "bfloat16", "bfloat16"),
    "f32": (2, 32, "float32", "float32"),
    "f64": (2, 64, "float64", "float64"),
    "i1": (6, 8, "bool", "bool"),
    "i8": (0, 8, "int8", "int8"),
    "i16": (0, 16, "int16", "int16"),
    "i32": (0, 32, "int32", "int32"),
    "i64": (0, 64, "int64", "int64"),
    "ui8": (1, 8, "uint8", "uint8"),
}
_BY_TORCH_NAME = {torch_name: name for name, (_, _, torch_name, _) in _DTYPES.items()}
_BY_NUMPY_NAME = {numpy_name: name for name, (_, _, _, numpy_name) in _DTYPES.items()}
_BY_DLPACK = {(code, bits): name for name, (code, bits, _, _) in _DTYPES.items()}


def is_torch(value: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


@functools.lru_cache(maxsize=256)
def array_type(element: Any, count: int) -> Any:
    """The ctypes array type: made once, since a new type each time takes longer than the rest of a call."""
    return element * count


class Input:
    """A DLPack view of one input. Keeps the memory alive that `managed` points to."""

    def __init__(self, value: Any, index: int) -> None:
        self.owner, address, shape, dtype = _describe(value, index)
        self.shape = array_type(ctypes.c_int64, len(shape))(*shape)
        code, bits, _, _ = _DTYPES[dtype]
        self.managed = _capi.DLManagedTensorVersioned()
        self.managed.version = _capi.DLPackVersion(*_capi.DLPACK_VERSION)
        tensor = self.managed.dl_tensor
        tensor.data = address
        tensor.device = _capi.DLDevice(_capi.DLPACK_CPU, 0)
        tensor.ndim = len(shape)
        tensor.dtype = _capi.DLDataType(code, bits, 1)
        tensor.shape = ctypes.cast(self.shape, ctypes.POINTER(ctypes.c_int64))


def _describe(value: Any, index: int) -> tuple[Any, int, tuple[int, ...], str]:
    """The object that owns the memory, its address, shape and element type. Copies only what is not row-major, or not
    aligned to its elements.
    """
    if is_torch(value):
        if value.device.type != "cpu":
            raise ExecutionError(f"expected input {index} on the CPU, got a tensor on '{value.device}'")
        tensor = value.detach().resolve_neg().contiguous()
        if tensor.data_ptr() % tensor.element_size():
            tensor = tensor.clone()
        dtype = _BY_TORCH_NAME.get(str(tensor.dtype).removeprefix("torch."))
        if dtype is None:
            raise ExecutionError(f"expected input {index} of a supported dtype, got {tensor.dtype}")
        return tensor, tensor.data_ptr(), tuple(tensor.shape), dtype
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, (numpy.ndarray, numpy.generic)):
        raise ExecutionError(
            f"expected input {index} to be a torch.Tensor or numpy.ndarray, got {type(value).__name__}"
        )
    # `order="C"` and not `ascontiguousarray`, which would turn rank 0 into rank 1.
    array = numpy.require(value, requirements=["C", "A"])
    dtype = _BY_NUMPY_NAME.get(array.dtype.name) if array.dtype.isnative else None
    if dtype is None:
        raise ExecutionError(f"expected input {index} of a supported dtype in native byte order, got {array.dtype.str}")
    return array, array.ctypes.data, array.shape, dtype


class _Owner:
    """Calls an output's deleter when the last view of its memory goes away."""

    def __init__(self, managed: Any) -> None:
        weakref.finalize(self, managed.contents.deleter, managed)


def wrap_output(managed: Any, as_torch: bool) -> Array:
    """The runtime's output as a torch tensor or numpy array over the same memory, which it then owns."""
    tensor = managed.contents.dl_tensor
    shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
    dtype = _BY_DLPACK[tensor.dtype.code, tensor.dtype.bits]
    owner = _Owner(managed)
    size_bytes = tensor.dtype.bits // 8
    for dim in shape:
        size_bytes *= dim
    if size_bytes == 0:
        return _empty(shape, dtype, as_torch)
    memory = array_type(ctypes.c_uint8, size_bytes).from_address(tensor.data + tensor.byte_offset)
    memory.owner = owner  # lives as long as the buffer that the views refer to
    if as_torch:
        import torch

        return torch.frombuffer(memory, dtype=_torch_dtype(dtype)).view(shape)
    import numpy

    return numpy.frombuffer(memory, dtype=_numpy_dtype(dtype)).reshape(shape)


def _empty(shape: tuple[int, ...], dtype: str, as_torch: bool) -> Array:
    if as_torch:
        import torch

        return torch.empty(shape, dtype=_torch_dtype(dtype))
    import numpy

    return numpy.empty(shape, dtype=_numpy_dtype(dtype))


def _torch_dtype(dtype: str) -> torch.dtype:
    import torch

    result = getattr(torch, _DTYPES[dtype][2])
    assert isinstance(result, torch.dtype)
    return result


def _numpy_dtype(dtype: str) -> Any:
    import numpy

    name = _DTYPES[dtype][3]
    if dtype == "bf16" or dtype.startswith("f8"):
        import ml_dtypes

        return numpy.dtype(getattr(ml_dtypes, name))
    return numpy.dtype(name)
