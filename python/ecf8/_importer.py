"""Exported programs to one MLIR module of linalg on tensors, weights as arguments marked `ecf8.weight`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch_mlir import ir
from torch_mlir.dialects import torch as torch_dialect
from torch_mlir.extras.fx_importer import ContextCache, FxImporter
from torch_mlir.passmanager import PassManager

from ._capture import Captured, node_name
from ._guards import add_shape_checks
from .errors import ModelImportError

WEIGHT_ATTRIBUTE = "ecf8.weight"
# `_views` spells dynamic views with these two; taken apart, they would be views again.
KEPT_OPS = "aten.flatten.using_ints,aten.unflatten.int"
PIPELINES = (
    "builtin.module(func.func(torch-match-quantized-custom-ops),"
    f"torchdynamo-export-to-torch-backend-pipeline{{backend-legal-ops={KEPT_OPS} extra-library=}})",
    "builtin.module(torch-backend-to-linalg-on-tensors-backend-pipeline{allow-non-finites=true})",
)
# Dialects that no stock MLIR tool can read: an op of theirs is one that torch-mlir could not lower.
FOREIGN_DIALECTS = {"torch", "torch_c", "tm_tensor"}


def import_programs(programs: Sequence[Captured]) -> str:
    """The text of one MLIR module with a public function for each program. Raises `ModelImportError`."""
    context = ir.Context()
    torch_dialect.register_dialect(context)
    importer = FxImporter(context=context)
    importer._cc = _NamedLocations(context)
    for program in programs:
        _import(importer, program)
    module = importer.module
    module.operation.attributes["torch.debug_module_name"] = ir.StringAttr.get(programs[0].module_name, context)
    for pipeline in PIPELINES:
        _run(module, pipeline, programs)
    _refuse_foreign_ops(module, programs)
    functions = {
        ir.StringAttr(op.attributes["sym_name"]).value: op
        for op in module.body.operations
        if op.operation.name == "func.func"
    }
    for program in programs:
        _mark_weights(functions[program.name], program, context)
        add_shape_checks(functions[program.name], program)
    del module.operation.attributes["torch.debug_module_name"]
    return str(module.operation.get_asm(enable_debug_info=True))


class _NamedLocations(ContextCache):  # type: ignore[misc]
    """Locations that carry the submodule and operator, so that every later diagnostic can name them."""

    def get_node_location(self, node: Any) -> Any:
        frames = re.findall(r'File "([^"]+)", line ([0-9]+),', node.meta.get("stack_trace") or "")
        if not frames:
            return None
        file, line = frames[-1]
        source = ir.Location.file(file, int(line), 0, context=self._c)
        return ir.Location.name(_location_name(node), source, context=self._c)


def _location_name(node: Any) -> str:
    path, op = node_name(node)
    return f"{path or '<root>'}: {op}"


def _import(importer: FxImporter, program: Captured) -> None:
    try:
        importer.import_graph_module(program.program.graph_module, func_name=program.name, func_visibility=None)
    except Exception as error:  # the importer raises NotImplementedError, KeyError, RuntimeError, AssertionError ...
        node = _first_unsupported(program)
        reproducer = _write_reproducer("graph.txt", program.program.graph_module.print_readable(print_output=False))
        raise _error(program.module_name, program.name, node, str(error).strip(), reproducer) from error
    function = importer.symbol_table[program.name]
    function.attributes["torch.assume_strict_symbolic_shapes"] = ir.UnitAttr.get(importer.module.context)


def _first_unsupported(program: Captured) -> str:
    """The name of the first node whose operator the torch dialect does not have, for an error message."""
    for node in program.program.graph.nodes:
        if node.op == "call_function" and not str(node.target).startswith(("aten.", "prims.", "<built-in")):
            return _location_name(node)
    return ""


def _run(module: Any, pipeline: str, programs: Sequence[Captured]) -> None:
    before = module.operation.get_asm(enable_debug_info=True, large_elements_limit=10)
    with module.context as context:
        context.emit_error_diagnostics = False
        try:
            PassManager.parse(pipeline).run(module.operation)
            return
        except ir.MLIRError as error:
            diagnostics = [(item.message, str(item.location)) for item in error.error_diagnostics]
    reproducer = _write_reproducer("model.mlir", f"// torch-mlir-opt -pass-pipeline='{pipeline}' %s\n{before}")
    # The last error is the most specific one that still names an op; the ones before may be about op variants.
    message, location = next(
        ((message, location) for message, location in diagnostics if "legalize" in message),
        diagnostics[0] if diagnostics else ("unknown failure", ""),
    )
    entry = ", ".join(program.name for program in programs)
    raise _error(programs[0].module_name, entry, location, message, reproducer)


def _refuse_foreign_ops(module: Any, programs: Sequence[Captured]) -> None:
    found: list[Any] = []

    def visit(op: Any) -> Any:
        if op.name.split(".")[0] in FOREIGN_DIALECTS and not op.name.endswith(".yield"):
            found.append(op)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    if found:
        reproducer = _write_reproducer(
            "model.mlir", module.operation.get_asm(enable_debug_info=True, large_elements_limit=10)
        )
        message = f"torch-mlir lowers it to '{found[0].name}', which upstream MLIR does not have"
        entry = ", ".join(program.name for program in programs)
        raise _error(programs[0].module_name, entry, str(found[0].location), message, reproducer)


def _mark_weights(function: Any, program: Captured, context: Any) -> None:
    names = program.weight_names
    arguments = len(function.regions[0].blocks[0].arguments)
    if arguments != len(names):
        raise ModelImportError(f"expected {len(names)} arguments in '{program.name}', got {arguments} from torch-mlir")
    with context:
        function.attributes["arg_attrs"] = ir.ArrayAttr.get(
            [ir.DictAttr.get({WEIGHT_ATTRIBUTE: ir.StringAttr.get(name)} if name is not None else {}) for name in names]
        )


def _write_reproducer(name: str, content: str) -> Path:
    path = Path(tempfile.mkdtemp(prefix="ecf8-import-")) / name
    path.write_text(content)
    return path


def _error(module_name: str, entry: str, location: str, reason: str, reproducer: Path) -> ModelImportError:
    """`location` holds, somewhere, the "submodule: operator" that `_NamedLocations` put there."""
    named = re.search(r'"?([\w.<>]+): ((?:aten|prims|[\w]+)[.\w]*)"?', location)
    place = re.search(r'"([^"]+)":([0-9]+)', location)
    path, op = (named.group(1).replace("<root>", ""), named.group(2)) if named else ("", None)
    what = f"op '{op}' of submodule '{path}' ({module_name})" if op and path else f"op '{op}' of {module_name}"
    where = f", at {place.group(1)}:{place.group(2)}" if place else ""
    return ModelImportError(
        f"could not import {what if op else module_name} for entry point '{entry}'{where}: "
        f"{reason} (reproducer: {reproducer})",
        module=path,
        op=op,
        reproducer=reproducer,
    )
