"""Folders that are made later are looked at before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from unheard.common.files import check_folder
from unheard.errors import InputError


def test_a_folder_that_can_be_made_or_written_in_is_left_as_it_is(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "takes", tmp_path / "of" / "today"):
        check_folder(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder_nor_in_the_way_of_one(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    (tmp_path / "nowhere").symlink_to("missing")
    for there in (tmp_path / "notes.txt", tmp_path / "nowhere"):
        for folder in (there, there / "takes"):
            with pytest.raises(InputError) as caught:
                check_folder(folder)
            reason = f"{there} is not a folder; choose another folder"
            assert str(caught.value) == f"cannot write to {folder}: {reason}"


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder that nobody can write to")
@pytest.mark.parametrize("folder", ["/proc", "/proc/takes", "/proc/of/today"])
def test_a_folder_that_nobody_can_write_to_is_told(folder: str) -> None:
    with pytest.raises(InputError, match=rf"^cannot write to {folder}: .+; choose another folder$"):
        check_folder(Path(folder))
