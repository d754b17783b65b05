"""From a module to MLIR text and a weights file: names, sharing, what is refused and how."""

from __future__ import annotations

import re
from pathlib import Path

import ecf8
import pytest
import torch
from conftest import mlp
from safetensors import safe_open
from torch import Tensor, nn


def exported(module: nn.Module, *args: object, folder: Path, **options: object) -> tuple[str, dict[str, Tensor]]:
    program, weights = ecf8.export_mlir(module, args or None, folder, **options)
    with safe_open(weights, "pt") as file:
        return program.read_text(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def weight_names(text: str) -> list[str]:
    return re.findall(r'ecf8\.weight = "([^"]*)"', text)


def test_weights_are_arguments_by_name(tmp_path):
    model = ecf8.quantize.quantize_linears(mlp(16, 32, 8))
    text, weights = exported(model, torch.randn(2, 16), folder=tmp_path)
    assert weight_names(text) == list(dict(model.named_parameters()))
    assert set(weights) == set(weight_names(text))
    assert "dense_resource" not in text
    assert 'tensor<32x16xf8E4M3FN> {ecf8.weight = "0.weight"}' in text


def test_locations_name_submodule_and_operator(tmp_path):
    text, _ = exported(mlp(4, 4, 4), torch.randn(2, 4), folder=tmp_path)
    assert '"2: aten.mm"' in text


def test_a_batch_does_not_repeat_the_weight(tmp_path):
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.transpose(1, 2))  # not contiguous

    text, _ = exported(Turned(), torch.randn(3, 8, 5), folder=tmp_path)
    assert "linalg.matmul" in text and "batch_matmul" not in text


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_every_byte_survives(tmp_path, dtype):
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.arange(256, dtype=torch.uint8).view(dtype), requires_grad=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.w.to(torch.float32) * x

    _, weights = exported(Holder(), torch.ones(256), folder=tmp_path)
    assert weights["w"].view(torch.uint8).tolist() == list(range(256))


def test_tied_and_shared_weights_are_stored_once(tmp_path):
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(20, 16)
            self.head = nn.Linear(16, 20, bias=False)
            self.head.weight = self.embedding.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.embedding(x))

    text, weights = exported(Tied(), torch.arange(3), folder=tmp_path)
    assert weight_names(text) == ["embedding.weight"]
    assert list(weights) == ["embedding.weight"]


def test_views_of_one_memory_are_stored_each(tmp_path):
    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            memory = torch.randn(8, 8)
            self.top, self.left = nn.Parameter(memory[:4]), nn.Parameter(memory[:, :4])
            self.turned = nn.Parameter(memory.t())

        def forward(self, x: Tensor) -> Tensor:
            return self.top @ self.left + x + self.turned[:4, :4]

    module = Views()
    _, weights = exported(module, torch.randn(4, 4), folder=tmp_path)
    assert all(torch.equal(weights[name], value) for name, value in module.named_parameters())


def test_buffers_and_constants(tmp_path):
    class Buffers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("kept", torch.ones(4))
            self.register_buffer("hidden", torch.full((4,), 2.0), persistent=False)
            self.plain = torch.full((4,), 3.0)
            self.unused = nn.Parameter(torch.zeros(100))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.kept + self.hidden + self.plain + torch.tensor([1.0, 2.0, 3.0, 4.0])

    _, weights = exported(Buffers(), torch.zeros(4), folder=tmp_path)
    assert {"kept", "hidden", "plain"} < set(weights)
    assert len(weights) == 4 and "unused" not in weights


def test_entry_points_share_weights(tmp_path):
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)

        def twice(self, x: Tensor) -> Tensor:
            return self.layer(self.layer(x))

    module = Two()
    points = {
        "once": ecf8.EntryPoint((torch.randn(2, 4),)),
        "twice": ecf8.EntryPoint((torch.randn(3, 4),), method="twice"),
        "other": ecf8.EntryPoint((torch.randn(3, 4),), module=nn.Sequential()),
        "clash": ecf8.EntryPoint((torch.randn(3, 4),), module=Two()),
    }
    text, weights = exported(module, folder=tmp_path, entry_points=points)
    assert re.findall(r"func\.func (?:public )?@(\w+)", text) == list(points)
    assert set(weights) == {"layer.weight", "layer.bias", "clash.layer.weight", "clash.layer.bias"}
    assert "forward" not in module.__dict__


def test_training_mode_is_restored(tmp_path):
    module = nn.Sequential(nn.Linear(4, 4), nn.Dropout()).train()
    module[0].eval()
    text, _ = exported(module, torch.randn(2, 4), folder=tmp_path)
    assert "rng" not in text
    assert module.training and not module[0].training and module[1].training


def test_dynamic_sizes_are_checked_at_run_time(tmp_path):
    class Sum(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x[::2] + y

    half = torch.export.Dim("half", min=2, max=50)
    text, _ = exported(
        Sum(), torch.randn(6, 4), torch.randn(3, 4), folder=tmp_path, dynamic_shapes=({0: 2 * half}, {0: half})
    )
    messages = re.findall(r'cf\.assert %\w+, "([^"]*)"', text)
    assert "expected dimension 0 of input 0 to be 2 * n + 0" in messages
    assert "expected dimension 0 of input 1 to be the size n behind dimension 0 of input 0" in messages
    assert "expected the size n behind dimension 0 of input 0 to be at most 50" in messages


def test_cumsum_stays_upstream(tmp_path):
    class CumSum(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.cumsum(1)

    text, _ = exported(CumSum(), torch.randn(3, 5), folder=tmp_path)
    assert "tm_tensor" not in text


def test_unsupported_op_names_module_op_and_reproducer(tmp_path):
    class Sorter(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sort(x)[0]

    class Inverse(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.linalg.svd(x)[1]

    for module, op in ((Sorter(), "aten.sort"), (Inverse(), "aten._linalg_svd")):
        model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(module))
        with pytest.raises(ecf8.ModelImportError) as raised:
            exported(model, torch.randn(4, 4), folder=tmp_path / "none")
        error = raised.value
        assert (error.module, error.op) == ("1.0", op)
        assert f"op '{op}' of submodule '1.0' (Sequential) for entry point 'main', at " in str(error)
        assert error.reproducer is not None and "func.func" in error.reproducer.read_text()
        assert str(error.reproducer) in str(error)
        assert not (tmp_path / "none" / "model.mlir").exists()


def test_not_exportable_module(tmp_path):
    class Branch(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(
        ecf8.ModelImportError, match=r"torch\.export could not export entry point 'main' of Branch"
    ) as e:
        exported(Branch(), torch.randn(4), folder=tmp_path)
    assert e.value.reproducer is not None and "Traceback" in e.value.reproducer.read_text()


def test_random_numbers(tmp_path):
    class Noise(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.rand_like(x)

    with pytest.raises(ecf8.ModelImportError, match="compiled models have no random numbers") as raised:
        exported(nn.Sequential(Noise()), torch.ones(2), folder=tmp_path)
    assert raised.value.module == "0" and raised.value.op.startswith("aten.rand")


def test_views_of_dynamic_sizes(tmp_path):
    class Views(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            batch, length, width = x.shape
            heads = x.view(batch * length, width).relu().view(batch, length, 4, width // 4)
            return heads.transpose(1, 2)

    b, s = torch.export.Dim("b", min=1, max=9), torch.export.Dim("s", min=2, max=9)
    text, _ = exported(Views(), torch.randn(3, 5, 8), folder=tmp_path, dynamic_shapes=({0: b, 1: s},))
    assert "tensor<?x?x8xf32> into tensor<?x8xf32>" in text
    assert "?x1x8" not in text  # what torch-mlir makes of the view by itself


def test_dynamic_view_that_regroups(tmp_path):
    class Regroup(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.reshape(x.shape[1], x.shape[0])

    b, s = torch.export.Dim("b", min=2, max=9), torch.export.Dim("s", min=2, max=9)
    with pytest.raises(ecf8.ModelImportError, match="expected a view that merges or splits neighbouring dimensions"):
        exported(Regroup(), torch.randn(3, 5), folder=tmp_path, dynamic_shapes=({0: b, 1: s},))


class Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.count.add_(1)
        return x + self.count


@pytest.mark.parametrize(
    ("module", "arguments", "options", "message"),
    [
        (Counter(), (torch.ones(1),), {}, "to leave its state alone, got a write to 'count'"),
        (
            nn.Identity(),
            (torch.ones(2, 0),),
            {},
            r"expected sizes of 1 at least in example argument 0 of entry point 'main', got \[2, 0\]",
        ),
        (nn.Identity(), (3,), {}, "expected a tensor as example argument 0 of entry point 'main', got int"),
        (nn.Identity(), torch.ones(1), {}, "expected a tuple of example arguments for entry point 'main', got Tensor"),
        (
            nn.Linear(2, 2, device="meta"),
            (torch.ones(2),),
            {},
            "expected parameter 'weight' on the CPU, got device 'meta'",
        ),
        (nn.Flatten(0), (torch.ones(2, 2, dtype=torch.uint8),), {}, "input 0 .* signed or bool, got torch.uint8"),
        (nn.Identity(), None, {}, "expected either example_args or entry_points"),
        (nn.Identity(), None, {"entry_points": {}}, "expected at least one entry point, got none"),
        (
            nn.Identity(),
            None,
            {"entry_points": {"a b": ecf8.EntryPoint((torch.ones(1),))}},
            "expected an identifier as the name of an entry point, got 'a b'",
        ),
        (
            nn.Identity(),
            None,
            {"entry_points": {"a": ecf8.EntryPoint((torch.ones(1),), method="none")}},
            "expected a method 'none' in Identity for entry point 'a'",
        ),
    ],
)
def test_bad_arguments(tmp_path, module, arguments, options, message):
    with pytest.raises(ecf8.Error, match=message):
        ecf8.export_mlir(module, arguments, tmp_path, **options)
