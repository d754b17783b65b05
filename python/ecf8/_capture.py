"""torch.export of a module's entry points, with every parameter, buffer and constant as a named weight."""

from __future__ import annotations

import tempfile
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export.graph_signature import InputKind, OutputKind

from ._decompositions import decomposition_table
from ._views import rewrite_dynamic_views
from .errors import ModelImportError

_UNSUPPORTED_DTYPES = (
    torch.uint8,
    torch.uint16,
    torch.uint32,
    torch.uint64,
    torch.complex32,
    torch.complex64,
    torch.complex128,
)


@dataclass(frozen=True)
class EntryPoint:
    """One function of the compiled model: a method of `module`, traced with `example_args`.

    `example_args` are CPU tensors, possibly in tuples, lists and dicts; `dynamic_shapes` is torch.export's.
    `module` defaults to the module given to `ecf8.compile`.
    """

    example_args: Sequence[Any]
    method: str = "forward"
    module: nn.Module | None = None
    dynamic_shapes: Any = None


class WeightTable:
    """The weights of all entry points by name; the same memory has one name, however many places use it."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[tuple[Any, ...], str] = {}

    def add(self, preferred: str, qualifier: str, tensor: Tensor) -> str:
        """The name of `tensor`: the one it has, else `preferred`, else `qualifier.preferred` if that is taken."""
        # Empty tensors have no address to tell them apart.
        address: int | str = tensor.data_ptr() if tensor.numel() else preferred
        identity = (address, tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if identity not in self._names:
            name = preferred if preferred not in self.tensors else f"{qualifier}.{preferred}"
            if name in self.tensors:
                raise ModelImportError(
                    f"expected one weight of the name '{name}' in entry point '{qualifier}', got two"
                )
            self._names[identity] = name
            self.tensors[name] = tensor
        return self._names[identity]


@dataclass
class Captured:
    """An exported entry point, ready to be imported: a graph whose placeholders are all tensors."""

    name: str
    module_name: str
    program: torch.export.ExportedProgram
    # One item for each placeholder of the graph, in order: the weight's name, or None for an input of the caller.
    weight_names: list[str | None] = field(default_factory=list)


def capture(name: str, entry: EntryPoint, weights: WeightTable) -> Captured:
    """Exports and decomposes `entry`, entering its weights into `weights`. Raises `ModelImportError`."""
    module = entry.module
    assert module is not None
    module_name = type(module).__name__
    _check_tensors(name, entry, module)
    try:
        with _evaluating(module), _as_forward(module, entry.method), torch.no_grad(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            program = torch.export.export(
                module, tuple(entry.example_args), dynamic_shapes=entry.dynamic_shapes, strict=False
            )
            program = program.run_decompositions(decomposition_table())
    except Exception as error:  # torch.export raises many unrelated types
        raise _export_error(name, module, error) from error
    captured = Captured(name, module_name, program)
    _drop_metadata_checks(program.graph)
    _refuse_random_numbers(captured)
    _refuse_unsigned_interface(captured)
    rewrite_dynamic_views(program.graph, name)
    _bind_weights(captured, module, weights)
    return captured


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Puts all submodules in eval mode and, at the end, each back where it was."""
    training = [submodule for submodule in module.modules() if submodule.training]
    try:
        for submodule in training:
            submodule.training = False
        yield
    finally:
        for submodule in training:
            submodule.training = True


@contextmanager
def _as_forward(module: nn.Module, method: str) -> Iterator[None]:
    """Makes `method` the module's `forward` for a while: torch.export knows no other; a wrapper would change names."""
    if method == "forward":
        yield
        return
    hidden = module.__dict__.get("forward")
    module.forward = getattr(module, method)
    try:
        yield
    finally:
        del module.forward
        if hidden is not None:
            module.forward = hidden


def _check_tensors(name: str, entry: EntryPoint, module: nn.Module) -> None:
    if not callable(getattr(module, entry.method, None)):
        raise ModelImportError(
            f"expected a method '{entry.method}' in {type(module).__name__} for entry point '{name}'"
        )
    if not isinstance(entry.example_args, Sequence) or isinstance(entry.example_args, str):
        got = type(entry.example_args).__name__
        raise ModelImportError(f"expected a tuple of example arguments for entry point '{name}', got {got}")
    for index, value in enumerate(torch.utils._pytree.tree_leaves(tuple(entry.example_args))):
        if not isinstance(value, Tensor):
            raise ModelImportError(
                f"expected a tensor as example argument {index} of entry point '{name}', got {type(value).__name__}"
            )
        if value.numel() == 0:  # torch-mlir's passes divide by such sizes, which ends the process
            raise ModelImportError(
                f"expected sizes of 1 at least in example argument {index} of entry point '{name}', "
                f"got {list(value.shape)}; a dynamic dimension takes size 0 at run time"
            )
        _check_device(f"example argument {index}", value)
    for kind, named in (("parameter", module.named_parameters()), ("buffer", module.named_buffers())):
        for tensor_name, tensor in named:
            _check_device(f"{kind} '{tensor_name}'", tensor)
            if tensor.numel() == 0:  # for the same reason
                raise ModelImportError(
                    f"expected sizes of 1 at least in {kind} '{tensor_name}', got {list(tensor.shape)}"
                )


def _check_device(what: str, tensor: Tensor) -> None:
    if tensor.device.type != "cpu":
        raise ModelImportError(f"expected {what} on the CPU, got device '{tensor.device}'")


def _export_error(name: str, module: nn.Module, error: Exception) -> ModelImportError:
    folder = Path(tempfile.mkdtemp(prefix="ecf8-export-"))
    reproducer = folder / "export-error.txt"
    reproducer.write_text(f"{module!r}\n\n{''.join(traceback.format_exception(error))}")
    # The first line says what failed, the second, often, why.
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = " ".join(lines[:2]) or type(error).__name__
    return ModelImportError(
        f"torch.export could not export entry point '{name}' of {type(module).__name__}: {reason} "
        f"(module and traceback: {reproducer})",
        reproducer=reproducer,
    )


def _drop_metadata_checks(graph: fx.Graph) -> None:
    # Asserts of static dtypes and devices would keep weights alive that nothing computes with.
    for node in list(graph.nodes):
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            graph.erase_node(node)
    graph.eliminate_dead_code()


def _refuse_random_numbers(captured: Captured) -> None:
    for node in captured.program.graph.nodes:
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            path, op = node_name(node)
            raise ModelImportError(
                f"could not import op '{op}' of submodule '{path}' ({captured.module_name}) for entry point "
                f"'{captured.name}': compiled models have no random numbers",
                module=path,
                op=op,
            )


def _refuse_unsigned_interface(captured: Captured) -> None:
    # MLIR's integers carry no sign: a function on ui8 and one on i8 look the same to a caller.
    program = captured.program
    nodes = {node.name: node for node in program.graph.nodes}
    for kind, names in (
        ("input", program.graph_signature.user_inputs),
        ("output", program.graph_signature.user_outputs),
    ):
        for index, name in enumerate(names):
            value = nodes[name].meta.get("val") if isinstance(name, str) else name
            if not isinstance(value, Tensor):
                raise ModelImportError(
                    f"expected a tensor as {kind} {index} of entry point '{captured.name}', got {type(value).__name__}"
                )
            if value.dtype in _UNSUPPORTED_DTYPES:
                raise ModelImportError(
                    f"expected {kind} {index} of entry point '{captured.name}' to be floating, signed or bool, "
                    f"got {value.dtype}"
                )


def node_name(node: fx.Node) -> tuple[str, str]:
    """The submodule that a node comes from ("" for the whole module) and its operator."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return stack[-1][0] if stack else "", str(node.target).removesuffix(".default")


def _bind_weights(captured: Captured, module: nn.Module, weights: WeightTable) -> None:
    """Names the graph's weights, merges tied ones, and removes those that nothing reads."""
    program, graph = captured.program, captured.program.graph
    for spec in program.graph_signature.output_specs:
        if spec.kind is not OutputKind.USER_OUTPUT:
            raise ModelImportError(
                f"expected entry point '{captured.name}' of {captured.module_name} to leave its state alone, "
                f"got a write to '{spec.target or getattr(spec.arg, 'name', '?')}'",
            )
    # Registered tensors are entered first, under their first name, so that tied weights have stable names.
    registered = dict([*module.named_parameters(), *module.named_buffers()])
    names_of = {tensor.data_ptr(): name for name, tensor in reversed(registered.items()) if tensor.numel()}
    specs = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    first_use: dict[str, fx.Node] = {}
    for node in [node for node in graph.nodes if node.op == "placeholder"]:
        spec = specs[node.name]
        if spec.kind is InputKind.USER_INPUT:
            captured.weight_names.append(None)
            continue
        if not node.users:
            graph.erase_node(node)
            continue
        tensor = _value(program, str(spec.target))
        preferred = str(spec.target)
        canonical = names_of.get(tensor.data_ptr(), preferred)
        if canonical in registered and registered[canonical].shape == tensor.shape:
            preferred = canonical
        name = weights.add(preferred, captured.name, tensor)
        if name in first_use:
            node.replace_all_uses_with(first_use[name])
            graph.erase_node(node)
        else:
            first_use[name] = node
            captured.weight_names.append(name)


def _value(program: torch.export.ExportedProgram, target: str) -> Tensor:
    # Parameters and persistent buffers are in the state, other buffers and lifted constants beside it.
    sources: tuple[Mapping[str, Any], ...] = (program.state_dict, program.constants)
    for source in sources:
        if target in source:
            value = source[target]
            assert isinstance(value, Tensor)
            return value.detach()
    raise ModelImportError(f"expected a value for the weight '{target}', got none from torch.export")
