"""What is left out is counted by its reason, whatever is particular to it."""

from __future__ import annotations

from unheard.common.left_out import OTHER, REASONS, LeftOut


def test_reasons_are_counted_without_what_is_particular() -> None:
    left_out = LeftOut()
    left_out.add("a.wav", "it is truncated: 1,234 of 5,678 samples can be read")
    left_out.add("b.wav", "the file is empty")
    left_out.add("c.wav", "it is truncated: 9 of 10 samples can be read")
    left_out.add("d.wav", "the id 'x: y' came before; give ids in a manifest")
    assert left_out.lines() == [
        "2 left out: it is truncated: 1,234 of 5,678 samples can be read (a.wav, ...)",
        "1 left out: the file is empty (b.wav)",
        "1 left out: the id 'x: y' came before; give ids in a manifest (d.wav)",
    ]
    assert len(left_out) == 4


def test_reasons_that_name_what_they_are_of() -> None:
    counted = LeftOut.of({name: f"cannot read x/{name}: it is cut" for name in ("a.wav", "b.wav")})
    assert counted.lines() == ["2 left out: it is cut (a.wav, ...)"]


def test_memory_does_not_grow_with_the_reasons() -> None:
    left_out = LeftOut()
    for number in range(1000):
        left_out.add(str(number), "x" * number)
    assert len(left_out.counts) == REASONS + 1
    assert left_out.counts[OTHER] == 1000 - REASONS
