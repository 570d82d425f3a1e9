"""What lies beside a sound under its name: a caption as text, or caption, timing and the rest as JSON."""

from __future__ import annotations

import os
from dataclasses import replace

from unheard.errors import InputError
from unheard.index.building.manifests import describe, json_object
from unheard.index.building.recording import Recording, Reject

LARGEST_SIDECAR = 1 << 20
"""Bytes that are read of one."""


def with_sidecars(path: str, identifier: str) -> Recording | Reject:
    """A sound file with what lies beside it under its name."""
    stem = path.removesuffix(os.path.splitext(path)[1])
    try:
        identifier.encode("utf-8")
        beside = [_sidecar(f"{stem}{ending}") for ending in (".json", ".txt")]
        return described_by(Recording(identifier, path), *beside)
    except UnicodeEncodeError:
        return Reject(repr(path), "its name is not UTF-8; rename it")
    except InputError as error:
        return Reject(path, str(error))


def _sidecar(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(LARGEST_SIDECAR)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def described_by(recording: Recording, as_json: bytes | None, as_text: bytes | None) -> Recording:
    """The recording with its caption and timing: from the JSON and, where that has no caption, the text."""
    try:
        if as_json is not None:
            said = describe(json_object(as_json.decode("utf-8-sig")))
            further = {**said.further, **({"id": said.id} if said.id else {})}
            recording = replace(
                recording,
                prompt=said.prompt,
                seconds_start=said.seconds_start,
                seconds_total=said.seconds_total,
                further=further,
            )
        if as_text is not None and recording.prompt is None:
            recording = replace(recording, prompt=as_text.decode("utf-8-sig").strip() or None)
    except (UnicodeDecodeError, InputError) as error:
        raise InputError(f"what is beside it cannot be read: {error}") from error
    return recording
