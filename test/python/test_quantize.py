"""The lossy step: FP8 values and scales, and which layers are replaced."""

from __future__ import annotations

import pytest
import torch
from conftest import mlp
from ecf8.quantize import FP8_DTYPES, QuantizedLinear, quantize_linears, quantize_tensor
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

DTYPES = st.sampled_from(FP8_DTYPES)
BLOCKS = st.sampled_from([None, 1, 3, 16, 128])


def expanded(scale: torch.Tensor, block: int | None, shape: tuple[int, int]) -> torch.Tensor:
    """The scale of each element, the slow and obvious way."""
    if block is None:
        return scale.expand(shape)
    return scale.repeat_interleave(block, 0).repeat_interleave(block, 1)[: shape[0], : shape[1]]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(0, 150),
    columns=st.integers(0, 150),
    magnitude=st.sampled_from([0.0, 1e-45, 1e-40, 1e-30, 1e-3, 1.0, 1e30, 3e38]),
    dtype=DTYPES,
    block=BLOCKS,
    seed=st.integers(0, 1000),
)
def test_nearest_value_of_each_weight(rows, columns, magnitude, dtype, block, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = (2 * torch.rand(rows, columns, generator=generator) - 1) * magnitude
    weight[: rows // 3] = 0
    values, scale = quantize_tensor(weight, dtype, block)
    assert values.shape == weight.shape and values.dtype == dtype and scale.dtype == torch.float32
    assert torch.isfinite(values.float()).all() and torch.isfinite(scale).all() and (scale > 0).all()
    scales = expanded(scale, block, (rows, columns)).double()
    restored = values.double() * scales
    # Half a unit in the last place of the FP8 value, and half the smallest subnormal near zero.
    info = torch.finfo(dtype)
    bound = weight.double().abs() * info.eps / 2 + scales * info.smallest_normal * info.eps / 2
    assert ((restored - weight.double()).abs() <= bound * (1 + 1e-6)).all()
    assert (restored[: rows // 3] == 0).all()


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 200), columns=st.integers(1, 200), dtype=DTYPES, block=st.sampled_from([None, 16, 128]))
def test_dequantized_as_written(rows, columns, dtype, block):
    values, scale = quantize_tensor(torch.randn(rows, columns), dtype, block)
    layer = QuantizedLinear(values, scale, None, block, torch.bfloat16)
    expected = (values.float() * expanded(scale, block, (rows, columns))).to(torch.bfloat16)
    assert torch.equal(layer.dequantized(), expected)
    x = torch.randn(2, columns, dtype=torch.bfloat16)
    assert torch.equal(layer(x), nn.functional.linear(x, expected))


def test_largest_weight_has_the_largest_code():
    for dtype in FP8_DTYPES:
        values, scale = quantize_tensor(torch.tensor([[0.5, -3.0], [0.0, 0.0]]), dtype)
        assert values[0, 1].float() == -torch.finfo(dtype).max
        assert scale.flatten().tolist() == pytest.approx([3 / torch.finfo(dtype).max, 1.0])


def test_names_and_shapes_of_checkpoints():
    model = mlp(200, 130, 64)
    channel = quantize_linears(model).state_dict()
    assert channel["0.weight_scale"].shape == (130, 1)
    block = quantize_linears(model, scheme="block").state_dict()
    assert block["0.weight_scale_inv"].shape == (2, 2)
    assert set(block) == {f"{layer}.{name}" for layer in (0, 2) for name in ("weight", "weight_scale_inv", "bias")}


def test_original_is_untouched_and_the_rest_is_shared():
    model = nn.Sequential(nn.Embedding(10, 16), nn.Linear(16, 16), nn.LayerNorm(16))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    quantized = quantize_linears(model)
    assert type(model[1]) is nn.Linear
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert quantized[0].weight is model[0].weight
    assert quantized[1].bias is model[1].bias


def test_shared_layers_and_weights_stay_shared():
    shared = nn.Linear(16, 16)
    twin = nn.Linear(16, 16)
    twin.weight = shared.weight
    quantized = quantize_linears(nn.ModuleList([shared, shared, twin]))
    assert quantized[0] is quantized[1]
    assert quantized[2] is not quantized[0]
    assert quantized[2].weight is quantized[0].weight
    assert quantized[2].bias is twin.bias


def test_a_linear_alone():
    assert isinstance(quantize_linears(nn.Linear(4, 4)), QuantizedLinear)


def test_skip():
    model = nn.ModuleDict({"lm_head": nn.Linear(8, 8), "body": nn.Sequential(nn.Linear(8, 8))})
    by_name = quantize_linears(model, skip=["lm_head"])
    assert type(by_name["lm_head"]) is nn.Linear and isinstance(by_name["body"][0], QuantizedLinear)
    by_call = quantize_linears(model, skip=lambda name, layer: name.startswith("body"))
    assert isinstance(by_call["lm_head"], QuantizedLinear) and type(by_call["body"][0]) is nn.Linear


def test_negative_subclass_of_linear():
    attention = nn.MultiheadAttention(16, 2)  # reads out_proj.weight itself
    quantized = quantize_linears(nn.ModuleList([attention]))
    assert type(quantized[0].out_proj) is type(attention.out_proj)
    x = torch.randn(3, 1, 16)
    assert torch.equal(quantized[0](x, x, x)[0], attention(x, x, x)[0])


def test_cast_of_the_module_keeps_fp8_and_scales():
    quantized = quantize_linears(mlp(16, 16))
    scale = quantized[0].scale.clone()
    quantized.to(torch.bfloat16)
    assert quantized[0].weight.dtype == torch.float8_e4m3fn
    assert torch.equal(quantized[0].scale, scale)
    assert quantized[0].bias.dtype == torch.bfloat16
    assert quantized(torch.randn(2, 16)).dtype == torch.float32


def test_compute_dtype():
    model = mlp(16, 16)
    quantized = quantize_linears(model, compute_dtype=torch.bfloat16)
    assert quantized[0].dequantized().dtype == torch.bfloat16
    assert quantized(torch.randn(2, 16)).dtype == torch.float32
    assert quantize_linears(model.to(torch.bfloat16))[0].compute_dtype == torch.bfloat16


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_not_finite(value):
    model = nn.ModuleDict({"encoder": nn.Sequential(nn.Linear(4, 4))})
    with torch.no_grad():
        model["encoder"][0].weight[1, 2] = value
    with pytest.raises(ValueError, match=r"expected finite weights in layer 'encoder\.0', got NaN or infinity"):
        quantize_linears(model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": torch.float16}, "expected dtype torch.float8_e4m3fn or torch.float8_e5m2, got torch.float16"),
        ({"scheme": "tensor"}, "expected scheme 'channel' or 'block', got 'tensor'"),
        ({"scheme": "block", "block": 0}, "expected a positive block size, got 0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        quantize_linears(mlp(4, 4), **arguments)
