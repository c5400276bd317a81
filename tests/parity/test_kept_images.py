"""A check that was interrupted goes on with the images that it had attacked."""

from pathlib import Path

import pytest
import torch

from stochi.attacks import PGD, UniformNoise
from stochi.data import Images
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.parity import ParityReport, check_parity
from stochi.parity.kept_images import UnkeptImages
from tests.conftest import conv_net

ATTACKS = [UniformNoise(0.1), PGD(0.1, iterations=2, draws=2), PGD(0.2, iterations=2, draws=1)]


class Interrupt(Exception):
    pass


def check(folder: Path | None, stop_at: int | None = None, seed: int = 0) -> ParityReport:
    """Check a small network; stop at the attack with this number."""
    torch.manual_seed(seed)
    net, images = conv_net(), torch.rand(10, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    program = lower(to_nir(net, images[:2]))
    seen: list[str] = []

    def progress(line: str) -> None:
        seen.append(line)
        if stop_at is not None and sum("PGD" in one for one in seen) > stop_at:
            raise Interrupt

    return check_parity(
        *(net, program, Images(images, torch.arange(10) % 5)),
        attacks=ATTACKS,
        trials=2,
        exact_images=2,
        lava=False,
        batch_size=4,
        keep=folder,
        progress=progress,
    )


def test_it_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, folder = check(None), tmp_path / "kept"
    with pytest.raises(Interrupt):
        check(folder, stop_at=2)
    kept = {path: path.read_bytes() for path in folder.iterdir()}
    assert len(kept) == 1 + 2 * 3  # the noise whole, and PGD in three batches on two surfaces
    with pytest.raises(Interrupt):
        check(folder, stop_at=3)
    assert all(path.read_bytes() == content for path, content in kept.items())
    made: list[float] = []
    run = PGD.run
    monkeypatch.setattr(
        PGD, "run", lambda self, *args: made.append(self.epsilon) or run(self, *args)
    )
    assert check(folder) == whole
    assert made == [0.2] * 3  # on the twin; the others were kept
    assert not folder.exists()


@pytest.mark.slow
def test_other_networks_take_nothing_over(tmp_path: Path) -> None:
    with pytest.raises(Interrupt):
        check(tmp_path, stop_at=2)
    assert check(tmp_path, seed=7) == check(None, seed=7)


@pytest.mark.slow
def test_damaged_files_are_made_again(tmp_path: Path) -> None:
    with pytest.raises(Interrupt):
        check(tmp_path, stop_at=2)
    first, second, *_ = sorted(tmp_path.iterdir())
    first.write_bytes(first.read_bytes()[:-200])
    second.write_bytes(b"nothing")
    with pytest.warns(UnkeptImages, match="is damaged .*; the images are attacked again"):
        assert check(tmp_path) == check(None)


@pytest.mark.slow
def test_a_place_that_takes_nothing_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.warns(UnkeptImages, match="not kept"):
        assert check(tmp_path / "file" / "kept") == check(None)
