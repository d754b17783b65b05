"""What is measured: the layers of known models, their weights, and the files that contenders share."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np
import safetensors.numpy
from program import Layer

Case = tuple[str, str]  # activations, scale
REFERENCE = "Qwen3-8B up"  # the layer that is measured in all cases
MEMORY_LAYERS = (REFERENCE, "Llama-3.3-70B up")  # and those that were asked for by name
# N, K, and the scale that published FP8 checkpoints of the model have.
SHAPES: dict[str, tuple[int, int, str]] = {
    "Qwen3-8B attention": (4096, 4096, "blocks"),
    "Qwen3-8B up": (12288, 4096, "blocks"),
    "Llama-3.3-70B attention": (8192, 8192, "rows"),
    "Llama-3.3-70B up": (28672, 8192, "rows"),
    "DeepSeek-V3 down": (7168, 2048, "blocks"),
    "DeepSeek-V3 up": (2048, 7168, "blocks"),
    "DeepSeek-V3 kv_a": (576, 7168, "blocks"),
    "FLUX attention": (3072, 3072, "tensor"),
    "FLUX up": (12288, 3072, "tensor"),
}
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 512)
REFERENCE_ROWS = (1, 8, 32, 128)  # in the cases of the reference layer that are not its own
DTYPES = {"f32": np.dtype(np.float32), "bf16": np.dtype(ml_dtypes.bfloat16)}
STORED = {"F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn), "F32": np.dtype(np.float32)}
CACHE_MULTIPLE = 5
COMPRESSED = 0.8  # a lower bound of compressed to FP8 bytes of Gaussian weights


def make_layer(rows: int, columns: int) -> Layer:
    """Blocks of scales are 128 x 128; of fewer rows where those of the weight are no multiple of 128 (576 x 7168)."""
    return Layer(rows, columns, (next(height for height in (128, 64, 32) if rows % height == 0), 128))


def third_level_cache() -> int:
    """Bytes of the last cache of the first CPU."""
    sizes = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"))
    if not sizes:
        raise SystemExit("expected cache sizes under /sys/devices/system/cpu/cpu0/cache, found none: give --cache-mib")
    return max(int(path.read_text().strip().removesuffix("K")) << 10 for path in sizes)


@dataclass(frozen=True)
class Workload:
    """A layer with `count` distinct weights, and what is to be compiled for it: rows by case."""

    build: Path
    folder: Path
    layer: Layer
    count: int
    grid: dict[Case, list[int]]
    threads: int

    @property
    def names(self) -> list[str]:
        return [f"w{index}" for index in range(self.count)]

    @property
    def weights_file(self) -> Path:
        return self.folder / "weights.safetensors"

    def write_weights(self) -> None:
        """Gaussian weights; each is the first one with its rows moved, so the same in size and in speed."""
        shape = (self.layer.rows, self.layer.columns)
        values = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        values *= 448 / np.abs(values).max(1, keepdims=True)
        first = values.astype(ml_dtypes.float8_e4m3fn)
        del values
        generator = np.random.default_rng(1)
        tensors = {}
        for index, name in enumerate(self.names):
            tensors[name] = np.roll(first, 37 * index, 0)
            for scale, size in (("tensor", ()), ("rows", (shape[0], 1)), ("blocks", self.layer.grid)):
                factors = np.asarray(generator.uniform(0.5, 2, size) / 448, np.float32)
                tensors[f"{name}.{scale}"] = factors
        safetensors.numpy.save_file(tensors, self.weights_file)

    def read_weights(self) -> dict[str, np.ndarray]:
        """The tensors of the file, mapped."""
        with self.weights_file.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size))
        content = np.memmap(self.weights_file, np.uint8, "r", offset=0)[8 + size :]
        tensors = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            tensors[name] = content[begin:end].view(STORED[entry["dtype"]]).reshape(entry["shape"])
        return tensors

    def activations(self, kind: str, rows: int) -> np.ndarray:
        values = np.random.default_rng(2).standard_normal((rows, self.layer.columns), dtype=np.float32)
        return values.astype(DTYPES[kind])

    def widened(self, weight: np.ndarray, factors: np.ndarray | None, kind: str) -> np.ndarray:
        """The weight in f32 as the program makes it: extended, scaled, rounded to the type of the activations."""
        wide = weight.astype(np.float32)
        if factors is not None and factors.shape == self.layer.grid:
            (down, across), (height, width) = self.layer.grid, self.layer.block
            view = wide.reshape(down, height, across, width)
            view *= factors[:, None, :, None]
        elif factors is not None:
            wide *= factors
        return wide.astype(DTYPES[kind]).astype(np.float32) if factors is not None and kind != "f32" else wide


def weights_in_rotation(layer: Layer, cache_bytes: int) -> int:
    """So many that their compressed bytes are five times the cache; two at least."""
    return max(2, -int(-CACHE_MULTIPLE * cache_bytes // (COMPRESSED * layer.rows * layer.columns)))


def default_threads() -> int:
    return len(os.sched_getaffinity(0))
