"""`ecf8.compile`: torch.export, torch-mlir, then `ecf8-compile` in a process of its own."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._progress import Progress, progress
from ._tools import find_compiler
from .errors import CompileError, Error, ExecutionError, ModelImportError
from .model import STATS, CompiledModel

if TYPE_CHECKING:
    import torch

    from ._capture import EntryPoint

DEFAULT_ENTRY = "main"
PROGRAM = "model.mlir"
WEIGHTS = "weights.safetensors"
WRONG_OPTIONS = 2  # the exit code of ecf8-compile for a command line that cannot work, whatever the program


def compile(
    module: torch.nn.Module,
    example_args: Sequence[Any] | None = None,
    codec: str = "auto",
    target: str = "cpu",
    *,
    dynamic_shapes: Any = None,
    entry_points: Mapping[str, EntryPoint] | None = None,
    target_cpu: str | None = None,
    output: str | os.PathLike[str] | None = None,
    options: Sequence[str] = (),
    show_progress: bool | None = None,
) -> CompiledModel:
    """Compiles `module` as it is, FP8 weights compressed without loss, and loads the result.

    The module is traced in eval mode with `example_args` (CPU tensors) by torch.export; `dynamic_shapes` is passed on
    to it. Instead of these two, `entry_points` names several functions, which share the weights that they share in
    Python. `codec` is "auto" (planes, or plain where that is not smaller), "raw" (nothing is compressed), "planes" or
    "huffman" (smaller by a tenth of a bit per weight, slower); `target_cpu` a list of instruction sets as in
    `ecf8-compile --target-cpu`. For `target` "cuda" and "simt" (docs/guides/gpu.md) codecs are others, and `--gpu-arch`
    goes into `options`; a model for "cuda" is loaded where there is such a GPU, elsewhere see `compile_bundle`.
    `options` are further flags for it. The bundle is written to `output`, or to a temporary folder that goes away with
    the model. `show_progress`: None = only on a terminal.

    Raises `ModelImportError` for what torch.export or torch-mlir cannot express, and `CompileError` for what
    `ecf8-compile` refuses; both leave a reproducer file, named in the message, unless options are wrong.
    `ExecutionError`: the bundle cannot be loaded on this machine; it stays in `output`.
    """
    entries = _entry_points(module, example_args, dynamic_shapes, entry_points)
    job = _Job(codec, target, target_cpu, output, options)
    with (
        progress("ecf8", stages=len(entries) + 4, enabled=show_progress) as bar,
        tempfile.TemporaryDirectory(prefix="ecf8-compile-") as folder,
    ):
        return job.run(*_import_model(entries, Path(folder), bar), bar)


def compile_bundle(
    module: torch.nn.Module,
    example_args: Sequence[Any] | None,
    output: str | os.PathLike[str],
    codec: str = "auto",
    target: str = "cpu",
    *,
    dynamic_shapes: Any = None,
    entry_points: Mapping[str, EntryPoint] | None = None,
    target_cpu: str | None = None,
    options: Sequence[str] = (),
    show_progress: bool | None = None,
) -> Path:
    """As `compile`, but writes the bundle to `output`, which is returned, and does not load it.

    For another machine, such as one with a GPU; there `ecf8.load` takes the bundle.
    """
    entries = _entry_points(module, example_args, dynamic_shapes, entry_points)
    job = _Job(codec, target, target_cpu, output, options)
    with (
        progress("ecf8", stages=len(entries) + 3, enabled=show_progress) as bar,
        tempfile.TemporaryDirectory(prefix="ecf8-compile-") as folder,
    ):
        return job.write(*_import_model(entries, Path(folder), bar), Path(output), bar)


def compile_mlir(
    program: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    codec: str = "auto",
    target: str = "cpu",
    *,
    target_cpu: str | None = None,
    output: str | os.PathLike[str] | None = None,
    options: Sequence[str] = (),
    show_progress: bool | None = None,
) -> CompiledModel:
    """Compiles what `export_mlir` wrote, or any program on linalg with its weights; arguments as in `compile`.

    For several variants of one model: the import, which takes most of the time in Python, is done once.
    """
    job = _Job(codec, target, target_cpu, output, options)
    with progress("ecf8", stages=2, enabled=show_progress) as bar:
        return job.run(Path(program), Path(weights), bar)


def export_mlir(
    module: torch.nn.Module,
    example_args: Sequence[Any] | None = None,
    folder: str | os.PathLike[str] = ".",
    *,
    dynamic_shapes: Any = None,
    entry_points: Mapping[str, EntryPoint] | None = None,
    show_progress: bool | None = None,
) -> tuple[Path, Path]:
    """Writes what `compile` gives to `ecf8-compile`: `model.mlir` and `weights.safetensors` in `folder`."""
    entries = _entry_points(module, example_args, dynamic_shapes, entry_points)
    work = Path(folder)
    work.mkdir(parents=True, exist_ok=True)
    with progress("ecf8", stages=len(entries) + 2, enabled=show_progress) as bar:
        return _import_model(entries, work, bar)


def _entry_points(
    module: torch.nn.Module,
    example_args: Sequence[Any] | None,
    dynamic_shapes: Any,
    entry_points: Mapping[str, EntryPoint] | None,
) -> dict[str, EntryPoint]:
    from dataclasses import replace

    from ._capture import EntryPoint

    if (example_args is None) == (entry_points is None):
        raise Error("expected either example_args or entry_points")
    if entry_points is None:
        assert example_args is not None
        return {DEFAULT_ENTRY: EntryPoint(example_args, module=module, dynamic_shapes=dynamic_shapes)}
    if not entry_points:
        raise Error("expected at least one entry point, got none")
    for name in entry_points:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise Error(f"expected an identifier as the name of an entry point, got '{name}'")
    return {
        name: replace(entry, module=entry.module if entry.module is not None else module)
        for name, entry in entry_points.items()
    }


def _import_model(entries: Mapping[str, EntryPoint], work: Path, bar: Progress) -> tuple[Path, Path]:
    """Writes the program and its weights into `work`."""
    try:
        from ._capture import WeightTable, capture
        from ._importer import import_programs
    except ImportError as error:
        raise ModelImportError(f"expected torch and torch-mlir to be installed: {error}") from error
    from safetensors.torch import save_file

    weights = WeightTable()
    programs = []
    for name, entry in entries.items():
        bar.stage(f"exporting '{name}'")
        programs.append(capture(name, entry, weights))
    bar.stage("importing")
    (work / PROGRAM).write_text(import_programs(programs))
    bar.stage("writing weights")
    # Tensors that share memory without being the same (views) must be copied: the format has no sharing.
    save_file({name: _own_memory(tensor) for name, tensor in weights.tensors.items()}, work / WEIGHTS)
    del programs, weights
    _return_free_memory()
    return work / PROGRAM, work / WEIGHTS


def _return_free_memory() -> None:
    """Gives what tracing left behind back to the system, before a process that needs memory of its own."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def _own_memory(tensor: torch.Tensor) -> torch.Tensor:
    whole = tensor.is_contiguous() and tensor.untyped_storage().nbytes() == tensor.nbytes
    return tensor if whole else tensor.contiguous().clone()


class _Job:
    """One run of `ecf8-compile`. Whether it can start is checked when the job is made, before any long work."""

    def __init__(
        self,
        codec: str,
        target: str,
        target_cpu: str | None,
        output: str | os.PathLike[str] | None,
        options: Sequence[str],
    ) -> None:
        self._compiler = find_compiler()
        self._output = None if output is None else Path(output)
        if self._output is not None and not self._output.parent.is_dir():
            folder, name = self._output.parent, self._output.name
            raise CompileError(f"expected a folder at '{folder}' to write the bundle '{name}' into")
        self._arguments = [f"--target={target}", f"--codec={codec}"]
        if target_cpu is not None:
            self._arguments.append(f"--target-cpu={target_cpu}")
        self._arguments += options

    def run(self, program: Path, weights: Path, bar: Progress) -> CompiledModel:
        """The bundle in `output` or a temporary folder, loaded."""
        if self._output is not None:
            self.write(program, weights, self._output, bar)
            bar.stage("loading")
            try:
                return CompiledModel(self._output)
            except ExecutionError as error:
                where = f"the bundle '{self._output}' is written, but cannot be loaded here"
                raise ExecutionError(f"{where}: {error}", code=error.code) from error
        folder = tempfile.TemporaryDirectory(prefix="ecf8-model-")
        try:
            bundle = self.write(program, weights, Path(folder.name) / "model.ecf8", bar)
            bar.stage("loading")
            return CompiledModel(bundle, folder=folder)
        except ExecutionError as error:
            folder.cleanup()
            hint = "ecf8.compile_bundle writes a bundle for another machine, without loading it"
            raise ExecutionError(f"{error}; {hint}", code=error.code) from error
        except BaseException:
            folder.cleanup()
            raise

    def write(self, program: Path, weights: Path, bundle: Path, bar: Progress) -> Path:
        """Writes the bundle to `bundle`, which is returned."""
        bar.stage("compiling")
        self._compile(program, weights, bundle)
        return bundle

    def _compile(self, program: Path, weights: Path, bundle: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="ecf8-stats-") as folder:
            stats = Path(folder) / STATS
            command = [str(self._compiler), str(program), f"--weights={weights}", "--stats=json"]
            command += [f"--stats-file={stats}", *self._arguments, "-o", str(bundle)]
            result = _run(command)
            if result.returncode != 0:
                raise _compile_error(result, program)
            shutil.copy(stats, bundle / STATS)


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run`, which kills; on an interrupt the compiler gets to remove its temporary folder."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, errors="replace") as process:
        try:
            stdout, stderr = process.communicate()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def _compile_error(result: subprocess.CompletedProcess[str], program: Path) -> CompileError:
    diagnostics = result.stderr.strip()
    reproducer = None
    if program.is_file() and result.returncode != WRONG_OPTIONS:
        # The program's own folder may be a temporary one.
        reproducer = Path(tempfile.mkdtemp(prefix="ecf8-compile-failed-")) / PROGRAM
        shutil.copy(program, reproducer)
    reason = next((line for line in diagnostics.splitlines() if "error" in line.lower()), diagnostics)
    # Some of MLIR's own messages name the op only in the note behind them.
    current = re.search(r'see current operation: (?:%[\w:#, ]+ = )?"([\w.]+)"', diagnostics)
    if current and current.group(1) not in reason:
        reason += f" ('{current.group(1)}')"
    status = f"signal {-result.returncode}" if result.returncode < 0 else f"status {result.returncode}"
    suffix = "" if reproducer is None else f" (reproducer: {reproducer})"
    return CompileError(
        f"ecf8-compile failed with {status}: {reason}{suffix}", diagnostics=diagnostics, reproducer=reproducer
    )
