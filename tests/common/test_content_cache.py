"""A cache by content: what was made once is found again, and nothing it does can lose work."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from full_disk import full_disk

from unheard.common.content_cache import ContentCache
from unheard.errors import InputError

CONTENT, OTHER = "ab" * 32, "cd" * 32


def entry() -> dict[str, np.ndarray]:
    return {"numbers": np.arange(6, dtype=np.float16).reshape(2, 3), "seconds": np.array(1.5)}


def never() -> dict[str, np.ndarray]:
    pytest.fail("it was made already")


def test_what_was_made_once_is_found_again(tmp_path: Path) -> None:
    first = ContentCache("things", "maker-1", tmp_path)
    assert first.read(CONTENT) is None
    made = first.read_or_make(CONTENT, entry)
    assert CONTENT in first
    assert OTHER not in first
    again = ContentCache("things", "maker-1", tmp_path).read_or_make(CONTENT, never)
    assert again.keys() == made.keys()
    for name, array in entry().items():
        assert again[name].dtype == array.dtype
        assert np.array_equal(again[name], array)
    assert CONTENT not in ContentCache("things", "maker-2", tmp_path)


def test_it_lies_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    ContentCache("things", "maker", None).write(CONTENT, entry())
    assert (tmp_path / "unheard" / "things" / "maker" / f"{CONTENT}.safetensors").is_file()


@pytest.mark.parametrize("damage", [b"", b"\xff" * 100, "half"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, damage: bytes | str) -> None:
    cache = ContentCache("things", "maker", tmp_path)
    cache.write(CONTENT, entry())
    (path,) = tmp_path.rglob("*.safetensors")
    whole = path.read_bytes()
    path.write_bytes(damage if isinstance(damage, bytes) else whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match=rf"cannot read .*{CONTENT}.*it is made again"):
        assert np.array_equal(cache.read_or_make(CONTENT, entry)["numbers"], entry()["numbers"])
    assert path.read_bytes() == whole
    cache.read_or_make(CONTENT, never)


def test_a_cache_that_cannot_be_written_warns_once_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    cache = ContentCache("things", "maker", tmp_path / "file")
    with pytest.warns(UserWarning, match=r"things are not cached.*XDG_CACHE_HOME") as warned:
        found = [cache.read_or_make(content, entry) for content in (CONTENT, OTHER)]
    assert all(np.array_equal(each["numbers"], entry()["numbers"]) for each in found)
    assert len(warned) == 1
    with pytest.raises(
        InputError, match=r"cannot write to the cache .*; set XDG_CACHE_HOME to a folder that"
    ):
        cache.write(CONTENT, entry())


def test_a_full_disk_is_told_with_the_cache_to_make_room_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ContentCache("things", "maker", tmp_path)
    full_disk(monkeypatch)
    with pytest.raises(InputError) as caught:
        cache.write(CONTENT, entry())
    assert str(caught.value) == (
        f"cannot write to the cache {cache.folder}: No space left on device; "
        "make room there, or set XDG_CACHE_HOME to another folder"
    )
    assert list(cache.folder.iterdir()) == []


def test_what_cannot_be_made_leaves_no_entry(tmp_path: Path) -> None:
    def broken() -> dict[str, np.ndarray]:
        raise InputError("cannot read it")

    cache = ContentCache("things", "maker", tmp_path)
    with pytest.raises(InputError, match="cannot read it"):
        cache.read_or_make(CONTENT, broken)
    assert CONTENT not in cache


def test_many_processes_may_write_one_cache(tmp_path: Path) -> None:
    """Whoever is last wins with a whole entry; no reader meets half of one."""
    program = f"""
import numpy as np
from pathlib import Path
from unheard.common.content_cache import ContentCache
cache = ContentCache("things", "maker", Path({str(tmp_path)!r}))
for number in range(50):
    cache.write({CONTENT!r}, {{"numbers": np.full(20_000, number)}})
"""
    writers = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]
    cache = ContentCache("things", "maker", tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        while any(writer.poll() is None for writer in writers):
            found = cache.read(CONTENT)
            assert found is None or len(set(found["numbers"].tolist())) == 1
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".safetensors"]


def test_it_needs_no_torch() -> None:
    program = "import sys, unheard.common.content_cache; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
