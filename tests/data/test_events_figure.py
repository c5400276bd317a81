"""Events as pictures and as animations."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stochi.data import Streams, draw_events
from stochi.errors import InputError

WHITE, RED, BLUE, BLACK = (255, 255, 255), (255, 0, 0), (0, 0, 255), (0, 0, 0)


def frames(samples: int = 2) -> torch.Tensor:
    """Three steps of a 4×5 sensor: a rising, a falling and a double event."""
    events = torch.zeros(3, samples, 2, 4, 5)
    events[0, :, 1, 0, 0] = 1
    events[1, :, 0, 1, 2] = 1
    events[2, :, :, 3, 4] = 1
    return events


def test_an_animation_shows_every_step_in_its_colours(tmp_path: Path) -> None:
    path = tmp_path / "made" / "events.gif"
    draw_events(Streams(frames(), torch.zeros(2)), path, step_ms=80)
    with Image.open(path) as animation:
        assert animation.n_frames == 3 and animation.info["loop"] == 0
        assert animation.info["duration"] == 80
        larger = animation.height // 4
        assert animation.size == ((5 + 2 + 5) * larger, 4 * larger) and larger == 32
        for step, (row, column, colour) in enumerate([(0, 0, RED), (1, 2, BLUE), (3, 4, BLACK)]):
            animation.seek(step)
            pixels = np.array(animation.convert("RGB"))[16::32, 16::32]
            for left in (0, 7):
                sample = pixels[:, left : left + 5]
                assert tuple(sample[row, column]) == colour
                others = np.ones((4, 5), bool)
                others[row, column] = False
                assert (sample[others] == WHITE).all()
    assert [file.name for file in path.parent.iterdir()] == ["events.gif"]


@pytest.mark.parametrize(
    "events", [frames(), frames()[:, 0], frames()[:, 0, 1:], frames()[:, 0].numpy() > 0]
)
def test_a_picture_has_a_panel_for_every_step(
    tmp_path: Path, events: torch.Tensor | np.ndarray
) -> None:
    draw_events(events, tmp_path / "events.PNG")
    with Image.open(tmp_path / "events.PNG") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
        assert picture.width > picture.height and RED in colours


def test_values_below_one_are_paler(tmp_path: Path) -> None:
    draw_events(frames() * 0.2, tmp_path / "pale.gif")
    with Image.open(tmp_path / "pale.gif") as animation:
        assert animation.convert("RGB").getpixel((1, 1)) == (255, 204, 204)


@pytest.mark.parametrize(
    ("events", "name", "message"),
    [
        (frames(), "events.jpg", "PNG file or a GIF file"),
        (frames(), "events", "PNG file or a GIF file"),
        (frames()[0, 0], "events.png", r"shape \(2, 4, 5\)"),
        (frames().repeat(1, 1, 2, 1, 1), "events.png", r"\(3, 2, 4, 4, 5\)"),
        (frames()[:0], "events.gif", "shape"),
        (frames() * 2, "events.gif", "range from 0 to 2"),
        (frames() * float("nan"), "events.gif", "range from nan"),
        (frames(400), "events.png", r"1,200 panels; .* streams.first\(333\)"),
    ],
)
def test_what_cannot_be_drawn(
    tmp_path: Path, events: torch.Tensor, name: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        draw_events(events, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_step_that_is_too_short(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="step_ms is 5"):
        draw_events(frames(), tmp_path / "events.gif", step_ms=5)


def test_recordings_are_loaded_before_they_are_drawn(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"events have type object; .*events.first\(4\).load\(\)"):
        draw_events(object(), tmp_path / "events.png")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
