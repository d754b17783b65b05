"""A small checkpoint of each convention of FP8 weights: by the library that writes it, or of the modules that read it.

Layers have shapes of published models.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from checkpoints import Tensors, gaussian, scaled, write_shards
from safetensors.torch import save_file
from torch import Tensor, nn


def _named(prefix: str, module: nn.Module, **tensors: Tensor) -> Tensors:
    """Tensors under the names of a module of transformers, which has to expect them in these shapes."""
    expected = {name: tensor.shape for name, tensor in module.state_dict().items()}
    assert {name: tensor.shape for name, tensor in tensors.items()} == expected
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _language_config(**quantization: Any) -> dict[str, Any]:
    from transformers import LlamaConfig

    config = LlamaConfig(hidden_size=4096, intermediate_size=12288, num_hidden_layers=1, num_attention_heads=32)
    return {**config.to_dict(), "architectures": ["LlamaForCausalLM"], "quantization_config": quantization}


def _language_model() -> Any:
    """A layer of Qwen3-0.6B with few words."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        hidden_size=1024, intermediate_size=3072, num_hidden_layers=1, num_attention_heads=16, num_key_value_heads=8,
        head_dim=128, vocab_size=128, tie_word_embeddings=False, architectures=["Qwen3ForCausalLM"],
    )  # fmt: skip
    return Qwen3ForCausalLM(config).to(torch.bfloat16)


def _blocks(prefix: str, rows: int, columns: int, scale_dtype: torch.dtype) -> Tensors:
    """A layer with a scale for each block of 128 x 128, ragged at the edges."""
    from transformers.integrations.finegrained_fp8 import FP8Linear

    weight, scales = scaled(rows, columns, (128, 128))
    module = FP8Linear(columns, rows, (128, 128))
    return _named(prefix, module, weight=weight, weight_scale_inv=scales.to(scale_dtype))


def deepseek(folder: Path) -> None:
    """DeepSeek-V3: scales in F32."""
    from transformers import FineGrainedFP8Config

    quantization = FineGrainedFP8Config(weight_block_size=(128, 128)).to_dict()
    attention = "model.layers.0.self_attn.kv_a_proj_with_mqa"
    first = {
        **_blocks(attention, 576, 7168, torch.float32),
        "model.layers.0.input_layernorm.weight": torch.ones(7168, dtype=torch.bfloat16),
    }
    assert first[attention + ".weight_scale_inv"].shape == (5, 56)
    second = {
        **_blocks("model.layers.3.mlp.experts.0.gate_proj", 256, 2048, torch.float32),
        "model.layers.3.mlp.gate.e_score_correction_bias": torch.randn(256),
    }
    write_shards(folder, [first, second], _language_config(**quantization, fmt="e4m3"))


def qwen3(folder: Path) -> None:
    """Qwen3: the same names, scales in BF16, modules left out by name."""
    from transformers import FineGrainedFP8Config

    quantization = FineGrainedFP8Config(weight_block_size=(128, 128), modules_to_not_convert=["lm_head"]).to_dict()
    tensors = {
        **_blocks("model.layers.0.self_attn.k_proj", 1024, 4096, torch.bfloat16),
        "model.embed_tokens.weight": torch.randn(100, 4096).to(torch.bfloat16),
        "lm_head.weight": torch.randn(100, 4096).to(torch.bfloat16),
    }
    write_shards(folder, [tensors], _language_config(**quantization))


def _compressed_tensors(folder: Path, scheme: str, block: tuple[int, int] | None) -> None:
    """What llm-compressor does, but for a minimum and maximum of each group of weights in place of its observers."""
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config, preset_name_to_scheme
    from compressed_tensors.quantization.utils import calculate_qparams

    model = _language_model()
    groups = {"group_0": preset_name_to_scheme(scheme, ["Linear"])}
    apply_quantization_config(model, QuantizationConfig(config_groups=groups, ignore=["lm_head"]))
    for module in model.modules():
        if not hasattr(module, "quantization_scheme"):
            continue
        rows, columns = module.weight.shape
        block_rows, block_columns = block or (1, columns)
        groups_of_weights = module.weight.detach().view(rows // block_rows, block_rows, -1, block_columns)
        least, greatest = groups_of_weights.amin((1, 3)), groups_of_weights.amax((1, 3))
        scales, _ = calculate_qparams(least, greatest, module.quantization_scheme.weights)
        module.weight_scale.data.copy_(scales)
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    model.save_pretrained(folder)
    compressor.update_config(str(folder))


def compressed_tensors_rows(folder: Path) -> None:
    """compressed-tensors, FP8_DYNAMIC: one scale per row."""
    _compressed_tensors(folder, "FP8_DYNAMIC", None)


def compressed_tensors_blocks(folder: Path) -> None:
    """compressed-tensors, FP8_BLOCK: one scale per block of 128 x 128, named unlike those of DeepSeek."""
    _compressed_tensors(folder, "FP8_BLOCK", (128, 128))


def modelopt(folder: Path) -> None:
    """ModelOpt: scalar scales of weights and activations, a config of its own, and a cache in FP8."""
    with warnings.catch_warnings(action="ignore"):  # about the version of transformers, and copies
        from modelopt.torch import quantization
        from modelopt.torch.export import export_hf_checkpoint
        from modelopt.torch.quantization.utils import update_quant_cfg_with_kv_cache_quant

        model = _language_model()
        config = update_quant_cfg_with_kv_cache_quant(
            quantization.FP8_DEFAULT_CFG, quantization.FP8_KV_CFG["quant_cfg"]
        )
        quantization.quantize(model, config, lambda model: model(torch.arange(16)[None]))
        export_hf_checkpoint(model, export_dir=folder)


def fbgemm(folder: Path) -> None:
    """FBGEMM: one scale per row in F32, and a bound for activations, which transformers 4 stored."""
    from transformers import FbgemmFp8Config
    from transformers.integrations.fbgemm_fp8 import FbgemmFp8Linear

    weight, scales = scaled(1024, 4096)
    name = "model.layers.0.mlp.gate_proj"
    module = FbgemmFp8Linear(4096, 1024, bias=False)
    assert module.input_scale_ub.shape == (1,)
    tensors = {
        **_named(name, module, weight=weight, weight_scale=scales),
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
    "compressed-tensors, rows": compressed_tensors_rows,
    "compressed-tensors, blocks": compressed_tensors_blocks,
    "modelopt": modelopt,
    "fbgemm": fbgemm,
    "comfyui-old": comfy_old,
    "comfyui-new": comfy_new,
    "unscaled": unscaled,
}
