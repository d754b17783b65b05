"""IREE on the same operations, with weights as parameters: data tiling packs them when a module is loaded.

Two contenders: FP8 weights that stay FP8 in memory, and dense bf16 weights. Each number of rows has a function of its
own with static shapes, since IREE chooses tiles by them; all share one packed weight.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from program import for_iree, for_iree_bf16
from workload import Case, Workload

# Microkernels for bf16 (mmt4d) come with the default of --iree-llvmcpu-enable-ukernels. FP8 weights with a scale need
# the larger stack: IREE widens a panel of the weight on it.
COMPILE_FLAGS = [
    "--iree-hal-target-device=local",
    "--iree-hal-local-target-device-backends=llvm-cpu",
    "--iree-llvmcpu-target-cpu=host",
    "--iree-opt-level=O3",
    "--iree-opt-data-tiling",
    "--iree-llvmcpu-stack-allocation-limit=1048576",
]
PACKAGES = ("iree-base-compiler", "iree-base-runtime")
_started: list[str] = []


def versions() -> dict[str, str]:
    return {package: importlib.metadata.version(package) for package in PACKAGES}


def runtime_flags(threads: int) -> list[str]:
    return [f"--task_topology_group_count={threads}", "--task_worker_stack_size=4194304"]


def find_compiler() -> Path:
    beside = Path(sys.executable).parent / "iree-compile"
    found = beside if beside.exists() else shutil.which("iree-compile")
    if found is None:
        raise SystemExit(
            "expected iree-compile beside Python or in PATH, found none: "
            "python -m pip install -r benchmarks/requirements.txt, or leave IREE out with --contender"
        )
    return Path(found)


def _start(threads: int) -> Any:
    """The configuration of the device; flags count for the process, and the first use of the device."""
    import iree.runtime

    flags = runtime_flags(threads)
    if not _started:
        iree.runtime.flags.parse_flags(*flags)
        _started.extend(flags)
    if _started != flags:
        raise ValueError(f"expected one number of threads in a process, got {flags} after {_started}")
    return iree.runtime.Config("local-task" if threads > 1 else "local-sync")


@dataclass
class Iree:
    kind: str  # fp8 or bf16
    scaled: bool = True
    tolerance: float = 1e-2

    def _path(self, work: Workload, suffix: str) -> Path:
        return work.folder / f"iree-{self.kind}{suffix}"

    def prepare(self, work: Workload) -> None:
        if self.kind == "fp8":
            text = for_iree(work.layer, work.grid)
        else:
            rows = {a: sorted({m for (b, _), ms in work.grid.items() if a == b for m in ms}) for a, _ in work.grid}
            text = for_iree_bf16(work.layer, rows)
            self._write_bf16(work)
        program = self._path(work, ".mlir")
        program.write_text(text)
        subprocess.run([find_compiler(), program, *COMPILE_FLAGS, "-o", self._path(work, ".vmfb")], check=True)

    def _write_bf16(self, work: Workload) -> None:
        """A file, so that the weight before it is packed is mapped and not counted as memory."""
        tensors = work.read_weights()
        for name in work.names:
            tensors[name].astype(np.float32).astype(ml_dtypes.bfloat16).view(np.uint16).tofile(
                self._path(work, f".{name}")
            )

    def load(self, work: Workload) -> LoadedIree:
        config = _start(work.threads)
        tensors = work.read_weights()
        modules = []
        for name in work.names:
            parameters = {key.partition(".")[2] or "w": value for key, value in tensors.items() if _is_of(key, name)}
            if self.kind == "bf16":
                parameters = {"w": np.memmap(self._path(work, f".{name}"), np.uint8, "r")}
            modules.append(_load_module(config, self._path(work, ".vmfb"), parameters))
        return LoadedIree(config, modules, self.scaled)


def _is_of(key: str, name: str) -> bool:
    return key == name or key.startswith(f"{name}.")


def _load_module(config: Any, path: Path, parameters: dict[str, np.ndarray]) -> Any:
    import iree.runtime

    index = iree.runtime.ParameterIndex()
    for key, value in parameters.items():
        index.add_buffer(key, value.reshape(-1).view(np.uint8))
    modules = [
        iree.runtime.create_io_parameters_module(config.vm_instance, index.create_provider("model")),
        iree.runtime.create_hal_module(config.vm_instance, config.device),
        iree.runtime.VmModule.mmap(config.vm_instance, str(path)),
    ]
    return iree.runtime.SystemContext(vm_modules=modules, config=config).modules.module


class LoadedIree:
    """Weights as IREE holds them: how many bytes that is, the process's memory says."""

    weight_bytes: int | None = None

    def __init__(self, config: Any, modules: list[Any], scaled: bool) -> None:
        self.config, self.modules, self.scaled = config, modules, scaled

    def bind(self, x: np.ndarray, case: Case) -> list[Any]:
        import iree.runtime

        given = iree.runtime.asdevicearray(self.config.device, np.ascontiguousarray(x))
        entry = f"{case[0]}_{case[1] if self.scaled else 'none'}_{x.shape[0]}"
        return [lambda f=module[entry]: f(given) for module in self.modules]

    def result(self, output: Any) -> np.ndarray:
        return output.to_host()
