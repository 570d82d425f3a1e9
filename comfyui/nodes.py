"""The nodes: load an index, patch a model with the detour, audit a sound."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from comfy_api.latest import ComfyExtension, io, ui

from unheard import Audit, Detour, FileAudit, Index, InputError, load_embedder
from unheard.auditing import BOUNDS, auditor_for
from unheard.cli.options import attributes
from unheard.embedders import DEFAULT_EMBEDDER
from unheard.guidance.detour.settings import REFUSE

from .detour import LoadedIndex, with_detour

CATEGORY = "audio/unheard"
TrainingIndex = io.Custom("UNHEARD_INDEX")
NUMBERS = {int: (io.Int, 1), float: (io.Float, 0.01)}
"""The widget of a number, and its step."""
REFERENCES = "A folder of recordings, searched at any depth. Empty: where the index says that they lie."


class LoadIndex(io.ComfyNode):
    """A training set, read once."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="UnheardLoadIndex",
            display_name="Load index",
            category=CATEGORY,
            description="An unheard index of a training set: captions and embeddings of its recordings.",
            inputs=[
                io.String.Input("path", tooltip="A path or URI, as `unheard index build` was given."),
                io.String.Input(
                    "embedder",
                    default="",
                    optional=True,
                    tooltip="Folder or hub id of the CLAP that made it. Empty: laion/clap-htsat-unfused.",
                ),
            ],
            outputs=[TrainingIndex.Output(display_name="index")],
        )

    @classmethod
    def execute(cls, path: str, embedder: str = "") -> io.NodeOutput:
        if not path.strip():
            raise InputError("there is no index: give the path or URI of one")
        # On the processor, where ComfyUI plans no memory for it: it reads some captions and a sound at most.
        known, read_by = Index.open(path.strip()), load_embedder(embedder.strip() or DEFAULT_EMBEDDER)
        known.check_embedder(read_by)
        return io.NodeOutput(LoadedIndex(known, read_by))


class AntiMemorization(io.ComfyNode):
    """The model patch."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="UnheardDetour",
            display_name="Anti-memorization (detour)",
            category=CATEGORY,
            description="Where the sound on its way is becoming a training recording, its prompt is left "
            "for the caption nearest to it that copies nothing. For Stable Audio 1 and 3 and ACE-Step.",
            inputs=[
                io.Model.Input("model"),
                io.Clip.Input("clip"),
                io.Vae.Input("vae"),
                TrainingIndex.Input("index"),
                io.String.Input(
                    "prompt", multiline=True, tooltip="The very text of the positive conditioning."
                ),
                *setting_inputs(),
                io.String.Input("references", default="", optional=True, tooltip=REFERENCES),
            ],
            outputs=[io.Model.Output()],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        clip: Any,
        vae: Any,
        index: LoadedIndex,
        prompt: str,
        references: str = "",
        **settings: Any,
    ) -> io.NodeOutput:
        guidance, recordings = Detour(**settings), references.strip() or None
        patched = with_detour(model, clip, vae, prompt, index, guidance=guidance, references=recordings)
        return io.NodeOutput(patched)


class AuditAgainstReferences(io.ComfyNode):
    """Whether a sound replays a recording."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="UnheardAudit",
            display_name="Audit against references",
            category=CATEGORY,
            description="Whether a sound replays a recording, which one, where, and how surely.",
            is_output_node=True,
            inputs=[
                io.Audio.Input("audio"),
                TrainingIndex.Input("index", optional=True),
                io.String.Input("references", default="", optional=True, tooltip=REFERENCES),
            ],
            outputs=[
                io.Audio.Output(display_name="audio"),
                io.String.Output(display_name="verdict", tooltip="The worst of the batch."),
                io.Float.Output(display_name="share", tooltip="Copied of the audible time, 0 to 1."),
                io.String.Output(display_name="report", tooltip="Everything, as JSON."),
            ],
        )

    @classmethod
    def execute(
        cls, audio: dict[str, Any], index: LoadedIndex | None = None, references: str = ""
    ) -> io.NodeOutput:
        recordings = references.strip() or None
        if index is None and recordings is None:
            raise InputError(
                "there is nothing to compare with: name a folder of references, or connect an index"
            )
        sounds = [(waveform.float().cpu(), audio["sample_rate"]) for waveform in audio["waveform"]]
        result = audited(sounds, recordings, index)
        report = json.dumps({**asdict(result), "verdict": result.verdict}, indent=2, ensure_ascii=False)
        share, said = max(file.share for file in result.files), "\n".join(map(in_words, result.files))
        return io.NodeOutput(audio, result.verdict, share, report, ui=ui.PreviewText(said))


class UnheardExtension(ComfyExtension):
    """All nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [LoadIndex, AntiMemorization, AuditAgainstReferences]


def setting_inputs() -> list[Any]:
    """A widget for each setting of the detour; the settings themselves refuse what is out of range."""
    kinds, texts = get_type_hints(Detour), attributes(Detour)
    return [
        setting_input(field.name, kinds[field.name], default=field.default, tooltip=texts[field.name])
        for field in fields(Detour)
    ]


def setting_input(name: str, kind: Any, **about: Any) -> Any:
    """The widget of a setting: a number from 0, a text, or a choice but for "refuse", see `with_detour`."""
    if kind is str:
        return io.String.Input(name, multiline=True, **about)
    if get_origin(kind) is Literal:
        return io.Combo.Input(name, options=[word for word in get_args(kind) if word != REFUSE], **about)
    widget, step = NUMBERS[kind]
    return widget.Input(name, min=0, step=step, **about)


def audited(sounds: Sequence[Any], references: str | None, loaded: LoadedIndex | None) -> Audit:
    """The audit against recordings, and against those of an index where none are named."""
    index = None if loaded is None else loaded.index
    embedder = None if loaded is None else loaded.embedder
    auditor = auditor_for(references, index, None, embedder)
    return auditor.audit([auditor.judge(sound, f"sound {number}") for number, sound in enumerate(sounds, 1)])


def in_words(file: FileAudit) -> str:
    """What is to be said of one sound, in a line."""
    if file.reason is not None:
        return f"{file.path}: {file.verdict}, {file.reason}"
    if file.verdict not in BOUNDS:
        return f"{file.path}: {file.verdict}"
    match = file.matches[0]
    caption = "" if match.caption is None else f" {match.caption!r}"
    return (
        f"{file.path}: {file.verdict} of {match.reference}{caption}, {file.share:.0%} copied, "
        f"at {match.start:.1f}-{match.end:.1f} s of {match.reference_start:.1f}-{match.reference_end:.1f} s"
    )
