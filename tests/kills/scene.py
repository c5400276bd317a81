"""Where a command runs and is killed, and a look at everything that it may leave there."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 2.0
"""Time in which everything must have ended after a kill."""
LONGEST = 600
PRIVATE_MEMORY = 'mount --bind "$1" /dev/shm && shift && exec "$@"'
STATUS = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130}
"""How a command ends that is killed before it has done everything."""
BAD_WORDS = ("Traceback", "Exception ignored", "resource_tracker", "leaked")


def list_session(session: int) -> list[str]:
    """Return the processes of a session that still run."""
    listed = subprocess.run(["ps", "-e", "-o", "sid=,stat=,args="], capture_output=True, text=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return [row[-1] for row in rows if row[0] == str(session) and not row[1].startswith("Z")]


def handles_sigterm(process: int) -> bool:
    """Return whether a process has a handler of SIGTERM, so that it has begun as ``stochi``."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return False
    caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def own_memory() -> list[str]:
    """Return the command that gives the next one a /dev/shm of its own, or [] if none can."""
    word = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    given = [*word, "sh", "-c", PRIVATE_MEMORY, "sh"]
    try:
        tried = subprocess.run([*given, "/tmp", "true"], capture_output=True)
    except OSError:
        return []
    return given if tried.returncode == 0 else []


@dataclass
class Scene:
    """Folders of one command: its results, temporary files and shared memory.

    Attributes:
        words: words of the command line after ``stochi``.
        folder: folder of everything; the command runs in its folder ``work``.
        given: files that the command reads, and that are no results.
        prefix: words before the command, of :func:`own_memory`.
        usual: names that other libraries leave in the folder of temporary files, such as torch's
            cache.
    """

    words: list[str]
    folder: Path
    given: dict[str, bytes] = field(default_factory=dict)
    prefix: list[str] = field(default_factory=own_memory)
    usual: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for place in (self.work, self.temporary, self.memory):
            place.mkdir(parents=True)
        for name, content in self.given.items():
            (self.work / name).write_bytes(content)

    @property
    def work(self) -> Path:
        """Folder that the command runs in."""
        return self.folder / "work"

    @property
    def temporary(self) -> Path:
        """Folder of temporary files."""
        return self.folder / "tmp"

    @property
    def memory(self) -> Path:
        """Folder that the command has in the place of /dev/shm, if the machine allows it."""
        return self.folder / "shm"

    def start(self) -> "subprocess.Popen[str]":
        """Start the command in a session of its own."""
        prefix = [*self.prefix, str(self.memory)] if self.prefix else []
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        return subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.kills.start", *self.words],
            cwd=self.work,
            env={
                **os.environ,
                **{"TMPDIR": str(self.temporary), "PYTHONPATH": path, "SOURCE_DATE_EPOCH": "0"},
            },
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "stderr").open("w"),
            text=True,
            start_new_session=True,
        )

    def run(self) -> float:
        """Run the command to its end, and return the seconds that it took."""
        begun = time.monotonic()
        status = self.start().wait(LONGEST)
        assert status == 0, (self.folder / "stderr").read_text()
        return time.monotonic() - begun

    def kill(self, how: signal.Signals, after: float) -> list[str] | None:
        """Start the command, kill it, and return what is wrong afterwards.

        Args:
            how: Ctrl-C reaches the whole group, as in a terminal, the others the command alone.
            after: seconds after the start; the kill waits until ``stochi`` has begun.

        Returns:
            None if the command ended before.
        """
        process, begun = self.start(), time.monotonic()
        while time.monotonic() < begun + after or not handles_sigterm(process.pid):
            if process.poll() is not None:
                return None
            time.sleep(0.002)
        if how == signal.SIGINT:
            os.killpg(process.pid, how)
        else:
            process.send_signal(how)
        killed = time.monotonic()
        try:
            status = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return ["it does not end"]
        if status in (0, -how) and how != signal.SIGKILL:
            return None  # it had done everything, and Python was tidying up
        while list_session(process.pid) and time.monotonic() < killed + SECONDS:
            time.sleep(0.05)
        return self._problems(process.pid, how, status)

    def results(self) -> dict[str, bytes]:
        """Return the files below the work folder that were not given, by name."""
        files = [path for path in self.work.rglob("*") if path.is_file()]
        named = {path.relative_to(self.work).as_posix(): path.read_bytes() for path in files}
        return {name: content for name, content in named.items() if name not in self.given}

    def left(self) -> list[str]:
        """Return the names of temporary files and shared memory."""
        names = {*os.listdir(self.temporary), *os.listdir(self.memory)}
        return sorted(names - self.usual)

    def _problems(self, session: int, how: signal.Signals, status: int) -> list[str]:
        problems = [f"still running: {process}" for process in list_session(session)]
        problems += [f"shared memory: {name}" for name in os.listdir(self.memory)]
        if status != STATUS[how]:
            problems.append(f"status {status}")
        printed = (self.folder / "stderr").read_text()
        problems += [
            f"{word} on stderr: {printed[-2000:]}" for word in BAD_WORDS if word in printed
        ]
        if how != signal.SIGKILL:
            lines = printed.splitlines()
            if not lines or not lines[-1].startswith("stopped") or printed.count("stopped") != 1:
                problems.append(f"stderr ends with {lines[-2:]}")
            problems += [f"temporary: {name}" for name in self.left()]
            problems += [f"unfinished: {name}" for name in self.results() if ".part" in name]
        return problems
