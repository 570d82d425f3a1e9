"""The named endpoints, for `gradio_client` and whatever else calls a studio from a program.

A value that cannot be used comes back as the message alone. Files come back as Gradio's own, which its client
downloads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr

from unheard.auditing.results import Audit
from unheard.common.checks import require_text, require_whole
from unheard.errors import InputError, UnheardError
from unheard.index.building.builder import Built
from unheard.studio import audit_tab, index_tab
from unheard.studio.fields import SEED
from unheard.studio.make_tab import THE_MODEL, output_of
from unheard.studio.making import Saved, make_takes
from unheard.studio.stream import Cancelled
from unheard.studio.takes import Take, read_sound
from unheard.studio.workshop import Workshop


def endpoints(workshop: Workshop) -> None:
    """Add the endpoints to the page that is being laid out."""

    def generate(
        prompt: str, seed: int = 0, options: dict[str, Any] | None = None, request: gr.Request = None
    ) -> list[dict[str, Any]]:
        """Make a take, with and without guidance, for every line of the prompt.

        Args:
            prompt: what to play; each line is a sound of its own.
            seed: the same gives the same sound.
            options: options of `unheard generate` by name, see /options.
        """
        with told_in_one_line(), workshop.under_way.of(_user(request)) as cancel:
            require_text("prompt", prompt)
            asked, values = workshop.form.read(prompt, {**_named(options), SEED: seed})
            takes: dict[int, Take] = {}
            for at in make_takes(workshop, asked, output_of(values), cancel):
                if isinstance(at, Saved):
                    takes[at.take.number] = at.take
            return [described(workshop, takes[number]) for number in sorted(takes)]

    def cancel(request: gr.Request = None) -> int:
        """Cancel all that this client has under way; returns how much that was."""
        return workshop.under_way.cancel(_user(request))

    def options() -> list[dict[str, Any]]:
        """The options that /generate takes: name, heading, help, shape, choices, kinds of guidance."""
        return [
            {name: value for name, value in vars(field).items() if name != "convert"}
            for field in workshop.form.fields.values()
        ]

    def history(count: int = 10) -> list[dict[str, Any]]:
        """The newest takes, the newest first, as /generate describes them."""
        with told_in_one_line():
            require_whole("count", count, 0)
            return [described(workshop, take) for take in workshop.takes.all()[:count]]

    def unknown_words(prompt: str) -> str:
        """One line on the words of a prompt that the model does not know; empty where it knows all."""
        with told_in_one_line():
            require_text("prompt", prompt)
            return workshop.unknown_words(prompt) or ""

    def audit(
        sounds: list[dict[str, Any]], references: str = "", request: gr.Request = None
    ) -> dict[str, Any]:
        """Audit sounds against recordings.

        Args:
            sounds: files, each given with `handle_file`.
            references: a folder on the machine of the studio; empty for the recordings of the model or index.
        """
        with told_in_one_line(), workshop.under_way.of(_user(request)) as cancel:
            require_text("references", references)
            files = _files(sounds)
            recordings = audit_tab.recordings_of(references)
            for at in audit_tab.audit(workshop, files, recordings, cancel):
                if isinstance(at, audit_tab.Audited):
                    return _audited(at.result, at.page)
        raise AssertionError

    def build_index(
        sounds: str, index: str, captions: str = "", request: gr.Request = None
    ) -> dict[str, Any]:
        """Build an index, or add to one: of a folder on the machine of the studio, to another."""
        with told_in_one_line(), workshop.under_way.of(_user(request)) as cancel:
            for name, value in {"sounds": sounds, "index": index, "captions": captions}.items():
                require_text(name, value)
            for at in index_tab.build(workshop, sounds, captions, index, cancel):
                if isinstance(at, Built):
                    return {"index": at.uri, "added": at.added, "rejected": at.rejected, "words": at.words()}
        raise AssertionError

    def search_index(
        text: str = "", sound: dict[str, Any] | None = None, index: str = "", count: int = 10
    ) -> list[dict[str, Any]]:
        """The items of an index nearest to words or to a sound; empty `index` for the studio's own."""
        with told_in_one_line():
            for name, value in {"text": text, "index": index}.items():
                require_text(name, value)
            path = None if sound is None else str(_path("sound", sound))
            found = index_tab.search(workshop, index, text, path, count)
            return [{**asdict(item), "similarity": similarity} for item, similarity in found]

    one_at_a_time: dict[str, Any] = {"concurrency_limit": 1}
    gr.api(generate, api_name="generate", concurrency_id=THE_MODEL, **one_at_a_time)
    gr.api(audit, api_name="audit", concurrency_id=audit_tab.FILES, **one_at_a_time)
    gr.api(build_index, api_name="build_index", concurrency_id=audit_tab.FILES, **one_at_a_time)
    gr.api(search_index, api_name="search_index")
    for function in (options, history, unknown_words):
        gr.api(function, api_name=function.__name__)
    gr.api(cancel, api_name="cancel", queue=False)


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Errors as their message, without a traceback on either side."""
    try:
        yield
    except Cancelled as error:
        raise gr.Error("cancelled; what was finished is saved", print_exception=False) from error
    except UnheardError as error:
        raise gr.Error(str(error), print_exception=False) from error


def described(workshop: Workshop, take: Take) -> dict[str, Any]:
    """A take as programs get it: each sound with its files, what happened, and what the audit found."""
    sounds = {}
    for which, path in take.paths.items():
        sound = read_sound(path, workshop.captions)
        audit = sound.provenance.get("audit")
        sounds[which] = {
            "file": _file(path),
            "provenance": _file(path.with_suffix(".json")),
            "outcome": sound.outcome,
            "acted": sound.acted,
            "nearest": [item.record() for item in sound.nearest],
            "audit": None if audit is None else {name: audit[name] for name in _OF_AUDIT},
            "faults": sound.faults,
        }
    record = take.record
    return {"take": take.number, "prompt": record["prompt"], "seed": record["seed"], **sounds}


_OF_AUDIT = ("verdict", "reason", "score", "matches")


def _audited(result: Audit, page: Path) -> dict[str, Any]:
    """An audit as programs get it, with its report as a file.

    A sound's `path` is called `sound`: whatever has a path is a file to Gradio's client, to be downloaded.
    """
    described = asdict(result)
    described["files"] = [{"sound": file.pop("path"), **file} for file in described["files"]]
    return {**described, "verdict": result.verdict, "report": _file(page)}


def _named(options: object) -> dict[str, Any]:
    """Options by name; InputError if it is something else."""
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise InputError(f'options is {options!r}: give names and values, such as {{"duration": 2}}')
    return options


def _files(sounds: object) -> list[Path]:
    """The sounds that a program sent; InputError if there is none, or something else."""
    if not isinstance(sounds, list) or not sounds:
        raise InputError(f"sounds is {sounds!r}: give a list of files, each by handle_file")
    return [_path("sounds", sound) for sound in sounds]


def _path(name: str, sound: object) -> Path:
    """Where a file lies that a program sent; InputError if it sent something else."""
    if not isinstance(sound, dict) or not isinstance(sound.get("path"), str):
        raise InputError(f"{name} has {sound!r}: give a file by handle_file")
    return Path(sound["path"])


def _file(path: Path) -> dict[str, Any]:
    """A file as Gradio's clients download it."""
    described: dict[str, Any] = gr.FileData(path=str(path), orig_name=path.name).model_dump()
    return described


def _user(request: gr.Request | None) -> str:
    return "" if request is None else str(request.session_hash)
