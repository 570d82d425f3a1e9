"""What lies beside a sound under its name: a caption as text, or caption, timing and the rest as JSON."""

from __future__ import annotations

import os
from dataclasses import replace

from unheard.common.regular_files import open_regular
from unheard.common.texts import decoded
from unheard.errors import InputError
from unheard.index.building.descriptions import caption, describe, json_object
from unheard.index.building.recording import Recording

LARGEST_SIDECAR = 1 << 20
"""Bytes that are read of one."""


def with_sidecars(path: str, identifier: str) -> Recording:
    """A sound file with what lies beside it under its name; what cannot be read is remarked on."""
    stem = path.removesuffix(os.path.splitext(path)[1])
    remarks: list[str] = []
    as_json, as_text = (_sidecar(stem, ending, remarks) for ending in (".json", ".txt"))
    return described_by(Recording(identifier, path, remarks=tuple(remarks)), as_json, as_text)


def _sidecar(stem: str, ending: str, remarks: list[str]) -> bytes | None:
    for path in (f"{stem}{ending}", f"{stem}{ending.upper()}"):
        try:
            with open_regular(path) as file:
                return file.read(LARGEST_SIDECAR + 1)
        except FileNotFoundError:
            continue
        except InputError as error:
            remarks.append(f"what is beside it, {os.path.basename(path)}, is not read: {error}")
        except OSError as error:
            remarks.append(f"what is beside it, {os.path.basename(path)}, is not read: {error.strerror}")
    return None


def described_by(recording: Recording, as_json: bytes | None, as_text: bytes | None) -> Recording:
    """The recording with its caption and timing: from the JSON and, where that has no caption, the text.

    Args:
        recording: without them.
        as_json, as_text: what lies beside it, the first `LARGEST_SIDECAR` bytes and one more.
    """
    remarks = list(recording.remarks)
    if as_json is not None:
        try:
            if len(as_json) > LARGEST_SIDECAR:
                raise InputError(f"it has more than {LARGEST_SIDECAR:,} bytes")
            text, wrong = decoded(as_json)
            said = describe(json_object(text), *([f"the JSON beside it {wrong}"] if wrong else []))
        except InputError as error:
            remarks.append(f"the JSON beside it is not taken: {error}")
        else:
            further = {**said.further, **({"id": said.id} if said.id else {})}
            remarks += said.remarks
            recording = replace(
                recording,
                prompt=said.prompt,
                seconds_start=said.seconds_start,
                seconds_total=said.seconds_total,
                further=further,
            )
    if as_text is not None and recording.prompt is None:
        if len(as_text) > LARGEST_SIDECAR:
            remarks.append(
                f"the text beside it has more than {LARGEST_SIDECAR:,} bytes: its beginning is taken"
            )
        recording = replace(recording, prompt=caption(as_text[:LARGEST_SIDECAR], remarks))
    return replace(recording, remarks=tuple(remarks))
