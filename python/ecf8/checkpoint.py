"""Checkpoints in the safetensors format, plain or compressed: read tensor by tensor, written compressed.

A compressed checkpoint (docs/Checkpoint.md) has the file and tensor names of the original. `open` gives the original's
tensors, decoded when they are asked for; `enable` lets transformers and diffusers read such folders. Both decode at
load: they save disk and network, not memory. A compiled model (`ecf8.compile`) keeps its weights compressed in memory,
too.
"""

from __future__ import annotations

import builtins
import ctypes
import importlib
import os
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from . import _checkpoint_capi as capi
from ._checkpoint_dtypes import allocate, size_in_elements
from ._checkpoint_hook import disable, enable
from ._libraries import text
from .errors import CheckpointError, Error

if TYPE_CHECKING:
    from ._tensors import Array

__all__ = ["Checkpoint", "CheckpointError", "Slice", "TensorInfo", "disable", "enable", "is_compressed", "open", "save"]

Framework = Literal["pt", "np"]
Preset = Literal[
    "storage", "cpu", "sm_80", "sm_89", "sm_90", "sm_90a", "sm_100",
    "huffman", "planes", "quads", "pairs", "classic", "raw",
]  # fmt: skip


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of a checkpoint, without its elements.

    `dtype` (as safetensors names it, "F8_E4M3"), `shape` and `size_bytes` are the original's. `encoding` ("huffman",
    "planes", "quads", "pairs", "classic", "raw") says how `stored_bytes` hold it; None where the elements lie in the
    file as they are.
    """

    name: str
    file: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int
    stored_bytes: int
    encoding: str | None


class Checkpoint(Mapping[str, Any]):
    """The tensors of a safetensors file, or of all files of a folder, by name. Made by `open`.

    `checkpoint[name]` reads a tensor, decoded, into memory of its own; payloads are checked against their hashes. The
    methods of `safetensors.safe_open` are there, too. Several threads may read at once.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        framework: Framework = "pt",
        *,
        device: Any = "cpu",
        threads: int | None = None,
    ) -> None:
        if framework not in ("pt", "np"):
            raise CheckpointError(f"expected framework 'pt' or 'np', got {framework!r}")
        if threads is not None and threads < 1:
            raise CheckpointError(f"expected at least one thread, got {threads}")
        self.path = Path(path)
        self._framework: Framework = framework
        self._device = device
        self._threads = threads if threads is not None else len(os.sched_getaffinity(0))
        library, handle = capi.library(), ctypes.c_void_p()
        capi.check(library.ecf8_checkpoint_open(os.fsencode(self.path), ctypes.byref(handle)))
        self._handle = handle
        self._free = weakref.finalize(self, library.ecf8_checkpoint_free, handle)
        self._tensors = {info.name: (index, info) for index, info in enumerate(self._infos())}

    def close(self) -> None:
        """Closes the files; later reads raise `CheckpointError`."""
        self._free()

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # Mapping

    def __getitem__(self, name: str) -> Any:
        index, info = self._find(name)
        tensor, address = allocate(self._framework, info.dtype, info.shape)
        capi.check(capi.library().ecf8_checkpoint_read(self._open(), index, address, info.size_bytes, self._threads))
        return self._place(tensor)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    # What safe_open has

    def get_tensor(self, name: str) -> Any:
        """The same as `checkpoint[name]`."""
        return self[name]

    def get_tensors(self) -> dict[str, Any]:
        """All tensors by name."""
        return {name: self[name] for name in self}

    def get_slice(self, name: str) -> Slice:
        """A tensor of which an index reads a part: of the first dimension only what is asked for."""
        self._find(name)
        return Slice(self, name)

    def offset_keys(self) -> list[str]:
        """The names, by file and in the order of the data in the original."""
        return list(self._tensors)

    def metadata(self) -> dict[str, str] | None:
        """`__metadata__` of the original; of a folder, of all its files together. None where there is none."""
        library, result = capi.library(), {}
        for index in range(library.ecf8_checkpoint_metadata_count(self._open())):
            file, key, value = ctypes.c_char_p(), ctypes.c_char_p(), ctypes.c_char_p()
            places = (ctypes.byref(place) for place in (file, key, value))
            capi.check(library.ecf8_checkpoint_metadata(self._open(), index, *places))
            result[text(key.value)] = text(value.value)
        return result or None

    # More

    def info(self, name: str) -> TensorInfo:
        """Dtype, shape, sizes and encoding of a tensor."""
        return self._find(name)[1]

    # An object like an open file: a comparison of the tensors would read them all.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<ecf8 checkpoint '{self.path}': {len(self)} tensors>"

    def _open(self) -> ctypes.c_void_p:
        if not self._free.alive:
            raise CheckpointError(f"expected an open checkpoint, '{self.path}' was closed")
        return self._handle

    def _find(self, name: str) -> tuple[int, TensorInfo]:
        try:
            return self._tensors[name]
        except KeyError:
            raise KeyError(f"no tensor '{name}' in '{self.path}'") from None

    def _infos(self) -> Iterator[TensorInfo]:
        library = capi.library()
        for index in range(library.ecf8_checkpoint_tensor_count(self._handle)):
            tensor = capi.TensorStruct()
            capi.check(library.ecf8_checkpoint_tensor(self._handle, index, ctypes.byref(tensor)))
            yield TensorInfo(
                name=text(tensor.name),
                file=text(tensor.file),
                dtype=text(tensor.dtype),
                shape=tuple(tensor.shape[i] for i in range(tensor.rank)),
                size_bytes=tensor.size_bytes,
                stored_bytes=tensor.stored_bytes,
                encoding=None if tensor.encoding is None else text(tensor.encoding),
            )

    def _place(self, tensor: Any) -> Any:
        return tensor if self._framework == "np" or self._device in (None, "cpu") else tensor.to(self._device)

    def _read_rows(self, name: str, begin: int, end: int) -> Any:
        """Indices [begin, end) of the first dimension."""
        index, info = self._find(name)
        row_bytes = info.size_bytes // info.shape[0] if info.shape[0] else 0
        tensor, address = allocate(self._framework, info.dtype, (end - begin, *info.shape[1:]))
        size = (end - begin) * row_bytes
        capi.check(capi.library().ecf8_checkpoint_read_part(self._open(), index, begin * row_bytes, address, size))
        return self._place(tensor)


class Slice:
    """A tensor that is not read yet. `slice[i:j, ...]` reads the rows i to j and indexes them as the array would be.

    A part of a payload is not checked against the hash, which is one for all.
    """

    def __init__(self, checkpoint: Checkpoint, name: str) -> None:
        self._checkpoint, self._name = checkpoint, name

    def get_shape(self) -> list[int]:
        return list(size_in_elements(self._checkpoint.info(self._name)))

    def get_dtype(self) -> str:
        return self._checkpoint.info(self._name).dtype

    def __getitem__(self, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        shape = self._checkpoint.info(self._name).shape
        first, rest = (parts[0], parts[1:]) if parts else (Ellipsis, ())
        if shape and isinstance(first, slice) and first.step in (None, 1):
            begin, end, _ = first.indices(shape[0])
            return self._checkpoint._read_rows(self._name, begin, max(begin, end))[(slice(None), *rest)]
        if shape and isinstance(first, int) and not isinstance(first, bool) and -shape[0] <= first < shape[0]:
            row = first % shape[0]
            return self._checkpoint._read_rows(self._name, row, row + 1)[(0, *rest)]
        return self._checkpoint[self._name][index]


def open(
    path: str | os.PathLike[str], framework: Framework = "pt", *, device: Any = "cpu", threads: int | None = None
) -> Checkpoint:
    """Opens a safetensors file, or a folder with all safetensors files below it, plain or compressed.

    Headers, and the index of a folder, are checked at once; tensors are read, and decoded by up to `threads` threads
    (None: one per CPU), when they are asked for. `framework` "pt" gives torch tensors, on `device`, "np" numpy arrays,
    with the dtypes of ml_dtypes for FP8 and bfloat16. Raises `CheckpointError`.
    """
    return Checkpoint(path, framework, device=device, threads=threads)


def is_compressed(path: str | os.PathLike[str]) -> bool:
    """Whether the safetensors file at `path` says that it is compressed. False for what is no such file."""
    import json

    try:
        with builtins.open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size)) if size <= 100_000_000 else {}
        return "ecf8.version" in header["__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def save(
    tensors: Mapping[str, Array],
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, str] | None = None,
    preset: Preset = "storage",
    overwrite: bool = False,
    threads: int | None = None,
) -> None:
    """Writes torch tensors or numpy arrays to one compressed safetensors file.

    FP8 tensors become payloads, all others are stored as they are. `ecf8-pack decompress` gives what
    `safetensors.torch.save_file` (or `safetensors.numpy.save_file`) would have written. Nothing partial is left at
    `path` on an error. Needs room for the plain file beside it, for a while. Raises `CheckpointError`; a checkpoint
    without FP8 tensors is an error, too, since nothing could be compressed.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise CheckpointError(f"expected no file at '{target}': pass overwrite=True to replace it")
    from ._tensors import is_torch

    are_torch = {is_torch(tensor) for tensor in tensors.values()}
    if len(are_torch) > 1:
        raise CheckpointError("expected torch tensors or numpy arrays, got both")
    save_file = importlib.import_module("safetensors.torch" if True in are_torch else "safetensors.numpy").save_file
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
            plain = Path(folder) / target.name
            save_file(dict(tensors), plain, metadata=None if metadata is None else dict(metadata))
            nothing = ctypes.c_int32()
            count = threads if threads is not None else len(os.sched_getaffinity(0))
            status = capi.library().ecf8_checkpoint_compress(
                os.fsencode(plain), os.fsencode(target), preset.encode(), count, int(overwrite), ctypes.byref(nothing)
            )
            capi.check(status)
            if nothing.value:
                raise CheckpointError("expected at least one FP8 tensor (F8_E4M3 or F8_E5M2) to compress, got none")
    except OSError as error:
        raise CheckpointError(f"could not write '{target}': {error}") from error
    except Error:
        raise
    except Exception as error:  # what safetensors refuses
        message = " ".join(str(error).split())
        raise CheckpointError(f"could not write '{target}': {message}") from error
