"""An audit that was stopped goes on where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from full_disk import full_disk
from melodies import RATE, melody

from unheard import audio
from unheard.auditing import Auditor, Catalogue
from unheard.auditing.judgements import Judgements
from unheard.auditing.likeness.tune import Tune


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    audio.write_wav(tmp_path / "one.wav", melody(3), RATE)
    return tmp_path / "one.wav"


def files_in(cache: Path) -> list[Path]:
    return sorted((cache / "judgements").rglob("*.json"))


def test_a_judgement_is_found_again_under_another_name(auditor: Auditor, sound: Path, cache: Path) -> None:
    first = Judgements(auditor)
    judged = first.judge(sound)
    assert (judged, first.known) == (auditor.judge(sound), 0)
    assert (judged.verdict, len(judged.sha256 or "")) == ("copy", 64)
    assert judged.matches[0].reference_sha256 == judged.sha256  # it is that very recording
    other = sound.rename(sound.with_name("other.wav"))
    second = Judgements(auditor)
    assert second.judge(other) == replace(judged, path=str(other))
    assert second.known == 1


def test_other_references_judge_anew(auditor: Auditor, sound: Path, folder: Path) -> None:
    Judgements(auditor).judge(sound)
    fewer = Judgements(Auditor(Catalogue.from_files([folder / "4.wav"])))
    assert fewer.judge(sound).verdict == "clear"
    assert fewer.known == 0


def test_a_damaged_judgement_is_made_again(auditor: Auditor, sound: Path, cache: Path) -> None:
    judged = Judgements(auditor).judge(sound)
    (entry,) = files_in(cache)
    for damaged in (b"{", b"[]", b'{"path": "x", "matches": [{}]}'):
        entry.write_bytes(damaged)
        again = Judgements(auditor)
        with pytest.warns(UserWarning, match=r"cannot read .*; the sound is judged again"):
            assert (again.judge(sound), again.known) == (judged, 0)


def test_a_cache_that_cannot_be_written_is_told_of_once(
    auditor: Auditor, sound: Path, tmp_path: Path
) -> None:
    (tmp_path / "a file").touch()
    judging = Judgements(auditor, tmp_path / "a file" / "judgements")
    with pytest.warns(UserWarning, match="the judgements are not cached") as told:
        assert judging.judge(sound) == judging.judge(sound)
    assert len(told) == 1


def test_a_full_disk_names_the_cache_to_make_room_in(
    auditor: Auditor, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging = Judgements(auditor, tmp_path / "judgements")
    full_disk(monkeypatch)
    with pytest.warns(
        UserWarning, match="the judgements are not cached .*/judgements/.*; make room there, or"
    ):
        judging.judge(sound)


def test_what_could_not_be_judged_is_tried_again(auditor: Auditor, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "torn.wav").write_text("no sound")
    assert Judgements(auditor).judge(tmp_path / "torn.wav").verdict == "not judged"
    assert files_in(cache) == []


def test_evidence_of_another_package_is_asked_each_time(folder: Path, sound: Path) -> None:
    class Foreign(Tune):
        pass

    auditor = Auditor(Catalogue.from_files([folder / "3.wav"]), likenesses=[Foreign()])
    assert Judgements(auditor).judge(sound).verdict == "copy"
    again = Judgements(auditor)
    again.judge(sound)
    assert again.known == 0
