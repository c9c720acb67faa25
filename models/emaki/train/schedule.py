"""The learning rate of the single-process stages."""


def rate(step: int, steps: int) -> float:
    """Share of the full rate: 50 steps of warm-up, then a line down to 2 %."""
    return min(1, (step + 1) / 50) * max(0.02, 1 - step / steps)
