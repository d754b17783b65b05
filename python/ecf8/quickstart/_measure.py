"""What the quickstart measures: entropies, times, differences."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..quantize import FP8_DTYPES

MINIMUM_ROUNDS = 3


def exponent_histograms(model: nn.Module) -> dict[str, list[int]]:
    """How often each exponent field occurs, for each FP8 parameter of `model`."""
    histograms = {}
    for name, parameter in model.named_parameters():
        if parameter.dtype in FP8_DTYPES:
            shift, symbols = (3, 16) if parameter.dtype == torch.float8_e4m3fn else (2, 32)
            exponents = (parameter.detach().view(torch.uint8) >> shift) & (symbols - 1)
            histograms[name] = torch.bincount(exponents.flatten().int(), minlength=symbols).tolist()
    return histograms


def entropy_bound(histogram: Sequence[int]) -> float:
    """Bits per weight below which no code for the exponents alone can go: 4 + H(E4M3) or 3 + H(E5M2)."""
    total = sum(histogram)
    entropy = -sum(count / total * math.log2(count / total) for count in histogram if count)
    return entropy + (4 if len(histogram) == 16 else 3)


def mean_entropy_bound(histograms: Mapping[str, Sequence[int]]) -> float:
    """The mean of the tensors' bounds, weighted by their sizes."""
    weights = sum(sum(histogram) for histogram in histograms.values())
    return sum(sum(histogram) * entropy_bound(histogram) for histogram in histograms.values()) / weights


def same_bytes(left: Tensor, right: Tensor) -> bool:
    """Whether the two tensors are the same in every bit (NaN and the sign of zero included)."""
    return (
        left.shape == right.shape
        and left.dtype == right.dtype
        and torch.equal(left.contiguous().view(torch.uint8), right.contiguous().view(torch.uint8))
    )


def milliseconds_per_call(
    functions: Mapping[str, Callable[..., Any]], calls: Sequence[Sequence[Tensor]], seconds: float
) -> dict[str, float]:
    """The median time of one call, of each function.

    Each round runs every function on every item of `calls`, the functions in turn and in another order each time, so
    that what slows the machine down for a while slows all of them. Rounds go on for about `seconds`.
    """
    for function in functions.values():
        for inputs in calls:
            function(*inputs)
    times: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < MINIMUM_ROUNDS or time.perf_counter() < end:
        for inputs in calls:
            for name in names:
                start = time.perf_counter()
                functions[name](*inputs)
                times[name].append(time.perf_counter() - start)
            names.append(names.pop(0))
        rounds += 1
    return {name: 1000 * statistics.median(values) for name, values in times.items()}
