"""What Ctrl-C, SIGTERM and a closed terminal do to a command."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from stochi.commands.compared import compare_sides
from stochi.commands.console import Output
from stochi.commands.ending import run_to_its_end
from stochi.commands.stopping import Stopped, Stopping, advised
from stochi.errors import InputError

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BEGIN = (
    "import os, sys, time; from contextlib import suppress\n"
    "import signal\n"
    "for number in (signal.SIGHUP, signal.SIGTERM):  # which nohup and the like may ignore\n"
    "    signal.signal(number, signal.SIG_DFL)\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from stochi.commands.ending import run_to_its_end\n"
    "from stochi.commands.stopping import *\n"
    "from stochi.temporary import temporary_folder\n"
    "stopping = Stopping()\n"
    "def work():\n"
    "    stopping.begin()\n"
    "    with temporary_folder() as folder:\n"
    "        print(folder, flush=True)\n"
    "        {}\n"
    "stopping.end(run_to_its_end(work, stopping))"
)
IGNORE = "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
WORK = {
    "in Python": "time.sleep(60)",
    "advised": "\n        with advised('go on'): time.sleep(60)",
    "swallowed": "\n        with suppress(BaseException): time.sleep(60)\n        time.sleep(60)",
    "turned": "\n        try: time.sleep(60)\n        except BaseException: raise ValueError",
    "in C": "import ctypes; ctypes.CDLL(None).sleep(60)",
    "importing": (
        "\n        (folder / 'ends.py').write_text('import time\\ntry: time.sleep(60)\\n'"
        "\n            'except BaseException: import os; os.abort()')"
        "\n        sys.path.insert(0, str(folder)); import ends"
    ),
    "cleaning": "\n        try: time.sleep(60)\n        finally: time.sleep(60)",
}


def test_advice_is_given_for_stops_and_not_for_errors() -> None:
    for raised, number in ((KeyboardInterrupt(), 2), (Stopped(15), 15)):
        with pytest.raises(Stopped) as stop, advised("go on"):
            raise raised
        assert (stop.value.number, stop.value.advice) == (number, "go on")
    with pytest.raises(ValueError), advised("go on"):
        raise ValueError


@pytest.mark.parametrize(
    ("keep", "advice"),
    [
        (Path("r.json.unfinished"), "goes on with what r.json.unfinished holds"),
        (None, "nothing is kept if the report goes into a pipe"),
    ],
)
def test_a_stopped_check_says_what_is_kept(
    keep: Path | None, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stochi.parity.check_parity", stop)
    compared = SimpleNamespace(sides=(), lowered_from=None)
    with pytest.raises(Stopped) as stopped:
        compare_sides(Output(False), compared, [], [], {"keep": keep})  # type: ignore[arg-type]
    assert advice in stopped.value.advice and "None" not in stopped.value.advice


def test_no_library_takes_a_stop_for_something_else() -> None:
    assert not issubclass(Stopped, Exception | KeyboardInterrupt | SystemExit)


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (Stopped(15), 143, "stopped"),
        (Stopped(2, "go on"), 130, "go on"),
        (KeyboardInterrupt(), 130, "stopped"),
        (InputError("wrong\nvalue"), 2, "stochi: wrong value"),
        (OSError(24, "Too many open files"), 2, "stochi: file: Too many open files; raise"),
        (BrokenPipeError(32, "Broken pipe"), 2, "stochi: stdout: Broken pipe; nothing reads"),
    ],
)
def test_a_command_ends_with_one_line(
    capsys: pytest.CaptureFixture[str], raised: BaseException, status: int, line: str
) -> None:
    def fail() -> None:
        raise raised

    assert run_to_its_end(fail, Stopping()) == status
    printed = capsys.readouterr().err
    assert printed.startswith(line) and printed.count("\n") == 1


@pytest.mark.parametrize("how", STOPS)
@pytest.mark.parametrize("work", WORK)
def test_a_stop_ends_a_command_wherever_it_is(
    tmp_path: Path, work: str, how: signal.Signals
) -> None:
    if how != signal.SIGTERM and work not in ("in Python", "in C"):
        pytest.skip("like SIGTERM")
    command = subprocess.Popen(
        [sys.executable, "-c", BEGIN.format(WORK[work])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert command.stdout is not None and command.stdout.readline().startswith(str(tmp_path))
    time.sleep(0.05)
    begun = time.monotonic()
    command.send_signal(how)
    printed = command.communicate(timeout=10)[1]
    assert time.monotonic() - begun < 2
    assert (command.returncode, printed) == (
        128 + how,
        "go on\n" if work == "advised" else "stopped\n",
    )
    assert os.listdir(tmp_path) == []


def test_an_ignored_signal_stays_ignored() -> None:
    begin = BEGIN.replace("stopping = Stopping()\n", f"{IGNORE}stopping = Stopping()\n")
    code = begin.format("os.kill(os.getpid(), signal.SIGHUP)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_the_end_of_a_forked_child_is_not_its_parent_s() -> None:
    fork = (
        "\n        if (child := os.fork()) == 0: time.sleep(60); os._exit(1)"
        "\n        os.kill(child, signal.SIGTERM)"
        "\n        assert os.waitpid(child, 0)[1] == signal.SIGTERM"
        "\n        time.sleep(GRACE + 0.3)"
    )
    code = BEGIN.format(fork)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("module", "ended"),
    [
        ("stochi.commands.ending", (-signal.SIGINT, "")),
        ("stochi.temporary", (-signal.SIGINT, "")),
        ("stochi.commands.app", (128 + signal.SIGINT, "stopped\n")),
    ],
)
def test_a_stop_while_modules_are_imported_gives_no_traceback(
    module: str, ended: tuple[int, str]
) -> None:
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from stochi.__main__ import main\n"
        "class Stop:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Stop())\n"
        "sys.argv = ['stochi', '--version']\n"
        "main()"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stderr) == ended


def test_a_ctrl_c_that_is_ignored_stays_ignored() -> None:
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from stochi.__main__ import main\n"
        "sys.argv = ['stochi', '--version']\n"
        "try:\n    main()\n"
        "except SystemExit:\n    os.kill(os.getpid(), signal.SIGINT)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stderr) == (0, "")
