import os
import stat
from pathlib import Path

import pytest

from genzo import Image, ImageFailed, ImageWithheld, Picture, Result
from genzo.errors import GenzoError

PNG = Picture(b"data", "image/png", 8, 8)


def image(index: int) -> Image:
    return Image(job_id="j", sequence=1, image_index=index, seed=1, picture=PNG)


def test_saves_with_the_right_suffix(tmp_path: Path) -> None:
    assert PNG.save(tmp_path / "fox") == tmp_path / "fox.png"
    assert PNG.save(str(tmp_path / "Fox.PNG")).read_bytes() == b"data"
    with pytest.raises(ValueError, match=r"fox\.jpg does not end"):
        PNG.save(tmp_path / "fox.jpg")
    assert sorted(os.listdir(tmp_path)) == ["Fox.PNG", "fox.png"]


def test_a_saved_file_is_as_readable_as_any(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    saved = PNG.save(tmp_path / "fox.png")
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE(
        (tmp_path / "plain").stat().st_mode
    )


def test_a_file_that_cannot_be_written_leaves_none(tmp_path: Path) -> None:
    (tmp_path / "fox.png").mkdir()
    with pytest.raises(OSError, match="fox"):
        PNG.save(tmp_path / "fox.png")
    assert os.listdir(tmp_path) == ["fox.png"]


def test_numbers_several_images(tmp_path: Path) -> None:
    one = Result(images=(image(0),), failed=(), ended=None)
    assert one.save(tmp_path / "a.png") == [tmp_path / "a.png"]
    lost = ImageFailed(
        job_id="j", sequence=2, image_index=0, error=GenzoError("lost")
    )
    rest = Result(images=(image(1), image(2)), failed=(lost,), ended=None)
    assert rest.save(tmp_path / "b") == [
        tmp_path / "b-1.png",
        tmp_path / "b-2.png",
    ]
    kept = ImageWithheld(
        job_id="j", sequence=2, image_index=0, seed=1, safety="nsfw"
    )
    other = Result(images=(image(1),), failed=(), ended=None, withheld=(kept,))
    assert other.save(tmp_path / "c.png") == [tmp_path / "c-1.png"]


def test_a_notebook_shows_it() -> None:
    assert PNG._repr_mimebundle_()["image/png"] == b"data"
    assert image(0)._repr_mimebundle_()["image/png"] == b"data"
    both = Result(images=(image(0), image(1)), failed=(), ended=None)
    assert both._repr_html_().count('src="data:image/png;base64,ZGF0YQ=="') == 2


def test_says_what_it_is_without_its_bytes() -> None:
    assert repr(PNG) == "Picture(8x8 image/png, 4 bytes)"
    assert "picture=Picture(8x8" in repr(image(0))
    assert Picture(b"data", "image/png", 8, 8) == PNG
