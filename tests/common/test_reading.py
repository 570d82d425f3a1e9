"""What is read: regular files, texts in whatever encoding, lines of prompts."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unheard import audio
from unheard.cli.published.script import read_script
from unheard.common.prompt_files import read_lines
from unheard.common.regular_files import open_regular, read_regular, what_else
from unheard.common.texts import cleaned, decoded, lines
from unheard.errors import IndexFileError, InputError
from unheard.index.searching.json_index import JSONIndex


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "real.wav").write_bytes(b"x")
    (tmp_path / "link.wav").symlink_to("real.wav")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.wav"))
        for path, said in [
            (tmp_path / "pipe.wav", "a named pipe"),
            (tmp_path / "socket.wav", "a socket"),
            (Path("/dev/zero"), "a device"),
            (tmp_path, "a folder"),
        ]:
            with pytest.raises(InputError, match=f"it is {said}: only regular files are read"):
                open_regular(path)
            with pytest.raises(InputError, match=f"cannot read .*{said}"):
                audio.read(path)
            assert said in (what_else(path) or "")
    for name in ("a\0b", "\ud800"):
        with pytest.raises(InputError, match="none that a file can have"):
            open_regular(name)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")
    for name in ("index.json", "script.py"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(IndexFileError, match=r"cannot read the index .*a named pipe"):
        JSONIndex.open(tmp_path / "index.json")
    with pytest.raises(InputError, match=r"cannot read .*a named pipe"):
        read_script(tmp_path / "script.py")
    assert read_regular(tmp_path / "link.wav", 1) == b"x"
    assert what_else(tmp_path / "real.wav") is what_else(tmp_path / "none") is None
    with pytest.raises(InputError, match="more than 0 bytes"):
        read_regular(tmp_path / "real.wav", 0)


@pytest.mark.parametrize(
    ("content", "text", "said"),
    [
        ("Flügel ♪".encode(), "Flügel ♪", None),
        ("Flügel ♪".encode("utf-8-sig"), "Flügel ♪", None),
        ("Flügel ♪".encode()[:-1], "Flügel ", None),
        (b"Fl\xfcgel \x96 Nachhall", "Flügel \u2013 Nachhall", "read as Windows-1252"),
        ("Flügel ♪".encode("utf-16"), "Flügel ♪", None),
        ("Flügel ♪".encode("utf-32"), "Flügel ♪", None),
        ("Flügel".encode("utf-16-le"), "Flügel", "read as UTF-16-LE"),
        ("Flügel".encode("utf-16-be"), "Flügel", "read as UTF-16-BE"),
        ("ü♪ü♪".encode() + b"\xff x", "ü♪ü♪\ufffd x", "not all UTF-8"),
    ],
)
def test_bytes_are_read_as_well_as_they_can_be(content: bytes, text: str, said: str | None) -> None:
    found, wrong = decoded(content)
    assert found == text
    assert wrong == said or (said is not None and wrong is not None and said in wrong)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_text_that_can_be_stored(content: bytes) -> None:
    cleaned(decoded(content)[0])[0].encode("utf-8")


@given(st.text(max_size=50), st.integers(0, 2))
def test_a_cleaned_text_can_be_written_and_a_good_one_is_itself(text: str, halves: int) -> None:
    assert cleaned(text.replace("\0", "")) == (text.replace("\0", ""), None)
    found, wrong = cleaned(text + "\ud83d" * halves + "\0")
    assert "\0" not in found.encode().decode()
    assert found.count("\ufffd") >= halves
    assert wrong is not None


def test_lines_end_at_line_ends_only(tmp_path: Path) -> None:
    text = "a bell\u2028far away\na drum\x85deep\r\nwarm\x0cstrings\rlast \x1c one"
    expected = ["a bell\u2028far away", "a drum\x85deep", "warm\x0cstrings", "last \x1c one"]
    assert lines(text) == expected
    path = tmp_path / "prompts.txt"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes(f"\n  {text}\n\n".encode(encoding))
        assert read_lines(path) == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"Fl\xfcgel", "is not UTF-8: convert it"), (b"a\nb\0c", "line 2, holds a NUL")],
)
def test_prompts_that_would_be_others_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "prompts.txt").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_lines(tmp_path / "prompts.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(InputError, match="named pipe"):
        read_lines(tmp_path / "pipe.txt")
    reading, writing = os.pipe()
    os.write(writing, b"from a shell\n")
    os.close(writing)
    assert read_lines(f"/dev/fd/{reading}") == ["from a shell"]
    os.close(reading)
