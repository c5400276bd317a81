"""Commands that are killed at random moments leave nothing, and their results stay right."""

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.kills.campaign import COMMANDS, SIGNALS, is_whole_training, kill_often
from tests.kills.scene import Scene

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.mark.parametrize("how", SIGNALS)
def test_a_killed_training_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    scene = Scene(COMMANDS["train"], tmp_path / "scene", usual=frozenset({"torchinductor_root"}))
    assert scene.kill(how, after=0.5) == []
    assert scene.results() == {}


@pytest.mark.slow
def test_a_killed_training_leaves_itself_and_goes_on(tmp_path: Path) -> None:
    words = ["train", "--epochs", "40", "--patience", "40", "--time-steps", "2", "--out", "m.pt"]
    scene = Scene(words, tmp_path / "scene", usual=frozenset({"torchinductor_root"}))
    process = scene.start()
    kept = scene.work / "m.pt.unfinished"
    while not kept.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    found = [name for name in scene.results() if ".stochi-" not in name]
    assert found == ["m.pt.unfinished"] and is_whole_training(kept)
    kept.write_bytes(kept.read_bytes()[:-1])
    with pytest.raises(Exception):  # noqa: B017, torch raises many kinds
        is_whole_training(kept)
    assert not is_whole_training(scene.folder / "stderr")


def test_the_scene_sees_what_is_left(tmp_path: Path) -> None:
    """The checks can fail: a child, shared memory, a temporary file and a traceback are found."""
    scene = Scene([], tmp_path / "scene")
    (scene.temporary / "x").touch()
    (scene.memory / "psm_x").touch()
    (scene.folder / "stderr").write_text("Traceback")
    (scene.work / ".stochi-0123456789abcdef.part").touch()
    found = "; ".join(scene._problems(0, signal.SIGTERM, 1))
    for what in ("temporary: x", "shared memory: psm_x", "status 1", "Traceback", "unfinished"):
        assert what in found


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_many_kills_leave_nothing_and_change_no_byte(tmp_path: Path, name: str) -> None:
    assert kill_often(name, tmp_path, kills=6, seed=time.time_ns()) == []
