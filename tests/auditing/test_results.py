"""Verdicts as plain values."""

from __future__ import annotations

import pytest
import torch
from melodies import RATE, melody

from unheard.auditing import Audit, Auditor, FileAudit, as_bad_as, audit, worst


def test_verdicts_in_order() -> None:
    assert worst(["clear", "similar", "not judged"]) == "similar"
    assert worst([]) == "not judged"
    assert as_bad_as("copy", "partial copy")
    assert not as_bad_as("similar", "partial copy")
    assert not as_bad_as("not judged", "clear")


@pytest.mark.parametrize(
    ("verdicts", "items", "shown"),
    [
        (
            ["clear", "copy", "clear", "copy"],
            60,
            "<Audit of 4 sounds against 60 references: 2 copy, 2 clear>",
        ),
        (["partial copy"], 1, "<Audit of 1 sound against 1 reference: 1 partial copy>"),
        (["not judged", "similar"], 2, "<Audit of 2 sounds against 2 references: 1 similar, 1 not judged>"),
        ([], 2, "<Audit of 0 sounds against 2 references: nothing judged>"),
    ],
)
def test_an_audit_in_one_line(verdicts: list[str], items: int, shown: str) -> None:
    assert repr(Audit(tuple(FileAudit("a.wav", each) for each in verdicts), {"items": items})) == shown


def test_a_sound_of_an_audit_in_one_line(auditor: Auditor) -> None:
    noise = 0.1 * torch.randn(1, 6 * RATE, generator=torch.Generator().manual_seed(1))
    sounds = [(melody(3), RATE), (noise, RATE), (0 * melody(1), RATE)]
    found = audit(sounds, auditor.catalogue)
    copy, clear, silent = (repr(file) for file in found.files)
    assert copy == f"<FileAudit of sound 1: copy of 3.wav, score {found.files[0].score:.2f}>"
    assert clear == f"<FileAudit of sound 2: clear, score {found.files[1].score:.2f}>"
    assert silent == "<FileAudit of sound 3: not judged, it is silent>"
