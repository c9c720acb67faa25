"""The orthogonalised update of Muon (Jordan et al., 2024)."""

import torch

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(update: torch.Tensor, iterations: int = 5) -> torch.Tensor:
    """Nearest semi-orthogonal matrix, roughly, scaled to AdamW's update size.

    Newton-Schulz iterations in bf16 push every singular value towards one. The
    factor 0.2 sqrt(max(rows, columns)) gives entries the root mean square of an
    AdamW update, so both optimisers share a scale of learning rates.
    """
    rows, columns = update.shape
    x = update.T if rows > columns else update
    x = x.bfloat16()
    x = x / (x.norm() + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    x = x.T if rows > columns else x
    return x.float() * (0.2 * max(rows, columns) ** 0.5)
