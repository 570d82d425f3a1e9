"""What came out of `generate`: a few lines a sound, or JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unheard.auditing import BOUNDS
from unheard.common.texts import plural

if TYPE_CHECKING:
    from unheard.generation.sound import Sound


def summary(sound: Sound, path: Path) -> dict[str, Any]:
    """What `--json` says of a sound."""
    return {
        "file": str(path),
        "provenance": str(path.with_suffix(".json")),
        "prompt": sound.prompt,
        "seed": sound.seed,
        "seconds": sound.waveform.shape[-1] / sound.sample_rate,
        "guidance": sound.provenance["guidance"] is not None,
        "acted": sound.acted,
        "steps": len(sound.trace),
        "outcome": sound.outcome,
        "fallback": None if sound.fallback is None else asdict(sound.fallback),
        "nearest": [item.record() for item in sound.nearest],
        "audit": sound.provenance.get("audit"),
        "faults": sound.faults,
    }


def describe(result: dict[str, Any]) -> list[str]:
    """Lines on a sound: the file; what the guidance did; the nearest training item; what the audit found."""
    lines = [f"{result['file']}  {result['seconds']:.2f} s, seed {result['seed']}", f"  {result['outcome']}"]
    if result["nearest"]:
        nearest = result["nearest"][0]
        named = _named(nearest["id"], nearest["caption"])
        lines.append(f"  nearest: {named}, cosine {nearest['similarity']:.3f}")
    else:
        lines.append("  nearest: not measured, there is no index")
    if (audit := result["audit"]) is not None:
        lines.append(f"  audit: {_verdict(audit)}")
    return lines


def _verdict(audit: dict[str, Any]) -> str:
    """What an audit came to, in words."""
    earlier = len(audit["rejected"])
    after = f", after {plural(earlier, 'rejected attempt')}" if earlier else ""
    if audit["reason"]:
        return f"{audit['verdict']}: {audit['reason']}{after}"
    if audit["verdict"] not in BOUNDS:
        return f"{audit['verdict']}, compared with {plural(audit['catalogue']['items'], 'recording')}{after}"
    match = audit["matches"][0]
    only_alike = audit["verdict"] == "similar" and match["alike"]
    alike = f", the same {' and '.join(match['alike'])}" if only_alike else ""
    return f"{audit['verdict']} of {_named(match['reference'], match['caption'])}{alike}{after}"


def _named(item: str, caption: str | None) -> str:
    return f'{item} "{caption}"' if caption else item


def explain(sound: Sound) -> list[str]:
    """What `--verbose` says further: with what the sound was made, what else is near, where the time went."""
    record = sound.provenance
    guidance = record["guidance"] or {"kind": "none"}
    return [
        f"  sampling: {_pairs(record['sampling'])}",
        f"  guidance: {_pairs(guidance)}",
        *(f"  also near: {item.id}, cosine {item.similarity:.3f}" for item in sound.nearest[1:]),
        f"  seconds: {_pairs(record['seconds'])}",
    ]


def _pairs(table: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in table.items())
