"""Ways to watch a job: a progress bar, and a notebook cell that develops."""

from __future__ import annotations

import html
import warnings
from dataclasses import dataclass
from typing import Any, Protocol

from tqdm import TqdmWarning

from genzo.events import (
    AnyEvent,
    Ended,
    Image,
    ImageFailed,
    ImageWithheld,
    Preview,
    Progress,
    Queued,
    Started,
)
from genzo.pictures import Picture


class View(Protocol):
    """Is shown a job's events, one after the other."""

    def take(self, event: AnyEvent) -> None:
        """Shows `event`."""

    def close(self) -> None:
        """No event follows."""


class ProgressBar:
    """Moves of all images of a job, on standard error or in a notebook."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            # A notebook without ipywidgets has the bar in text.
            warnings.simplefilter("ignore", TqdmWarning)
            from tqdm.auto import tqdm
        self._bar: Any = tqdm(total=None, unit="step", leave=False)
        self._steps: dict[int, int] = {}
        self._images = 1

    def take(self, event: AnyEvent) -> None:
        match event:
            case Queued():
                self._bar.set_description(f"behind {event.position}")
            case Started():
                self._images = event.resolved.image_count
                self._bar.set_description("developing")
            case Progress():
                self._steps[event.image_index] = event.step
                self._bar.total = event.steps * self._images
                self._bar.n = sum(self._steps.values())
                self._bar.refresh()

    def close(self) -> None:
        self._bar.close()


@dataclass
class _Frame:
    picture: Picture | None = None
    caption: str = ""


class NotebookView:
    """The images of a job side by side in one cell, each refined in place.

    RuntimeError without IPython.
    """

    def __init__(self) -> None:
        try:
            from IPython.display import HTML, display
        except ImportError:
            raise RuntimeError(
                "show() needs IPython: pip install 'genzo[notebook]'"
            ) from None
        self._html: Any = HTML
        self._handle: Any = display(
            HTML("<p>Waiting for the server</p>"), display_id=True
        )
        self._frames: list[_Frame] = []
        self._size = (0, 0)

    def take(self, event: AnyEvent) -> None:
        match event:
            case Queued():
                self._update(f"<p>Waiting behind {event.position} jobs</p>")
                return
            case Started():
                self._size = (event.resolved.width, event.resolved.height)
                self._frames = [
                    _Frame() for _ in range(event.resolved.image_count)
                ]
            case Progress():
                left = (
                    f", {event.time_left.total_seconds():.0f} s left"
                    if event.time_left is not None
                    else ""
                )
                frame = self._frame(event.image_index)
                frame.caption = f"Step {event.step} of {event.steps}{left}"
                return  # the next preview shows it
            case Preview():
                self._frame(event.image_index).picture = event.picture
            case Image():
                frame = self._frame(event.image_index)
                frame.picture = event.picture
                frame.caption = f"Seed {event.seed}"
            case ImageWithheld():
                frame = self._frame(event.image_index)
                frame.caption = f"Withheld: {event.safety}"
            case ImageFailed():
                frame = self._frame(event.image_index)
                frame.caption = str(event.error)
            case Ended():
                if event.error is not None:
                    self._update(f"<p>{html.escape(str(event.error))}</p>")
                return
        self._update("".join(map(self._figure, self._frames)))

    def close(self) -> None:
        pass

    def _frame(self, index: int) -> _Frame:
        while len(self._frames) <= index:
            self._frames.append(_Frame())
        return self._frames[index]

    def _figure(self, frame: _Frame) -> str:
        width, height = self._size
        style = (
            f"width:{width}px;max-width:100%;aspect-ratio:{width}/{height};"
            "background:#8882"
        )
        picture = f'<div style="{style}"></div>'
        if frame.picture is not None:
            picture = f'<img style="{style}" src="{frame.picture.data_url()}">'
        return (
            '<figure style="display:inline-block;margin:4px">'
            f"{picture}<figcaption>{html.escape(frame.caption)}</figcaption>"
            "</figure>"
        )

    def _update(self, text: str) -> None:
        if self._handle is not None:
            self._handle.update(self._html(text))


def views_of(progress: bool, show: bool) -> list[View]:
    """The views that a caller asked for."""
    found: list[View] = []
    if show:
        found.append(NotebookView())
    if progress:
        found.append(ProgressBar())
    return found
