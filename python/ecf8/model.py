"""A compiled model: a bundle on disk, mapped and called through the runtime."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _capi
from ._libraries import text
from ._tensors import Input, array_type, is_torch, wrap_output
from .errors import Error, ExecutionError

if TYPE_CHECKING:
    import torch

    from ._tensors import Array

MANIFEST = "manifest.json"
STATS = "stats.json"


@dataclass(frozen=True)
class TensorSpec:
    """What an entry point takes or gives. `shape`: None in a dimension of any size."""

    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Weight:
    """One stored weight. `encoding` is None for plain weights; bytes as stored and as they would be decoded.

    `shape` is the program's. Where `transposed`, the last two dimensions of what is stored are exchanged.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    encoding: str | None
    stored_bytes: int
    decoded_bytes: int
    transposed: bool = False


class Function:
    """One entry point. Call it with torch tensors or numpy arrays in the order of `inputs`.

    Returns what it was called with: torch tensors if any input is one, else numpy arrays; one tensor, or a tuple in
    the order in which torch.export flattens the module's result. May be called from several threads at once.
    """

    def __init__(self, model: CompiledModel, index: int, name: str) -> None:
        self._model = model
        self._index = index
        self.name = name
        library, handle = _capi.library(), model._handle
        inputs, outputs = library.ecf8_model_input_count(handle, index), library.ecf8_model_output_count(handle, index)
        self.inputs = tuple(_spec(library.ecf8_model_input_spec, handle, index, i) for i in range(inputs))
        self.outputs = tuple(_spec(library.ecf8_model_output_spec, handle, index, i) for i in range(outputs))

    def __call__(self, *inputs: Array) -> Any:
        views = [Input(value, index) for index, value in enumerate(inputs)]
        pointer = ctypes.POINTER(_capi.DLManagedTensorVersioned)
        arguments = array_type(pointer, len(views))(*(ctypes.pointer(view.managed) for view in views))
        results = array_type(pointer, len(self.outputs))()
        status = _capi.library().ecf8_model_invoke(
            self._model._handle, self._index, arguments, len(views), results, len(self.outputs)
        )
        _capi.check(status)
        as_torch = any(is_torch(value) for value in inputs)
        # Indexing a ctypes array of pointers gives views into the array: take each address out of it.
        wrapped = tuple(wrap_output(ctypes.cast(result, pointer), as_torch) for result in results)
        return wrapped[0] if len(wrapped) == 1 else wrapped

    def __repr__(self) -> str:
        return f"<ecf8 function '{self.name}': {_types(self.inputs)} -> {_types(self.outputs)}>"


class CompiledModel:
    """A loaded bundle. Callable if it has one entry point or one named "main"; `model["name"]` gives any other."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        cpu: str | None = None,
        device: str | torch.device | None = None,
        verify: bool = True,
        folder: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.path = Path(path)
        self._folder = folder  # removed with the model
        library = _capi.library()
        options = _capi.LoadOptions()
        library.ecf8_load_options_init(ctypes.byref(options))
        options.skip_weight_checksums = 0 if verify else 1
        options.cpu = cpu.encode() if cpu is not None else None
        options.device = _device_name(device)
        handle = ctypes.c_void_p()
        _capi.check(library.ecf8_model_load(os.fsencode(self.path), ctypes.byref(options), ctypes.byref(handle)))
        self._handle = handle
        self._free = weakref.finalize(self, library.ecf8_model_free, handle)
        self._names = [
            text(library.ecf8_model_entry_name(handle, i)) for i in range(library.ecf8_model_entry_count(handle))
        ]

    @property
    def functions(self) -> Mapping[str, Function]:
        """The entry points by name, in the bundle's order."""
        return {name: Function(self, index, name) for index, name in enumerate(self._names)}

    def __getitem__(self, name: str) -> Function:
        if name not in self._names:
            known = ", ".join(f"'{known}'" for known in self._names)
            raise ExecutionError(f"expected the name of an entry point ({known}), got '{name}'", code="not found")
        return Function(self, self._names.index(name), name)

    def __call__(self, *inputs: Array) -> Any:
        name = "main" if "main" in self._names or len(self._names) != 1 else self._names[0]
        return self[name](*inputs)

    @property
    def cpu(self) -> str:
        """The instruction set in use, such as "x86-64-v4"."""
        return text(_capi.library().ecf8_model_cpu(self._handle))

    @property
    def device(self) -> str:
        """Where the model runs: "cpu", or such as "cuda:0 (NVIDIA H100 80GB HBM3)"."""
        return text(_capi.library().ecf8_model_device(self._handle))

    @property
    def weights(self) -> list[Weight]:
        """The stored weights, in the bundle's order."""
        return list(self._weights())

    def stats(self) -> dict[str, Any]:
        """What `ecf8-compile --stats` wrote about this model: per tensor shape, codec, bits per weight, entropy."""
        path = self.path / STATS
        try:
            stats = json.loads(path.read_text())
        except OSError as error:
            raise Error(f"expected the compiler's statistics at '{path}': {error.strerror}") from error
        assert isinstance(stats, dict)
        return stats

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Copies the bundle to `path` and returns it. Nothing partial is left at `path` on an error.

        With `overwrite` an existing bundle is replaced; anything else at `path` is refused.
        """
        target = Path(path)
        if target.exists():
            if not (target / MANIFEST).is_file():
                raise Error(f"expected no file or an ecf8 bundle at '{target}', got something else")
            if not overwrite:
                raise Error(f"expected no file at '{target}', got a bundle: pass overwrite=True to replace it")
        try:
            with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
                copy = Path(temporary) / "new"
                shutil.copytree(self.path, copy)
                if target.exists():
                    target.rename(Path(temporary) / "old")
                copy.rename(target)
        except (OSError, shutil.Error) as error:
            raise Error(f"could not write the bundle '{target}': {error}") from error
        return target

    def _weights(self) -> Iterator[Weight]:
        library = _capi.library()
        for index in range(library.ecf8_model_weight_count(self._handle)):
            weight = _capi.WeightStruct()
            _capi.check(library.ecf8_model_weight(self._handle, index, ctypes.byref(weight)))
            yield Weight(
                name=text(weight.name),
                dtype=text(weight.dtype),
                shape=tuple(weight.shape[i] for i in range(weight.rank)),
                encoding=text(weight.encoding) if weight.encoding is not None else None,
                stored_bytes=weight.stored_bytes,
                decoded_bytes=weight.decoded_bytes,
                transposed=library.ecf8_model_weight_is_transposed(self._handle, index) != 0,
            )

    def __repr__(self) -> str:
        place = self.cpu if self.device == "cpu" else self.device
        return f"<ecf8 model '{self.path}': {', '.join(self._names)} on {place}>"


def load(
    path: str | os.PathLike[str],
    *,
    cpu: str | None = None,
    device: str | torch.device | None = None,
    verify: bool = True,
) -> CompiledModel:
    """Loads a bundle written by `ecf8.compile`, `CompiledModel.save` or `ecf8-compile`.

    `cpu` forces an instruction set ("generic", "x86-64-v3", "x86-64-v4", "x86-64-v4-bf16"); `device` is
    where a bundle for GPUs runs ("cuda:0", "simt", or a torch.device; "cuda" is "cuda:0"); inputs and outputs are on
    the CPU all the same. `verify=False` skips the weights' checksums.
    """
    return CompiledModel(path, cpu=cpu, device=device, verify=verify)


def set_threads(count: int) -> None:
    """How many threads a call may use; 0 restores the default (ECF8_NUM_THREADS, else the CPUs of this process)."""
    _capi.check(_capi.library().ecf8_set_threads(count))


def _device_name(device: Any) -> bytes | None:
    """What the C API calls a device. Whoever has a torch.device has imported torch."""
    if device is None:
        return None
    torch = sys.modules.get("torch")
    if not isinstance(device, str) and (torch is None or not isinstance(device, torch.device)):
        kind = type(device).__name__
        raise TypeError(f"expected device as a string such as 'cuda:0', or as a torch.device, got {device!r} ({kind})")
    return str(device).encode()


def _spec(query: Any, handle: ctypes.c_void_p, entry: int, index: int) -> TensorSpec:
    spec = _capi.TensorSpecStruct()
    _capi.check(query(handle, entry, index, ctypes.byref(spec)))
    shape = tuple(None if spec.shape[i] < 0 else spec.shape[i] for i in range(max(spec.rank, 0)))
    return TensorSpec(text(spec.dtype), shape)


def _types(specs: tuple[TensorSpec, ...]) -> str:
    shapes = ("x".join([*("?" if dim is None else str(dim) for dim in spec.shape), spec.dtype]) for spec in specs)
    return f"({', '.join(shapes)})"
