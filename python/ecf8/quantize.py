"""The lossy step, on its own: FP8 weights for a float model's linear layers.

Everything else in this package keeps every bit. Rounding a float weight to FP8 does not, so it happens here, by an
explicit call, and never inside `ecf8.compile`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

FP8_DTYPES = (torch.float8_e4m3fn, torch.float8_e5m2)
SCHEMES = ("channel", "block")

Skip = Callable[[str, nn.Linear], bool]


class QuantizedLinear(nn.Module):
    """A linear layer with an FP8 weight, dequantized as written: extend to f32, times the scale, round, multiply.

    `weight` is FP8 [N, K]. The scales have the names and shapes of the common checkpoints: `weight_scale` f32 [N, 1]
    (one for each output channel), or `weight_scale_inv` f32 [ceil(N / block), ceil(K / block)] (one for each block,
    multiplied in spite of its name). The product is taken in `compute_dtype`; the output has the input's dtype.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self, weight: Tensor, scale: Tensor, bias: Tensor | None, block: int | None, compute_dtype: torch.dtype
    ):
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.block = block
        self.compute_dtype = compute_dtype
        self.scale_name = "weight_scale" if block is None else "weight_scale_inv"
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.register_parameter(self.scale_name, nn.Parameter(scale, requires_grad=False))
        self.register_parameter("bias", bias)  # type: ignore[arg-type]

    @property
    def scale(self) -> Tensor:
        """The scales, whichever scheme they belong to."""
        scale = getattr(self, self.scale_name)
        assert isinstance(scale, Tensor)
        return scale

    def dequantized(self) -> Tensor:
        """The weight as `forward` multiplies it, in `compute_dtype`."""
        weight = self.weight.to(torch.float32)
        weight = weight * self.scale if self.block is None else _times_block_scale(weight, self.scale, self.block)
        return weight.to(self.compute_dtype)

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(self.compute_dtype)
        return functional.linear(x.to(self.compute_dtype), self.dequantized(), bias).to(x.dtype)

    def extra_repr(self) -> str:
        scheme = "channel" if self.block is None else f"block {self.block}"
        return f"{self.in_features}, {self.out_features}, {self.weight.dtype}, {scheme}, bias={self.bias is not None}"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        # `module.to(dtype)` would turn FP8 into a wider type and round the scales: only devices may change.
        kept = {name: getattr(self, name).detach() for name in ("weight", self.scale_name)}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, before in kept.items():
            after = getattr(self, name)
            if after.dtype != before.dtype:
                setattr(self, name, nn.Parameter(before.to(after.device), requires_grad=False))
        return self


def quantize_linears(
    model: nn.Module,
    dtype: torch.dtype = torch.float8_e4m3fn,
    scheme: str = "channel",
    block: int = 128,
    compute_dtype: torch.dtype | None = None,
    skip: Skip | Collection[str] = (),
) -> nn.Module:
    """Returns `model` with each `nn.Linear` replaced by a `QuantizedLinear`. **Lossy.**

    The scale of a channel or block is its largest magnitude divided by the largest finite FP8 value (448 for E4M3FN,
    57344 for E5M2), so that nothing overflows and the whole range of exponents is in use; quotients are rounded to
    nearest, ties to even. A channel or block of zeros has scale 1. Blocks at the ragged edges are smaller.

    The model that was passed stays as it is; the result shares its other parameters and buffers. Layers that share a
    module or a weight still share it. Subclasses of `nn.Linear` are left alone: their owners read the weight directly.
    `skip` holds qualified names, or is called with name and layer. `compute_dtype` defaults to the weight's dtype.
    Raises ValueError for a weight with NaN or infinity, naming the layer.
    """
    if dtype not in FP8_DTYPES:
        raise ValueError(f"expected dtype torch.float8_e4m3fn or torch.float8_e5m2, got {dtype}")
    if scheme not in SCHEMES:
        raise ValueError(f"expected scheme 'channel' or 'block', got '{scheme}'")
    if block <= 0:
        raise ValueError(f"expected a positive block size, got {block}")
    block_size = block if scheme == "block" else None
    is_skipped = skip if callable(skip) else lambda name, _: name in skip

    # A deep copy of the modules only: tensors are entered in the memo as their own copies.
    tensors: dict[int, Any] = {id(t): t for t in (*model.parameters(), *model.buffers())}
    result = copy.deepcopy(model, tensors)
    done: dict[int, QuantizedLinear] = {}
    shared: dict[int, QuantizedLinear] = {}

    def replacement(name: str, linear: nn.Linear) -> QuantizedLinear:
        if id(linear) not in done:
            twin = shared.get(id(linear.weight))
            done[id(linear)] = _quantize(name, linear, dtype, block_size, compute_dtype or linear.weight.dtype)
            if twin is not None:
                done[id(linear)].weight = twin.weight
                setattr(done[id(linear)], twin.scale_name, twin.scale)
            shared[id(linear.weight)] = done[id(linear)]
        return done[id(linear)]

    if type(result) is nn.Linear:
        return result if is_skipped("", result) else replacement("", result)
    for prefix, parent in list(result.named_modules()):
        # Not `named_children`, which lists a module that stands in two places once.
        for child_name, child in list(parent._modules.items()):
            name = f"{prefix}.{child_name}" if prefix else child_name
            if type(child) is nn.Linear and not is_skipped(name, child):
                setattr(parent, child_name, replacement(name, child))
    return result


def quantize_tensor(weight: Tensor, dtype: torch.dtype, block: int | None = None) -> tuple[Tensor, Tensor]:
    """The FP8 values of `weight` [N, K] and their f32 scales, for each channel or, with `block`, for each block."""
    largest = torch.finfo(dtype).max
    values = weight.detach().to(torch.float32)
    if block is None:
        scale = _scale_of(_magnitude(values, (1,), keepdim=True), largest)
        quotient = values / scale
    else:
        rows, columns = values.shape
        padding = (0, -columns % block, 0, -rows % block)
        blocks = functional.pad(values, padding).view(-(-rows // block), block, -(-columns // block), block)
        scale = _scale_of(_magnitude(blocks, (1, 3)), largest)
        quotient = (blocks / scale[:, None, :, None]).flatten(2).flatten(0, 1)[:rows, :columns]
    # PyTorch's cast does not saturate: a quotient a rounding error above the largest value would become NaN.
    return quotient.clamp(-largest, largest).to(dtype).contiguous(), scale


def _magnitude(values: Tensor, dims: tuple[int, ...], keepdim: bool = False) -> Tensor:
    # `amax` does not take empty dimensions; the sum of nothing is the zero that is meant.
    magnitudes = values.abs()
    return magnitudes.amax(dims, keepdim) if values.numel() else magnitudes.sum(dims, keepdim)


def _scale_of(magnitude: Tensor, largest: float) -> Tensor:
    # A scale below the smallest normal f32 would lose bits or vanish, and dividing by it overflow.
    scale = (magnitude / largest).clamp(min=torch.finfo(torch.float32).tiny)
    return torch.where(magnitude == 0, torch.ones_like(scale), scale)


def _quantize(
    name: str, linear: nn.Linear, dtype: torch.dtype, block: int | None, compute_dtype: torch.dtype
) -> QuantizedLinear:
    if not torch.isfinite(linear.weight).all():
        raise ValueError(f"expected finite weights in layer '{name}', got NaN or infinity")
    weight, scale = quantize_tensor(linear.weight, dtype, block)
    return QuantizedLinear(weight, scale, linear.bias, block, compute_dtype).train(linear.training)


def _times_block_scale(weight: Tensor, scale: Tensor, block: int) -> Tensor:
    """`weight` times its block scales. Ragged sides are handled by repeating the scales along that side alone."""
    rows, columns = weight.shape
    block_rows, block_columns = scale.shape
    if rows % block:
        scale = scale[:, None, :].expand(block_rows, block, block_columns).flatten(0, 1)[:rows]
    if columns % block:
        scale = scale[:, :, None].expand(*scale.shape, block).flatten(1, 2)[:, :columns]
    if rows % block and columns % block:
        return weight * scale
    if rows % block:
        return (weight.view(rows, block_columns, block) * scale[:, :, None]).view(rows, columns)
    if columns % block:
        return (weight.view(block_rows, block, columns) * scale[:, None, :]).view(rows, columns)
    blocks = weight.view(block_rows, block, block_columns, block)
    return (blocks * scale[:, None, :, None]).view(rows, columns)
