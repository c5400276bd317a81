"""One sample's events in a report, bounded in size, and what its page says of them."""

from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stochi.data import Images, Streams
from stochi.deploy import Program, lower
from stochi.export import to_nir
from stochi.parity.event_sample import MOST_EVENTS, MOST_FRAMES, EventSample, keep_events
from stochi.parity.results import Flips
from tests.parity.small_reports import accuracy_row, event_sample, frames_of, plain_report
from tests.parity.test_streams import Net


@pytest.fixture(scope="module")
def program() -> Program:
    torch.manual_seed(0)
    return lower(to_nir(Net(), (torch.rand(6, 2, 2, 4, 4) < 0.3).float()), events=True)


def streams(steps: int, *shape: int, share: float = 0.2) -> Streams:
    """Events of three samples."""
    drawn = torch.rand(steps, 3, *shape, generator=torch.Generator().manual_seed(1)) < share
    return Streams(drawn.float(), torch.zeros(3, dtype=torch.int64))


def bits(frames: tuple[str, ...], shape: tuple[int, ...]) -> np.ndarray:
    packed = np.stack([np.frombuffer(b64decode(one), np.uint8) for one in frames])
    places = int(np.prod(shape))
    return np.unpackbits(packed, axis=1)[:, :places].reshape(-1, *shape).astype(bool)


def drawn(sample: EventSample, folder: Path) -> str:
    plain_report(events=sample).to_html(folder / "r.html")
    return (folder / "r.html").read_text(encoding="utf-8")


def test_the_first_sample_is_kept_as_it_is(program: Program) -> None:
    data = streams(6, 2, 5, 7)
    found = keep_events(program, data)
    assert found is not None and found.attack is found.attacked is None
    assert (found.number, found.shape, found.time_steps) == (0, (2, 5, 7), 6)
    assert np.array_equal(bits(found.clean.frames, found.shape), data.inputs[:, 0].numpy() > 0)
    assert (found.clean.events, found.clean.left_out) == (int(data.inputs[:, 0].sum()), 0)


def test_an_attacked_sample_is_one_that_flips_on_the_chip(program: Program) -> None:
    clean = streams(6, 2, 5, 7)
    attacked = clean.with_inputs(1 - clean.inputs)
    row = replace(accuracy_row("flips"), made_on="chip")
    for flips, number in (
        (Flips((1,), (2,), (0,)), 0),
        (Flips((1,), (2,), ()), 2),
        (Flips((1,), (), ()), 1),
        (Flips((), (), ()), 0),
    ):
        found = keep_events(program, clean, attacked, replace(row, flips=flips))
        assert found is not None and found.attacked is not None
        assert (found.number, found.attack, found.made_on) == (number, "flips", "chip")
        shown = bits(found.attacked.frames, found.shape)
        assert np.array_equal(shown, attacked.inputs[:, number].numpy() > 0)


def test_only_streams_of_events_are_kept(program: Program) -> None:
    data = streams(6, 2, 5, 7)
    assert keep_events(program, Images(data.inputs[0], data.labels)) is None
    torch.manual_seed(0)
    graded = lower(to_nir(Net(), (torch.rand(6, 2, 2, 4, 4) < 0.3).float()))
    assert not graded.target.events and keep_events(graded, data) is None


def test_many_time_steps_are_joined(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = streams(2 * MOST_FRAMES + 1, 1, 3, 3, share=0.1)
    found = keep_events(program, data)
    assert found is not None and found.steps_of_frame == 3
    frames = bits(found.clean.frames, found.shape)
    events = data.inputs[:, 0].numpy() > 0
    assert len(frames) == 43 and np.array_equal(frames[1], events[3:6].any(0))
    assert found.clean.events == events.sum() > frames.sum() and found.clean.left_out == 0
    page = drawn(found, tmp_path)
    assert "3 time steps are joined into each frame." in page and "time steps 3 to 5" in page
    monkeypatch.setattr("stochi.parity.event_sample.MOST_BITS", 100)
    wide = keep_events(program, streams(24, 2, 3, 3))
    assert wide is not None and wide.steps_of_frame == 5 and len(wide.clean.frames) == 5


def test_too_many_events_are_thinned_out_alike_on_both_sides(
    program: Program, tmp_path: Path
) -> None:
    clean = streams(10, 2, 60, 60, share=0.5)
    changed = clean.inputs.clone()
    changed[0, 0, 0, :4, :4] = 1 - changed[0, 0, 0, :4, :4]
    row = replace(accuracy_row("flips"), flips=Flips((), (), ()))
    found = keep_events(program, clean, clean.with_inputs(changed), row)
    assert found is not None and found.attacked is not None
    before, after = (bits(one.frames, found.shape) for one in (found.clean, found.attacked))
    assert before.sum() + found.clean.left_out == found.clean.events
    assert MOST_EVENTS / 2 < (before & after).sum() <= MOST_EVENTS < found.clean.events
    assert (before ^ after).sum() == 16 and (before ^ after)[0, 0, :4, :4].all()
    assert "It is thinned out: " in drawn(found, tmp_path)


@pytest.mark.parametrize("shape", [(700,), (3, 4, 4), (2, 400, 400)])
def test_what_is_no_picture_or_too_large_is_told(
    program: Program, shape: tuple[int, ...], tmp_path: Path
) -> None:
    found = keep_events(program, streams(2, *shape))
    assert found is not None and found.clean.frames == () and found.clean.events > 0
    page = drawn(found, tmp_path)
    assert f"{found.clean.events:,} events. The sample is not shown: " in page
    assert "<style>@keyframes" not in page


def test_the_page_marks_changes_and_escapes_names(tmp_path: Path) -> None:
    page = drawn(event_sample(), tmp_path)
    assert "flips, 3 &lt;events&gt;, made on the chip" in page
    assert "under attack 2 are added and 1 removed" in page
    assert page.count('class="frame change added"') == page.count("frame change removed") == 1
    assert page.count('class="frame when"') == 4 and "@keyframes frames-4" in page
    assert drawn(event_sample(1 + 1, (1, 4, 4)), tmp_path).count("frame falling") == 0


def test_a_single_frame_does_not_move(tmp_path: Path) -> None:
    events = frames_of(np.eye(5, dtype=bool)[None, None])
    page = drawn(EventSample(0, (1, 5, 5), 1, 1, events), tmp_path)
    assert "@keyframes" not in page and 'class="all"' in page and page.count("M") > 0
