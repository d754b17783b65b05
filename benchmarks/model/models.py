"""The three models that are measured: shapes of known ones, few layers, random weights in FP8."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before transformers is imported: nothing is looked up

from collections.abc import Callable

import torch
import transformers
from torch import Tensor, nn

VOCABULARY = 1000  # small: embeddings and heads are not what is measured


def bert() -> nn.Module:
    """The encoder of all-MiniLM-L6-v2, all six layers."""
    config = transformers.BertConfig(
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        vocab_size=VOCABULARY,
    )
    return transformers.BertModel(config, add_pooling_layer=False)


def llama() -> nn.Module:
    """Two layers of Llama-3.1-8B."""
    config = transformers.LlamaConfig(
        hidden_size=4096,
        num_hidden_layers=2,
        num_attention_heads=32,
        num_key_value_heads=8,
        intermediate_size=14336,
        vocab_size=VOCABULARY,
        rms_norm_eps=1e-5,
        max_position_embeddings=8192,
        use_cache=False,
    )
    return transformers.LlamaModel(config)


def qwen3() -> nn.Module:
    """Two layers of Qwen3-8B."""
    config = transformers.Qwen3Config(
        hidden_size=4096,
        num_hidden_layers=2,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
        intermediate_size=12288,
        vocab_size=VOCABULARY,
        use_cache=False,
    )
    return transformers.Qwen3Model(config)


MODELS: dict[str, Callable[[], nn.Module]] = {"bert": bert, "llama": llama, "qwen3": qwen3}
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


class LastHiddenState(nn.Module):
    """Token numbers [1, tokens] to the last hidden state."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        return self.model(input_ids=tokens).last_hidden_state


def make(name: str, dtype: str) -> nn.Module:
    """A model of `MODELS`, its weights the same each time."""
    torch.manual_seed(0)
    return LastHiddenState(MODELS[name]().eval().to(TYPES[dtype]))
