"""Who is measured. A contender is one entry of CONTENDERS: it compiles once, loads, and gives one call for each weight.

Dense contenders hold the weight without its scale, which is exact in bf16; their speed does not depend on values.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import ml_dtypes
import numpy as np
import safetensors.numpy
from iree_contender import Iree
from program import for_ecf8, for_ecf8_bf16
from workload import Case, Workload

Call = Callable[[], Any]


class Loaded(Protocol):
    """A contender with its weights in memory."""

    weight_bytes: int | None  # of one weight, as it stays in memory; None: as measured

    def bind(self, x: np.ndarray, case: Case) -> list[Call]:
        """One call for each weight, on the activations `x`."""

    def result(self, output: Any) -> np.ndarray:
        """What a call gave, in f32."""


class Contender(Protocol):
    scaled: bool  # whether the weight is multiplied by its scale
    tolerance: float  # of the largest difference to the reference, as part of the largest magnitude

    def prepare(self, work: Workload) -> None: ...
    def load(self, work: Workload) -> Loaded: ...


@dataclass
class Ecf8:
    """Our own kernels. As written, so what differs is the order of sums."""

    codec: list[str]
    scaled: bool = True
    tolerance: float = 1e-4

    def _bundle(self, work: Workload) -> Path:
        return work.folder / f"{''.join(self.codec)}.ecf8"

    def _program(self, work: Workload, entry: str, weights: list[str], case: Case) -> str:
        return for_ecf8(work.layer, entry, weights, *case)

    def _weights(self, work: Workload) -> Path:
        return work.weights_file

    def prepare(self, work: Workload) -> None:
        program = work.folder / "program.mlir"
        groups = [*groups_of(work.names), work.names[:1]]
        texts = (self._program(work, entry_of(names, case), names, case) for names in groups for case in work.grid)
        program.write_text("".join(dict.fromkeys(texts)))
        command = [work.build / "bin/ecf8-compile", program, "--weights", self._weights(work)]
        subprocess.run([*command, "--target-cpu=native", "-q", *self.codec, "-o", self._bundle(work)], check=True)

    def load(self, work: Workload) -> Loaded:
        import ecf8

        return LoadedEcf8(ecf8.load(self._bundle(work), verify=False), work)


@dataclass
class Ecf8Dense(Ecf8):
    """A dense bf16 weight in our own compiler's loops."""

    codec: list[str] = field(default_factory=list)
    scaled: bool = False
    tolerance: float = 1e-2

    def _bundle(self, work: Workload) -> Path:
        return work.folder / "dense.ecf8"

    def _program(self, work: Workload, entry: str, weights: list[str], case: Case) -> str:
        return for_ecf8_bf16(work.layer, entry, weights, case[0])

    def _weights(self, work: Workload) -> Path:
        file = work.folder / "dense.safetensors"
        tensors = work.read_weights()
        dense = {name: tensors[name].astype(ml_dtypes.bfloat16) for name in work.names}
        safetensors.numpy.save_file(dense, file)
        return file


GROUP = 4  # weights that one call multiplies: calls from Python take time


def groups_of(names: list[str]) -> list[list[str]]:
    return [names[i : i + GROUP] for i in range(0, len(names), GROUP)]


def entry_of(names: list[str], case: Case) -> str:
    return "_".join((names[0], str(len(names)), *case))


@dataclass
class LayersCall:
    """A call that multiplies several weights."""

    function: Call
    weights: int

    def __call__(self) -> Any:
        return self.function()


class LoadedEcf8:
    def __init__(self, model: Any, work: Workload) -> None:
        self.model, self.work = model, work
        self.weight_bytes: int | None = next(w.stored_bytes for w in model.weights if w.name == "w0")

    def bind(self, x: np.ndarray, case: Case) -> list[Call]:
        accumulator = np.zeros((x.shape[0], self.work.layer.rows), np.float32)
        groups = groups_of(self.work.names)
        functions = [self.model[entry_of(names, case)] for names in groups]
        return [
            LayersCall(lambda f=f: f(x, accumulator), len(names)) for f, names in zip(functions, groups, strict=True)
        ]

    def result(self, output: Any) -> np.ndarray:
        return output[0] if isinstance(output, tuple) else output


def to_torch(array: np.ndarray) -> Any:
    import torch

    types = {ml_dtypes.bfloat16: torch.bfloat16, ml_dtypes.float8_e4m3fn: torch.float8_e4m3fn}
    own = types.get(array.dtype.type)
    if own is None:
        return torch.from_numpy(np.array(array))
    return torch.from_numpy(np.array(array).view(np.uint8 if array.itemsize == 1 else np.int16)).view(own)


class LoadedTorch:
    def __init__(self, calls: Callable[[Any, Case], list[Call]], weight_bytes: int) -> None:
        self.calls = calls
        self.weight_bytes: int | None = weight_bytes

    def bind(self, x: np.ndarray, case: Case) -> list[Call]:
        return self.calls(to_torch(x), case)

    def result(self, output: Any) -> np.ndarray:
        return output.float().numpy()


@dataclass
class TorchDense:
    """`F.linear` on weights that were made bf16 or f32 before; activations are converted in the call."""

    dtype: str
    scaled: bool = False
    tolerance: float = 1e-2

    def prepare(self, work: Workload) -> None: ...

    def load(self, work: Workload) -> Loaded:
        import torch

        torch.set_num_threads(work.threads)
        own, tensors, linear = getattr(torch, self.dtype), work.read_weights(), torch.nn.functional.linear
        weights = [to_torch(tensors[name]).to(own) for name in work.names]
        return LoadedTorch(lambda x, _: [lambda w=w: linear(x.to(own), w) for w in weights], weights[0].nbytes)


@dataclass
class TorchUpcast:
    """What a user does without a compiler: `F.linear(x, (w.to(f32) * s).to(t))`."""

    scaled: bool = True
    tolerance: float = 1e-2

    def prepare(self, work: Workload) -> None: ...

    def load(self, work: Workload) -> Loaded:
        import torch

        torch.set_num_threads(work.threads)
        tensors, layer = work.read_weights(), work.layer
        weights = {name: to_torch(tensors[name]) for name in work.names}
        scales = {name: to_torch(array) for name, array in tensors.items() if "." in name}

        def widened(name: str, dtype: Any, scale: str) -> Any:
            if scale == "none":
                return weights[name].to(dtype)
            wide, factors = weights[name].to(torch.float32), scales[f"{name}.{scale}"]
            if scale == "blocks":
                (down, across), (height, width) = layer.grid, layer.block
                product = wide.view(down, height, across, width) * factors[:, None, :, None]
                return product.view(layer.rows, layer.columns).to(dtype)
            return (wide * factors).to(dtype)

        def calls(x: Any, case: Case) -> list[Call]:
            return [lambda n=n: torch.nn.functional.linear(x, widened(n, x.dtype, case[1])) for n in work.names]

        return LoadedTorch(calls, weights["w0"].nbytes)


CONTENDERS: dict[str, Contender] = {
    "planes": Ecf8(["--codec=planes"]),
    "huffman L=7": Ecf8(["--codec=huffman", "--max-code-length=7"]),
    "huffman L=8": Ecf8(["--codec=huffman", "--max-code-length=8"]),
    "planes epilogue": Ecf8(["--codec=planes", "--arithmetic=epilogue"], tolerance=1e-2),
    "raw": Ecf8(["--codec=raw"]),
    "dense bf16": Ecf8Dense(),
    "torch bf16": TorchDense("bfloat16"),
    "torch f32": TorchDense("float32"),
    "torch upcast": TorchUpcast(),
    "iree fp8": Iree("fp8"),
    "iree bf16": Iree("bf16", scaled=False),
}
OWN = [name for name, contender in CONTENDERS.items() if isinstance(contender, Ecf8)]
