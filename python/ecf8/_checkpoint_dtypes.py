"""The dtypes of safetensors as those of torch and numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import CheckpointError

if TYPE_CHECKING:
    from .checkpoint import TensorInfo

# safetensors -> (torch name, numpy name or that of ml_dtypes)
_DTYPES: dict[str, tuple[str | None, str | None]] = {
    "BOOL": ("bool", "bool"),
    "U8": ("uint8", "uint8"),
    "I8": ("int8", "int8"),
    "F8_E5M2": ("float8_e5m2", "float8_e5m2"),
    "F8_E4M3": ("float8_e4m3fn", "float8_e4m3fn"),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", "float8_e5m2fnuz"),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", "float8_e4m3fnuz"),
    "F8_E8M0": ("float8_e8m0fnu", "float8_e8m0fnu"),
    "F4": ("float4_e2m1fn_x2", None),  # two in each byte
    "I16": ("int16", "int16"),
    "U16": ("uint16", "uint16"),
    "F16": ("float16", "float16"),
    "BF16": ("bfloat16", "bfloat16"),
    "I32": ("int32", "int32"),
    "U32": ("uint32", "uint32"),
    "F32": ("float32", "float32"),
    "C64": ("complex64", "complex64"),
    "F64": ("float64", "float64"),
    "I64": ("int64", "int64"),
    "U64": ("uint64", "uint64"),
}


def allocate(framework: str, dtype: str, shape: tuple[int, ...]) -> tuple[Any, int]:
    """An array of what safetensors calls `dtype`, not filled, and its address."""
    torch_name, numpy_name = _DTYPES.get(dtype, (None, None))
    name = torch_name if framework == "pt" else numpy_name
    if name is None:
        raise CheckpointError(f"expected a dtype that {'torch' if framework == 'pt' else 'numpy'} has, got {dtype}")
    shape = _packed(dtype, shape)
    if framework == "pt":
        import torch

        tensor = torch.empty(shape, dtype=getattr(torch, name))
        return tensor, tensor.data_ptr()
    import ml_dtypes
    import numpy

    array = numpy.empty(shape, getattr(ml_dtypes, name, None) or name)
    return array, array.ctypes.data


def size_in_elements(info: TensorInfo) -> tuple[int, ...]:
    """The shape of the array that a tensor becomes."""
    return _packed(info.dtype, info.shape)


def _packed(dtype: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:-1], shape[-1] // 2) if dtype == "F4" and shape else shape
