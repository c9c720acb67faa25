"""Prompts as token ids, exactly as CLIPTokenizer would give them."""

from pathlib import Path

import torch
from transformers import CLIPTokenizer

from architectures import MAX_TOKENS

TOKENIZER = Path(__file__).parent.parent / "tokenizer"


class Tokens:
    def __init__(self, folder: Path = TOKENIZER) -> None:
        self._tokenizer = CLIPTokenizer.from_pretrained(folder)

    def __call__(self, texts: list[str], length: int = MAX_TOKENS
                 ) -> torch.Tensor:
        """int64 [B, length], padded with the end token."""
        return self._tokenizer(
            texts, padding="max_length", max_length=length, truncation=True,
            return_tensors="pt").input_ids
