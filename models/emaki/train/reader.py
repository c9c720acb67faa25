"""Linear questions to a hidden state: what does this caption or picture hold?"""

import torch
import torch.nn.functional as F
from torch import nn

from scenes import Caption, Scene
from scenes.vocabulary import (COLORS, PLACES, POSITIONS, SIZES, STYLES,
                               THINGS, TIMES)

_FIELDS = {
    "place": (None, *PLACES), "time": (None, *TIMES), "color": (None, *COLORS),
    "style": (None, *STYLES), "size": (None, *SIZES),
    "position": (None, *POSITIONS), "count": (0, 1, 2, 3),
}
_OF_BACKGROUND = ("place", "time", "color")
_IGNORED = -100


class Reader(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fields = nn.ModuleDict(
            {k: nn.Linear(width, len(v)) for k, v in _FIELDS.items()})
        self.things = nn.Linear(width, len(THINGS))
        self.first = nn.Linear(width, len(THINGS))

    def loss(self, state: torch.Tensor, labels: dict[str, torch.Tensor]
             ) -> tuple[torch.Tensor, float]:
        """The loss, and the share of rows whose set of things is right."""
        total = state.new_zeros(())
        for name, layer in self.fields.items():
            total = total + 0.25 * F.cross_entropy(
                layer(state), labels[name], ignore_index=_IGNORED)
        named = self.things(state)
        total = total + F.binary_cross_entropy_with_logits(
            named, labels["things"], reduction="sum") / len(state)
        total = total + F.cross_entropy(self.first(state), labels["first"],
                                        ignore_index=_IGNORED)
        right = ((named > 0) == (labels["things"] > 0)).all(-1)
        return total, right.float().mean().item()


def labels_of(scenes: list[Scene], captions: list[Caption] | None
              ) -> dict[str, torch.Tensor]:
    """Answers. Captions that leave out the background are not asked about it;
    without captions (pictures) everything is asked."""
    hidden = [captions is not None and not captions[i].names_background
              for i in range(len(scenes))]
    labels = {}
    for name, values in _FIELDS.items():
        labels[name] = torch.tensor([
            _IGNORED if hide and name in _OF_BACKGROUND
            else values.index(getattr(scene, name))
            for scene, hide in zip(scenes, hidden)])
    things = torch.zeros(len(scenes), len(THINGS))
    for row, scene in enumerate(scenes):
        things[row, list(scene.things)] = 1
    labels["things"] = things
    labels["first"] = torch.tensor(
        [scene.things[0] if scene.things else _IGNORED for scene in scenes])
    return labels
