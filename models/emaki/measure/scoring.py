"""The box's own CLIP as a judge."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import CLIPModel

from tokens import Tokens

_TOKENS = 32


class Judge:
    def __init__(self, folder: Path, device: torch.device) -> None:
        self._model = CLIPModel.from_pretrained(folder, dtype=torch.float32)
        self._model.to(device).eval()
        self._device, self._tokens = device, Tokens()

    @torch.no_grad()
    def pictures(self, images: np.ndarray) -> torch.Tensor:
        """Unit features [N, D] of uint8 pictures [N, 128, 128, 3]."""
        features = []
        for start in range(0, len(images), 64):
            x = torch.from_numpy(images[start:start + 64]).permute(0, 3, 1, 2)
            x = x.to(self._device).float() / 127.5 - 1
            seen = self._model.vision_model(pixel_values=x).pooler_output
            features.append(self._model.visual_projection(seen))
        return F.normalize(torch.cat(features), dim=-1).cpu()

    @torch.no_grad()
    def prompts(self, texts: tuple[str, ...]) -> torch.Tensor:
        """Unit features [N, D]."""
        ids = self._tokens(list(texts), _TOKENS).to(self._device)
        read = self._model.text_model(input_ids=ids).pooler_output
        return F.normalize(self._model.text_projection(read), dim=-1).cpu()

    def recognised(self, images: np.ndarray, texts: tuple[str, ...]
                   ) -> list[bool]:
        """Whether each picture is closest to its own prompt."""
        similarity = self.pictures(images) @ self.prompts(texts).T
        best = similarity.argmax(1).tolist()
        return [texts[b] == texts[i] for i, b in enumerate(best)]


def frechet(a: torch.Tensor, b: torch.Tensor) -> float:
    """Frechet distance of Gaussians fitted to two sets of features."""
    a, b = a.double(), b.double()
    covariance_a, covariance_b = torch.cov(a.T), torch.cov(b.T)
    # trace sqrt(A B) from the eigenvalues of the product, which are >= 0
    eigenvalues = torch.linalg.eigvals(covariance_a @ covariance_b).real
    root = eigenvalues.clamp(min=0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    trace = covariance_a.trace() + covariance_b.trace()
    return float(gap + trace - 2 * root)
