"""Writing files: what stands under a name is the old content or the new one, whatever happens."""

import errno
import os
import pickle
import signal
import stat
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import NoReturn

import pytest

from stochi.errors import InputError, StochiError, WriteError
from stochi.files import (
    check_output,
    check_output_folder,
    list_members,
    named_folder,
    write_whole,
    written_aside,
)
from stochi.temporary import release_all, remove_left_behind, reserved, temporary_folder

NOT_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def in_child(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    start = (
        "import sys\nfrom pathlib import Path\nfrom stochi.files import *\nfolder = sys.argv[1]\n"
    )
    return subprocess.run(
        [sys.executable, "-c", start + code, *words], capture_output=True, text=True, timeout=60
    )


def test_a_new_file_has_the_permissions_of_a_plain_open(tmp_path: Path) -> None:
    script = "import os; os.umask(0o{}); write_whole(folder + '/sub/{}', 'x')"
    for umask in ("022", "077", "007"):
        assert in_child(script.format(umask, umask), str(tmp_path)).returncode == 0
        assert mode_of(tmp_path / "sub" / umask) == 0o666 & ~int(umask, 8)
    assert len(list((tmp_path / "sub").iterdir())) == 3


def test_a_new_file_is_never_readable_by_more_than_the_umask_allows(tmp_path: Path) -> None:
    watched = "import os; os.umask(0o077)\nwith written_aside(folder + '/f') as aside:\n"
    ended = in_child(watched + " print(oct(aside.stat().st_mode & 0o777))", str(tmp_path))
    assert ended.stdout == "0o600\n"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_an_old_file_keeps_its_permissions_and_owner(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "f"
    target.write_text("old")
    target.chmod(mode)
    if os.geteuid() == 0:
        os.chown(target, 1234, 5678)
    before = target.stat()
    with written_aside(target) as aside:
        assert mode_of(aside) == 0o600
        aside.write_text("new")
    after = target.stat()
    assert target.read_text() == "new" and stat.S_IMODE(after.st_mode) == mode
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "f"
    target.write_text("old")
    with pytest.raises(KeyError), written_aside(target) as aside:
        aside.write_text("half")
        raise KeyError
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["f"]


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target = tmp_path / "there/f"
    for content in ("made", "replaced"):  # the first time, the link dangles
        link = tmp_path / "link"
        link.unlink(missing_ok=True)
        link.symlink_to("there/f")
        check_output(link)
        write_whole(link, content)
        assert link.is_symlink() and not target.is_symlink() and target.read_text() == content
    assert os.listdir(tmp_path / "there") == ["f"]


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(WriteError, match="symbolic links; remove one of the links"):
        write_whole(tmp_path / "a", "x")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_another_name_of_the_old_file_keeps_the_old_content(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    os.link(tmp_path / "f", tmp_path / "other")
    write_whole(tmp_path / "f", "new")
    assert (tmp_path / "f").read_text() == "new" and (tmp_path / "other").read_text() == "old"


@NOT_ROOT
def test_a_read_only_file_is_refused_as_open_would(tmp_path: Path) -> None:
    check_read_only_is_refused(tmp_path / "f")


def test_a_read_only_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path).name != "f" and allowed(path, mode)
    )
    check_read_only_is_refused(tmp_path / "f")


def check_read_only_is_refused(target: Path) -> None:
    target.write_text("old")
    target.chmod(0o444)
    with pytest.raises(WriteError, match=r"f: not written: Permission denied; change"):
        write_whole(target, "new")
    with pytest.raises(InputError, match="cannot be written; change its permissions"):
        check_output(target)
    assert target.read_text() == "old" and os.listdir(target.parent) == ["f"]


def test_a_device_is_written_through(tmp_path: Path) -> None:
    check_output("/dev/null")
    write_whole("/dev/null", "x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    link = tmp_path / "link"
    link.symlink_to("/dev/full")
    with pytest.raises(WriteError, match=r"link: not written: No space left on device; free"):
        write_whole(link, "x")
    assert link.is_symlink() and stat.S_ISCHR(os.stat("/dev/full").st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_stdout_is_written_through_in_order(tmp_path: Path, name: str) -> None:
    code = f"print('a', end=' '); write_whole('{name}', 'b '); print('c')"
    assert in_child(code, "").stdout == "a b c\n"
    kept = tmp_path / "kept"
    kept.write_text("before ")
    with kept.open("a") as stdout:  # as >> does
        subprocess.run(
            [sys.executable, "-c", f"from stochi.files import *; {code}"], stdout=stdout, check=True
        )
    assert kept.read_text() == "before a b c\n"


def test_a_pipe_is_written_through_if_somebody_reads_it(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    check_output(pipe)
    with pytest.raises(WriteError, match="read from it first"):
        write_whole(pipe, "x")
    handle = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(handle, True)

    def read_all() -> None:
        until = time.monotonic() + 10
        with open(handle, "rb", buffering=0) as file:
            while sum(map(len, read)) < len(many) and time.monotonic() < until:
                piece = file.read(2**16)
                read.append(piece)
                time.sleep(0 if piece else 0.01)  # nobody has begun to write

    reader = threading.Thread(target=read_all)
    many = b"0123456789" * 50_000  # more than a pipe holds
    try:
        writing = written_aside(pipe)
        with writing as aside:
            aside.write_bytes(many)
            reader.start()
    finally:
        reader.join(10)
    assert b"".join(read) == many and stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


@pytest.mark.parametrize("name", [".", "/", "no/../."])
def test_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "no").mkdir()
    with pytest.raises(InputError, match="a folder, not a file"):
        write_whole(tmp_path / name, "x")


def raise_inside(error: Exception) -> NoReturn:
    try:
        raise error
    except OSError as cause:
        raise RuntimeError("a library fails") from cause


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_fails_in_writing_names_the_file(tmp_path: Path, number: int, wrapped: bool) -> None:
    target, cause = tmp_path / "f", OSError(number, os.strerror(number))
    with pytest.raises(OSError, match=os.strerror(number)) as caught, written_aside(target):
        raise_inside(cause) if wrapped else exec("raise cause")
    error = caught.value
    assert isinstance(error, StochiError) and isinstance(error, WriteError)
    assert (error.errno, error.filename) == (number, str(target))
    assert str(error).startswith(f"{target}: not written: ") and "\n" not in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert os.listdir(tmp_path) == []


def test_the_temporary_name_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, *options: object) -> None:  # like a folder without permission
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(WriteError) as error:
        write_whole(tmp_path / "r.json", "")
    assert error.value.filename == str(tmp_path / "r.json") and ".part" not in str(error.value)


def test_errors_that_are_not_about_writing_stay(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), written_aside(tmp_path / "f"):
        (tmp_path / "missing").read_text()
    with pytest.raises(InputError), written_aside(tmp_path / "f"):
        raise InputError("other")


def start_writing(folder: Path) -> subprocess.Popen[str]:
    code = (
        "import sys, time; from stochi.files import written_aside\n"
        "from stochi.temporary import temporary_folder\n"
        "with written_aside(sys.argv[1] + '/f') as aside, temporary_folder() as inside:\n"
        "    aside.write_text('half'); (inside / 'x').write_text('half')\n"
        "    print(inside, flush=True); time.sleep(60)"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert writer.stdout is not None and Path(writer.stdout.readline().strip()).is_dir()
    return writer


def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path: Path) -> None:
    writer = start_writing(tmp_path)
    try:
        write_whole(tmp_path / "other", "x")
        assert len(os.listdir(tmp_path)) == 4  # it is still at work, so nothing is removed
        foreign = tmp_path / ".stochi-notes.part"
        foreign.write_text("not ours")
        writer.send_signal(signal.SIGKILL)
    finally:
        writer.kill()
        writer.communicate()
    assert len(os.listdir(tmp_path)) == 5
    write_whole(tmp_path / "f", "x")
    assert sorted(os.listdir(tmp_path)) == [foreign.name, "f", "other"]


@pytest.mark.parametrize("done", [False, True], ids=["between", "after"])
def test_a_folder_whose_replacement_was_killed_comes_back(tmp_path: Path, done: bool) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from stochi.temporary import reserved\n"
        "place = Path(sys.argv[1])\n"
        "with reserved(place) as new:\n"
        "    new.folder.mkdir(); (new.folder / 'new').touch()\n"
        "    new.file.write_text('made')\n"
        "    os.replace(place / 'made', new.before)\n"
        f"    if {done}: os.replace(new.folder, place / 'made')\n"
        "    os.kill(os.getpid(), 9)"
    )
    (tmp_path / "made").mkdir()
    (tmp_path / "made/old").touch()
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == -9
    remove_left_behind(tmp_path)
    assert os.listdir(tmp_path) == ["made"]
    assert os.listdir(tmp_path / "made") == ["new" if done else "old"]


def test_a_forked_child_leaves_what_its_parent_reserved(tmp_path: Path) -> None:
    child = -1
    with reserved(tmp_path) as one:
        one.folder.mkdir()
        child = os.fork()
        if child:
            assert os.waitpid(child, 0) == (child, 0)
            assert one.file.exists() and one.folder.exists()
        else:
            release_all()
    if not child:
        os._exit(0)
    assert os.listdir(tmp_path) == []


def test_many_writers_of_one_name_leave_one_whole_file(tmp_path: Path) -> None:
    def write(digit: int) -> None:
        for _ in range(20):
            write_whole(tmp_path / "f", str(digit) * 10_000)

    threads = [threading.Thread(target=write, args=(digit,)) for digit in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = (tmp_path / "f").read_text()
    assert len(content) == 10_000 and len(set(content)) == 1
    assert os.listdir(tmp_path) == ["f"]


def test_a_temporary_folder_is_private_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    with temporary_folder() as folder:
        assert mode_of(folder) == 0o700
        (folder / "x").touch()
        reserved_by = folder.with_suffix(".part")
        assert mode_of(reserved_by) == 0o600
    assert not folder.exists() and not reserved_by.exists()


@pytest.mark.parametrize("name", ["n" * 256, f"new/{'n' * 256}", "loop", "loop/new", "n/" * 3000])
def test_a_name_that_no_file_can_have_is_refused_before_the_work(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match=r"cannot be written: .*(too long|symbolic links)"):
        check_output(tmp_path / name)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder of Linux")
def test_a_folder_that_only_seems_to_be_writable_is_refused_before_the_work() -> None:
    with pytest.raises(InputError, match=r"^/proc/new cannot be written: "):
        check_output("/proc/new")


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_a_list_of_contents_that_leaves_a_member_out_is_damaged(
    tmp_path: Path, left_out: int
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a", "b", "c"):
            archive.writestr(name, b"0123456789" * 3)
    with zipfile.ZipFile(path) as archive:
        assert [member.filename for member in list_members(archive)] == ["a", "b", "c"]
        del archive.filelist[left_out]
        with pytest.raises(zipfile.BadZipFile, match="belong to no member"):
            list_members(archive)


@pytest.mark.parametrize("done", [False, True], ids=["between", "after"])
def test_a_folder_whose_replacement_was_stopped_comes_back(tmp_path: Path, done: bool) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made/old").touch()
    with pytest.raises(KeyboardInterrupt), reserved(tmp_path) as new:
        new.folder.mkdir()
        (new.folder / "new").touch()
        new.file.write_text("made")
        os.replace(tmp_path / "made", new.before)
        if done:
            os.replace(new.folder, tmp_path / "made")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["made"]
    assert os.listdir(tmp_path / "made") == ["new" if done else "old"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("file", "a file, not a folder"),
        ("file/new", "file is a file, not a folder"),
        ("pipe", "a file, not a folder"),
        ("loop/new", "symbolic links"),
        ("n" * 256, "too long"),
        ("a\0b", "no name of a folder"),
        ("locked/new", "locked cannot be written into"),
    ],
)
def test_a_folder_that_cannot_be_written_into_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, why: str
) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "locked").mkdir()
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: "locked" not in str(path) and allowed(path, mode)
    )
    with pytest.raises(InputError, match=why) as error:
        check_output_folder(tmp_path / name)
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=why):
        check_output_folder(tmp_path / name, replaced=True)
    check_output_folder(tmp_path / "new/folder")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["~nobody-has-this-name/f", "a\0b", "a\ud800b"])
def test_a_name_that_no_folder_can_have_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="no name of a folder"):
        named_folder(name)


def test_a_home_is_put_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert named_folder("~/f") == Path("/home/me/f")
    assert named_folder(Path("~") / "f") == Path("/home/me/f")


def test_an_input_with_a_zero_byte_in_its_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no name of a file"):
        check_output(tmp_path / "a", tmp_path / "in\0put")
