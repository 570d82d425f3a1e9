"""`unheard generate`: options to a request, and every finished sound to a file at once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from unheard.auditing import BOUNDS
from unheard.cli import record
from unheard.cli.guidance import chosen_guidance
from unheard.cli.interruption import saves_what_is_finished
from unheard.cli.lora import read_loras
from unheard.cli.options import (
    DTYPES,
    OF_MODEL,
    CommandWithHeadings,
    environment,
    overwrite_option,
    seed,
    setting_options,
    under,
)
from unheard.cli.output import describe, explain, summary
from unheard.cli.progress import QUIET, Display
from unheard.cli.prompts import read_prompts
from unheard.cli.sound_paths import Destination
from unheard.cli.targets import Input, inputs, latents_beside
from unheard.cli.terminal import say, say_json
from unheard.common.imports import importing
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError
from unheard.generation import provenance
from unheard.generation.preset import Preset, read_preset
from unheard.generation.request import DEFAULT_RETRIES
from unheard.guidance import GUIDANCES, NONE

if TYPE_CHECKING:
    from unheard.auditing.auditor import Auditor
    from unheard.generation.model import Model
    from unheard.generation.request import Request
    from unheard.generation.sound import Sound
    from unheard.generation.training_set import TrainingSet
    from unheard.guidance import Guidance

OF_REQUEST = (
    "duration", "start", "seed", "batch", "negative_prompt", "lyrics", "init_audio", "init_noise_level",
    "index", "references", "reject", "retries",
    *(field.name for field in fields(Sampling)),
)  # fmt: skip
"""The options that are arguments of `Model.request`, by the same names."""

AT_ONCE = 200
"""Recordings that sounds are audited with where nothing is said: their first fingerprints take seconds."""

_what = under("What to generate")
_how = under("How to generate")
_guidance = under("What to stay away from")
_settings = under("Settings of guidance, [by kind]")
_audit = under("Audit")
_machine = under("Model and machine")
_output = under("Output")


@click.command(cls=CommandWithHeadings)
@click.argument("prompts", metavar="PROMPT...", nargs=-1)
@_what("--prompts-file", metavar="FILE", help="Read further prompts from a text file, one a line.")
@_what("--from", "source", metavar="JSON", help="Make the sound of this JSON again.")
@_what("--negative-prompt", metavar="TEXT", help="What the sound shall not be.")
@_what("--lyrics", metavar="TEXT", help="What is sung, for models of songs.")
@_what("--init-audio", metavar="FILE", help="Begin from a recording in place of noise.")
@_what(
    "--init-noise-level", type=float, metavar="N", help="Noise put on it; for a flow below 1.  [default: 1]"
)
@_what("--duration", type=float, metavar="S", help=f"Seconds of sound.{OF_MODEL}")
@_what("--start", type=float, metavar="S", help="Second of the piece where it begins.  [default: 0]")
@_what("--seed", type=seed, metavar="N", help="The same gives the same sound; or random.  [default: 0]")
@_what("--count", type=int, metavar="N", help="Sounds for each prompt, seed by seed.  [default: 1]")
@setting_options(_how, {"": Sampling})
@_guidance(
    "--index",
    metavar="PATH",
    **environment("INDEX"),
    help=f"Training set to stay away from.{OF_MODEL}",
)
@_guidance(
    "--references",
    metavar="PATH",
    help="Its recordings, for detour and --reject.  [default: where the index says]",
)
@_guidance("--guidance", type=click.Choice([*GUIDANCES, NONE]), help=f"Kind of guidance.{OF_MODEL}")
@_guidance("--no-guidance", is_flag=True, default=None, help="Let training recordings come out.")
@_guidance("--preset", metavar="FILE", help="Guidance and its settings from JSON, as `tune` writes it.")
@setting_options(_settings, GUIDANCES)
@_audit(
    "--audit/--no-audit",
    "audit",
    default=None,
    help=f"Say whether the sound replays a recording.  [default: up to {AT_ONCE} recordings]",
)
@_audit("--reject", type=click.Choice(BOUNDS), help="Audit; make what is as bad as this again, or refuse it.")
@_audit(
    "--retries", type=int, metavar="N", help=f"How often --reject tries again.  [default: {DEFAULT_RETRIES}]"
)
@_machine(
    "--model",
    metavar="MODEL",
    **environment("MODEL"),
    help="tiny, a folder, a checkpoint or a hub id; see `models`.  [default: tiny]",
)
@_machine(
    "--lora",
    metavar="FILE[:WEIGHT]",
    multiple=True,
    callback=read_loras,
    help="Change the model by a LoRA; may be given several times.  [weight: 1]",
)
@_machine(
    "--text-encoder",
    metavar="DIR",
    help="Text encoder of a checkpoint.  [default: as its model_config.json names it]",
)
@_machine("--embedder", metavar="NAME", help=f"CLAP that measures similarity: folder or hub id.{OF_MODEL}")
@_machine(
    "--device",
    metavar="DEVICE",
    **environment("DEVICE"),
    help="auto, cpu, cuda, cuda:N or mps.  [default: auto]",
)
@_machine("--dtype", type=click.Choice(DTYPES), help="Precision of the model.  [default: float32]")
@_machine(
    "--compile/--no-compile",
    default=None,
    help="Compile the denoiser, on CUDA to a graph: half a minute or more at the first step.  [default: no]",
)
@_machine("--batch", type=int, metavar="N", help="Sounds generated at once.  [default: all, up to 4]")
@_output(
    "-o",
    "--output",
    metavar="PATH",
    help="WAV or FLAC to write, several as PATH-1 ...  [default: audio.wav, or the next free number]",
)
@_output("--float", "as_float", is_flag=True, default=None, help="Write 32-bit float, not normalised.")
@overwrite_option(_output)
@_output("--save-latents", is_flag=True, help="Write the latents beside, as PATH.latents.safetensors.")
@_output("--json", "as_json", is_flag=True, help="Print what came out as one JSON object.")
@_output("-q", "--quiet", is_flag=True, help="Print warnings and errors alone.")
@_output("-v", "--verbose", is_flag=True, help="Print settings, more nearest items, and where the time went.")
@click.pass_context
def generate(
    context: click.Context,
    /,
    prompts: tuple[str, ...],
    prompts_file: str | None,
    source: str | None,
    output: str | None,
    count: int | None,
    as_float: bool | None,
    overwrite: bool,
    save_latents: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    audit: bool | None,
    **given: Any,
) -> None:
    """Generate sounds from text prompts, steering away from the training recordings.

    Each sound is written as soon as it is finished. A JSON beside it holds all that it takes to make
    the same sound again with --from; options given beside --from override it. Ctrl-C keeps what is finished.

    No file is replaced but the sound of the very same request.

    Where recordings are available, every sound is audited. With --reject, one that replays a recording is
    made again with another seed and stronger guidance. If none passes, nothing is written and the exit code
    is 3.

    \b
    Examples:
      unheard generate "An acoustic drum loop, 110 bpm"
      unheard generate "An acoustic drum loop, 110 bpm" --no-guidance --output copy.wav
      unheard generate "Warm strings" "A music box melody" --count 4 --output sounds.wav
      unheard generate "A slow piano" --model stabilityai/stable-audio-open-1.0 \\
          --index embeddings_new.json --duration 10 --dtype float16
      unheard generate "An acoustic drum loop, 110 bpm" --reject copy --retries 4
      unheard generate --from audio.json --output again.wav
    """
    recorded = None if source is None else provenance.read(source)
    if recorded is not None:  # which comes before the environment's defaults
        given |= {name: None for name in given if _is_of_environment(context, name)}
    texts = [*prompts, *([] if prompts_file is None else read_prompts(prompts_file))]
    asked = record.Asked.of(texts, count, as_float, given, recorded)
    destination = Destination(
        None if output is None else Path(output),
        asked.ending,
        asked.numbers,
        [*_read(asked.given, prompts_file, source)],
        latents=save_latents,
        as_float=asked.as_float,
        overwrite=overwrite,
    )
    destination.paths()  # whatever is wrong with them is found out before a model is loaded

    context.meta[QUIET] = quiet
    display = Display(quiet=as_json)
    with display.loading(asked.given["model"] or "tiny"):
        model, request, training_set = _prepare(asked)
    if not quiet and (calibration := model.calibrated_by(request, training_set)) is not None:
        say(calibration.words(request.duration, len(training_set.recordings)), err=True)
    from unheard.generation.init_audio import InitAudio
    from unheard.generation.rejection import audited

    begin = None if request.init_audio is None else InitAudio.of(request.init_audio)
    paths = destination.paths(
        lambda number: model.record_of(request, *request.place(number), training_set, begin)
    )
    if not quiet and not as_json and (moved := destination.moved(paths)) is not None:
        say(moved, err=True)
    with display.loading("the recordings"):
        auditor = _auditor(model, request, training_set, audit, quiet)
    written = _Written()
    saves_what_is_finished()
    try:
        with display.generating() as progress:
            sounds = model.stream(request, training_set, progress, init_audio=begin)
            model.warn_of_unknown_words(request)
            for sound in sounds:
                if sound.number in paths:
                    path = paths[sound.number]
                    sound = sound if auditor is None else audited(sound, auditor)
                    written.take(sound, _save(sound, path, asked.as_float, overwrite))
                    if save_latents:
                        sound.save_latents(latents_beside(path))
    finally:
        written.tell(as_json=as_json, quiet=quiet, verbose=verbose)
    if recorded is not None and asked.again:
        record.compare(recorded, provenance.read(paths[asked.numbers[0]].with_suffix(".json")))


class _Written:
    """The sounds that are written, and what is said of each in the end, however that comes."""

    def __init__(self) -> None:
        self._results: dict[int, dict[str, Any]] = {}
        self._details: dict[int, list[str]] = {}

    def take(self, sound: Sound, result: dict[str, Any]) -> None:
        self._results[sound.number] = result
        self._details[sound.number] = explain(sound)

    def tell(self, *, as_json: bool, quiet: bool, verbose: bool) -> None:
        """Print them in the order in which they were asked for."""
        numbers = sorted(self._results)
        if as_json and numbers:
            say_json({"results": [self._results[number] for number in numbers]})
        elif not quiet:
            for number in numbers:
                say(*describe(self._results[number]), *(self._details[number] if verbose else []))


def _prepare(asked: record.Asked) -> tuple[Model, Request, TrainingSet]:
    """Load the model and check the request against it; what takes no model is found out before."""
    given, recorded = asked.given, asked.guidance
    preset = read_given_preset(given)
    from unheard.backbones.hub import fetch
    from unheard.generation.defaults import read_defaults

    name = given["model"] or "tiny"
    guidance = chosen_guidance(given, preset, recorded, read_defaults(fetch(name)).guidance_named)
    with importing():
        from unheard.generation.model import load
        from unheard.index import Index

    index: Any = "auto" if given["index"] is None else Index.open(given["index"])
    changed = {name: given[name] for name in ("lora", "text_encoder", "compile") if given[name] is not None}
    model = load(
        name, device=given["device"] or "auto", dtype=given["dtype"], embedder=given["embedder"], **changed
    )
    request = request_for(model, asked.prompts, given, preset, guidance)
    training_set = model.training_set(index, request.named_references)
    return model, calibrated(request, model, training_set, given, preset, recorded), training_set


def read_given_preset(given: Mapping[str, Any]) -> Preset:
    """The preset that the options name, or one that says nothing; and whether the options go together."""
    if given["reject"] is None and given["retries"] is not None:
        raise click.UsageError("--retries has nothing to do without --reject: give both")
    return Preset() if given["preset"] is None else read_preset(given["preset"])


def request_for(
    model: Model,
    prompts: Sequence[str],
    given: Mapping[str, Any],
    preset: Preset,
    guidance: Guidance | None,
) -> Request:
    """What a model is asked for by the options, and by the preset where no option says it."""
    options = {name: given[name] for name in OF_REQUEST if given[name] is not None}
    return model.request(prompts, guidance=guidance, **{**preset.options, **options})


def calibrated(
    request: Request,
    model: Model,
    training_set: TrainingSet,
    given: Mapping[str, Any],
    preset: Preset,
    recorded: Mapping[str, Any] | None = None,
) -> Request:
    """A request whose guidance has the thresholds that were calibrated for its training set."""

    def named(kind: str) -> Guidance | None:
        return model.guidance_named(kind, training_set, request.duration)

    return replace(request, guidance=chosen_guidance(given, preset, recorded, named))


def _auditor(
    model: Model, request: Request, training_set: TrainingSet, asked: bool | None, quiet: bool
) -> Auditor | None:
    """What judges finished sounds; None where `--reject` does, or nobody is to.

    Raises:
        InputError: an audit is asked for, and no recordings are available.
    """
    if request.reject is not None:
        if asked is False:
            raise click.UsageError("--reject audits every sound: leave --no-audit out")
        return None
    available = 0 if asked is not None else training_set.audited_with
    if asked:
        return model.auditor(training_set)
    if 0 < available <= AT_ONCE:
        try:
            return model.auditor(training_set)
        except InputError as error:
            warnings.warn(f"not audited: {error}", stacklevel=1)
    elif available and not quiet:
        say(f"not audited: {available:,} recordings are available; --audit compares with them", err=True)
    return None


def _read(given: Mapping[str, Any], prompts_file: str | None, source: str | None) -> Iterator[Input]:
    """Every file and folder that the options name to be read."""
    references = given["references"]
    yield from inputs([prompts_file], "the list of prompts")
    yield from inputs([source], "the record")
    yield from inputs([given["preset"]], "the preset")
    yield from inputs([given["init_audio"]], "the recording to begin from")
    yield from inputs([given["index"]], "the index", whole=True)
    yield from inputs(references if isinstance(references, list) else [references], "a recording")
    yield from inputs([given["model"]], "the model", whole=True)
    yield from inputs([path for path, _ in given["lora"] or ()], "a LoRA")
    yield from inputs([given["text_encoder"]], "the text encoder", whole=True)
    yield from inputs([given["embedder"]], "the embedder", whole=True)


def _save(sound: Sound, path: Path, as_float: bool, overwrite: bool) -> dict[str, Any]:
    """Write a sound, warn of what is wrong with it, and sum it up."""
    sound.save(path, float=as_float, overwrite=overwrite)
    for fault in sound.faults:
        warnings.warn(f"{path}: {fault}", stacklevel=1)
    audit = sound.provenance.get("audit")
    if audit is not None and audit["reject"] is not None and audit["verdict"] == "not judged":
        warnings.warn(f"{path} could not be audited: {audit['reason']}", stacklevel=1)
    return summary(sound, path)


def _is_of_environment(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.ENVIRONMENT
