"""The quickstart's own arithmetic; the whole of it runs as a group of its own in `make test`."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import mlp
from ecf8.quantize import quantize_linears
from ecf8.quickstart import _measure, _report


@pytest.mark.parametrize(("dtype", "raw_bits"), [(torch.float8_e4m3fn, 4), (torch.float8_e5m2, 3)])
def test_entropy_bound(dtype, raw_bits):
    model = quantize_linears(mlp(64, 32, 16), dtype=dtype)
    histograms = _measure.exponent_histograms(model)
    assert [sum(histogram) for histogram in histograms.values()] == [64 * 32, 32 * 16]
    bits = 8 - raw_bits - 1
    for name, histogram in histograms.items():
        codes = model.get_parameter(name).view(torch.uint8).flatten().tolist()
        mantissa_bits = 3 if raw_bits == 4 else 2
        exponents = [code >> mantissa_bits & (2 ** (bits + 1) - 1) for code in codes]
        counts = [exponents.count(exponent) for exponent in set(exponents)]
        expected = raw_bits - sum(count / len(codes) * math.log2(count / len(codes)) for count in counts)
        assert _measure.entropy_bound(histogram) == pytest.approx(expected)
    mean = sum(sum(h) * _measure.entropy_bound(h) for h in histograms.values()) / (64 * 32 + 32 * 16)
    assert _measure.mean_entropy_bound(histograms) == pytest.approx(mean)


def test_entropy_of_one_value():
    assert _measure.entropy_bound([0] * 15 + [7]) == 4


def test_same_bytes_sees_what_equality_does_not():
    assert _measure.same_bytes(torch.tensor([float("nan")]), torch.tensor([float("nan")]))
    assert not _measure.same_bytes(torch.tensor([0.0]), torch.tensor([-0.0]))
    assert not _measure.same_bytes(torch.zeros(2), torch.zeros(1, 2))


def test_times_are_taken_in_turn():
    order: list[str] = []
    functions = {name: (lambda x, name=name: order.append(name)) for name in "abc"}
    times = _measure.milliseconds_per_call(functions, [(torch.ones(1),)], seconds=0)
    assert set(times) == {"a", "b", "c"} and all(value >= 0 for value in times.values())
    # one round to warm up, then the first of each round goes to the end of the next
    assert order[:9] == list("abcabcbca") and len(order) == 3 * (1 + _measure.MINIMUM_ROUNDS)


def test_picture(tmp_path):
    _report.plot_exponents({"encoder.encoder.layer.0.weight": [1] * 16, "b.weight": [0] * 15 + [9]}, tmp_path / "e.png")
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")
