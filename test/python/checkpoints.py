"""What the tests of ecf8-pack share: running it, checksums of folders, and a small checkpoint per convention."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
PACK = Path(os.environ.get("ECF8_BUILD", ROOT / "build")) / "bin" / "ecf8-pack"

Tensors = dict[str, Tensor]


def run_pack(*arguments: object, status: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs ecf8-pack and checks its exit status."""
    command = [str(PACK), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300, **options)
    assert result.returncode == status, f"{command}: {result.returncode}\n{result.stdout}{result.stderr}"
    return result


def report_of(*arguments: object) -> dict[str, Any]:
    report = json.loads(run_pack(*arguments, "--json").stdout)
    assert isinstance(report, dict)
    return report


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below `folder`, by its relative name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def gaussian(*shape: int, dtype: torch.dtype = torch.float8_e4m3fn, scale: float = 0.02) -> Tensor:
    """A plain cast of normal weights."""
    return (torch.randn(shape) * scale).to(dtype)


def scaled(rows: int, columns: int, block: tuple[int, int] | None = None) -> tuple[Tensor, Tensor]:
    """FP8 weights and their scales: per block of `block`, ragged at the edges, or else per row."""
    weight = torch.randn(rows, columns) * 0.02
    block_rows, block_columns = block or (1, columns)
    count = (-(-rows // block_rows), -(-columns // block_columns))
    scales = torch.empty(count)
    quantized = torch.empty(rows, columns, dtype=torch.float8_e4m3fn)
    for i in range(count[0]):
        for j in range(count[1]):
            part = (
                slice(i * block_rows, (i + 1) * block_rows),
                slice(j * block_columns, (j + 1) * block_columns),
            )
            scales[i, j] = weight[part].abs().max() / 448
            quantized[part] = (weight[part] / scales[i, j]).to(torch.float8_e4m3fn)
    return quantized, scales


def write_shards(folder: Path, shards: list[Tensors], config: dict[str, Any]) -> None:
    """Shards with an index and a config, as the Hub has them."""
    folder.mkdir(parents=True)
    weight_map = {}
    for number, tensors in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        save_file(tensors, folder / name, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(tensors, name)
    size = sum(tensor.nbytes for tensors in shards for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def _language_config(**quantization: Any) -> dict[str, Any]:
    from transformers import LlamaConfig

    config = LlamaConfig(hidden_size=4096, intermediate_size=12288, num_hidden_layers=1, num_attention_heads=32)
    return {**config.to_dict(), "architectures": ["LlamaForCausalLM"], "quantization_config": quantization}


def deepseek(folder: Path) -> None:
    """DeepSeek-V3: blocks of 128 x 128, ragged: 576 x 7168 has 5 x 56 scales in F32."""
    from transformers import FineGrainedFP8Config

    quantization = FineGrainedFP8Config(weight_block_size=(128, 128)).to_dict()
    weight, scales = scaled(576, 7168, (128, 128))
    assert scales.shape == (5, 56)
    attention = "model.layers.0.self_attn."
    first = {
        attention + "kv_a_proj_with_mqa.weight": weight,
        attention + "kv_a_proj_with_mqa.weight_scale_inv": scales,
        "model.layers.0.input_layernorm.weight": torch.ones(7168, dtype=torch.bfloat16),
    }
    weight, scales = scaled(256, 2048, (128, 128))
    second = {
        "model.layers.3.mlp.experts.0.gate_proj.weight": weight,
        "model.layers.3.mlp.experts.0.gate_proj.weight_scale_inv": scales,
        "model.layers.3.mlp.gate.e_score_correction_bias": torch.randn(256),
    }
    write_shards(folder, [first, second], _language_config(**quantization, fmt="e4m3"))


def qwen3(folder: Path) -> None:
    """Qwen3: the same names, scales in BF16, modules left out by name."""
    from transformers import FineGrainedFP8Config

    quantization = FineGrainedFP8Config(weight_block_size=(128, 128), modules_to_not_convert=["lm_head"]).to_dict()
    weight, scales = scaled(1024, 4096, (128, 128))
    tensors = {
        "model.layers.0.self_attn.k_proj.weight": weight,
        "model.layers.0.self_attn.k_proj.weight_scale_inv": scales.to(torch.bfloat16),
        "model.embed_tokens.weight": torch.randn(100, 4096).to(torch.bfloat16),
        "lm_head.weight": torch.randn(100, 4096).to(torch.bfloat16),
    }
    write_shards(folder, [tensors], _language_config(**quantization))


def compressed_tensors(folder: Path) -> None:
    """compressed-tensors, FP8_DYNAMIC: one scale per row."""
    weight, scales = scaled(1024, 4096)
    group = {
        "targets": ["Linear"],
        "weights": {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True, "dynamic": False},
        "input_activations": {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True},
    }
    quantization = {"quant_method": "compressed-tensors", "format": "float-quantized", "ignore": ["lm_head"]}
    tensors = {
        "model.layers.0.mlp.up_proj.weight": weight,
        "model.layers.0.mlp.up_proj.weight_scale": scales.to(torch.bfloat16),
    }
    write_shards(folder, [tensors], _language_config(**quantization, config_groups={"group_0": group}))


def modelopt(folder: Path) -> None:
    """ModelOpt: scalar scales, scales of the cache, a config of its own."""
    weight, _ = scaled(1024, 4096)
    name = "model.layers.0.self_attn.k_proj"
    tensors = {
        name + ".weight": weight,
        name + ".weight_scale": torch.tensor(0.01),
        name + ".input_scale": torch.tensor(0.02),
        name + ".k_scale": torch.tensor([1.0]),
    }
    write_shards(folder, [tensors], _language_config())
    quantization = {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8", "exclude_modules": ["lm_head"]}
    text = json.dumps({"producer": {"name": "modelopt"}, "quantization": quantization})
    (folder / "hf_quant_config.json").write_text(text)


def fbgemm(folder: Path) -> None:
    """FBGEMM: one scale per row in F32 and a bound for activations."""
    from transformers import FbgemmFp8Config

    weight, scales = scaled(1024, 4096)
    name = "model.layers.0.mlp.gate_proj"
    tensors = {
        name + ".weight": weight,
        name + ".weight_scale": scales,
        name + ".input_scale_ub": torch.tensor([1200.0]),
    }
    write_shards(folder, [tensors], _language_config(**FbgemmFp8Config(activation_scale_ub=1200.0).to_dict()))


def comfy_old(folder: Path) -> None:
    """ComfyUI's first spelling: a marker tensor of dtype FP8, `scale_weight` beside each weight."""
    folder.mkdir(parents=True)
    weight, _ = scaled(3072, 3072)
    tensors = {
        "scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn),
        "double_blocks.0.img_attn.proj.weight": weight,
        "double_blocks.0.img_attn.proj.scale_weight": torch.tensor(0.01),
        "double_blocks.0.img_attn.proj.bias": torch.randn(3072).to(torch.bfloat16),
    }
    save_file(tensors, folder / "flux_fp8_scaled.safetensors")


def comfy_new(folder: Path) -> None:
    """ComfyUI's second: JSON in a U8 tensor per layer and in the metadata."""
    folder.mkdir(parents=True)
    layer = {"format": "float8_e5m2"}
    name = "blocks.0.ffn.0"
    tensors = {
        name + ".weight": gaussian(1024, 5120, dtype=torch.float8_e5m2, scale=1.0),
        name + ".weight_scale": torch.tensor(0.01),
        name + ".comfy_quant": torch.tensor(list(json.dumps(layer).encode()), dtype=torch.uint8),
    }
    metadata = {"_quantization_metadata": json.dumps({"format_version": "1.0", "layers": {name: layer}})}
    save_file(tensors, folder / "wan_fp8.safetensors", metadata=metadata)


def unscaled(folder: Path) -> None:
    """A plain cast: everything is FP8, biases, norms and a scalar too; no metadata."""
    folder.mkdir(parents=True)
    prefix = "model.diffusion_model."
    tensors = {
        prefix + "img_in.weight": gaussian(3072, 64, scale=0.3),
        prefix + "img_in.bias": gaussian(3072),
        prefix + "double_blocks.0.img_mod.lin.weight": gaussian(1024, 3072),
        prefix + "double_blocks.0.img_attn.norm.query_norm.scale": torch.ones(128).to(torch.float8_e4m3fn),
        prefix + "guidance": torch.tensor(1.0).to(torch.float8_e4m3fn),
    }
    save_file(tensors, folder / "flux1-dev-fp8.safetensors")


CONVENTIONS: dict[str, Callable[[Path], None]] = {
    "deepseek": deepseek,
    "qwen3": qwen3,
    "compressed-tensors": compressed_tensors,
    "modelopt": modelopt,
    "fbgemm": fbgemm,
    "comfyui-old": comfy_old,
    "comfyui-new": comfy_new,
    "unscaled": unscaled,
}
