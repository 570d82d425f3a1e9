"""Files are written wholly or not at all, by one process at a time, under any name that a file can have."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import time
from pathlib import Path

import pytest
from full_disk import full_disk

from unheard.cli.files import check_writable
from unheard.common.files import LONGEST_NAME, files_in, locked, replacing, shortened, write_whole
from unheard.errors import InputError


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("name", ["a", "x" * LONGEST_NAME, "ü" * 127, "日" * 85])
def test_a_name_as_long_as_any_can_be_written_and_replaced(tmp_path: Path, name: str) -> None:
    for content in (b"one", b"two"):
        write_whole(tmp_path / name, content)
        assert (tmp_path / name).read_bytes() == content
    assert names(tmp_path) == [name]


def test_a_longer_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="File name too long"), replacing(tmp_path / ("x" * 256)):
        raise AssertionError("the work was done")
    assert names(tmp_path) == []


def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    for name in ("pipe", "link", "/dev/null"):
        with pytest.raises(InputError, match="it is a device or a pipe"):
            write_whole(tmp_path / name, b"x")
    assert Path("/dev/null").is_char_device()
    (tmp_path / "loop").symlink_to("loop")
    for write in (lambda path: write_whole(path, b"x"), lambda path: check_writable([path])):
        with pytest.raises(InputError, match="it is a link that leads to itself"):
            write(tmp_path / "loop")
    with pytest.raises(InputError, match="it is a folder"):
        write_whole(tmp_path, b"x")


def test_what_was_there_stays_if_the_work_fails(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"before")
    with pytest.raises(TypeError), replacing(tmp_path / "a") as file:
        file.write("no bytes")  # type: ignore[arg-type]
    assert (tmp_path / "a").read_bytes() == b"before"
    assert names(tmp_path) == ["a"]


def add_one(path: Path, times: int) -> None:
    for _ in range(times):
        with locked(path):
            number = int(path.read_text()) if path.exists() else 0
            time.sleep(0.001)
            write_whole(path, str(number + 1).encode())


def hold(path: Path, held: Path) -> None:
    with locked(path):
        held.touch()
        time.sleep(60)


def test_no_process_loses_what_another_adds(tmp_path: Path) -> None:
    path, context = tmp_path / "count", multiprocessing.get_context("fork")
    processes = [context.Process(target=add_one, args=(path, 25)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert path.read_text() == "100"
    assert names(tmp_path) == ["count"]


def test_a_lock_of_a_killed_process_locks_nobody_out(tmp_path: Path) -> None:
    path, held = tmp_path / "count", tmp_path / "held"
    process = multiprocessing.get_context("fork").Process(target=hold, args=(path, held))
    process.start()
    while not held.exists():
        time.sleep(0.01)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    assert (tmp_path / ".count.lock").exists()
    add_one(path, 1)
    assert names(tmp_path) == ["count", "held"]


def test_a_lock_of_a_long_name_and_of_a_link(tmp_path: Path) -> None:
    add_one(tmp_path / ("x" * LONGEST_NAME), 1)
    (tmp_path / "link").symlink_to("real")
    add_one(tmp_path / "link", 1)
    assert names(tmp_path) == ["link", "real", "x" * LONGEST_NAME]
    with pytest.raises(InputError, match="does not exist; create it"), locked(tmp_path / "no" / "x"):
        pass


def test_a_name_is_cut_between_characters() -> None:
    assert shortened("abc", 3) == shortened("abcd", 3) == "abc"
    assert shortened("日本", 5) == "日"
    assert shortened("é", 2) == "", "it takes three bytes where it is stored decomposed"
    assert shortened("\U00020000" * 60, 120) == "\U00020000" * 30


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    for name in ("lib/own.wav", "lib/b/deep/x.wav", "disk/kick.wav", "lib/.hidden.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    lib = tmp_path / "lib"
    (lib / "a").symlink_to("../disk")
    (lib / "again").symlink_to("../disk")
    (lib / "b" / "circle").symlink_to("..")
    (lib / "first").symlink_to("b")
    (lib / "gone").symlink_to("../unmounted")
    broken: list[str] = []
    found = [os.path.relpath(path, lib) for path in files_in(lib, broken=broken.append)]
    assert found == ["own.wav", "b/deep/x.wav", "a/kick.wav"]
    assert broken == [str(lib / "gone")]
    assert len(list(files_in(lib, hidden=True))) == 4


def test_a_full_disk_is_told_as_what_to_make_room_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_disk(monkeypatch)
    message = f"cannot write {tmp_path}/a: No space left on device; make room, or choose another path"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        write_whole(tmp_path / "a", b"new")
    assert list(tmp_path.iterdir()) == []
