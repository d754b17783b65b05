"""Which operators are taken apart in PyTorch, before torch-mlir sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def decomposition_table() -> dict[Any, Callable[..., Any]]:
    """torch-mlir's own table, and what it or PyTorch does not do well enough.

    torch-mlir lowers `cumsum` to an op outside upstream MLIR (`tm_tensor.scan`). Where the input of `linear` is not
    contiguous, PyTorch repeats the weight for each matrix of a batch. It makes elementwise products and a sum of `mv`,
    in which nobody sees a contraction, and torch-mlir does not know `addmv`. Of `elu` it makes `exp(x) - 1`, without
    the digits of small results; PyTorch's decomposition has `expm1`.
    """
    from torch._decomp import get_decompositions
    from torch_mlir.extras.fx_decomp_util import get_decomposition_table

    own = {
        torch.ops.aten.cumsum.default: _cumsum,
        torch.ops.aten.linear.default: _linear,
        torch.ops.aten.mv.default: _mv,
        torch.ops.aten.addmv.default: _addmv,
    }
    return {**get_decomposition_table(), **get_decompositions([torch.ops.aten.elu.default]), **own}


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """One product of two matrices, whatever the rank and the strides of `x`."""
    if weight.ndim == 1:
        return x @ weight if bias is None else x @ weight + bias
    rows = x.unsqueeze(0) if x.ndim == 1 else x.flatten(0, -2)
    y = torch.mm(rows, weight.t()) if bias is None else torch.addmm(bias, rows, weight.t())
    return y.reshape([*x.shape[:-1], weight.shape[0]])


def _mv(matrix: Tensor, vector: Tensor) -> Tensor:
    return torch.mm(vector.unsqueeze(0), matrix.t()).squeeze(0)


def _addmv(x: Tensor, matrix: Tensor, vector: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    rows = torch.addmm(x.unsqueeze(0), vector.unsqueeze(0), matrix.t(), beta=beta, alpha=alpha)
    return rows.squeeze(0)


def _cumsum(x: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Tensor:
    """Sums under a triangular mask: quadratic in the length, and in the same order as a running sum."""
    integral = not (x.dtype.is_floating_point or x.dtype.is_complex)
    x = x.to(dtype or (torch.int64 if integral else x.dtype))
    if x.ndim == 0:
        return x.clone()
    x = x.movedim(dim, -1)
    position = torch.arange(x.shape[-1], device=x.device)
    mask = position[:, None] >= position[None, :]
    terms = torch.where(mask, x.unsqueeze(-2), torch.zeros((), dtype=x.dtype, device=x.device))
    return terms.sum(-1).movedim(-1, dim)
