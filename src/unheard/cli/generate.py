"""`unheard generate`: options to a request, and every finished sound to a file at once."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from unheard.auditing import BOUNDS
from unheard.cli.output import Reporter, describe, summary
from unheard.cli.preset import Preset, read_preset
from unheard.cli.prompts import read_prompts
from unheard.diffusion.settings import SAMPLERS
from unheard.errors import InputError
from unheard.generation import provenance
from unheard.generation.request import DEFAULT_RETRIES, check_prompts
from unheard.guidance import GUIDANCES, read_guidance
from unheard.guidance.amg.settings import AMG, DISSIMILARITY_SPACES
from unheard.guidance.base import Guidance

if TYPE_CHECKING:
    from unheard.generation.model import Model
    from unheard.generation.request import Request
    from unheard.generation.training_set import TrainingSet

SAMPLING_OPTIONS = ("num_inference_steps", "guidance_scale", "sampler", "sigma_min", "sigma_max")
DTYPES = ("float32", "float16", "bfloat16")
GUIDANCE_OPTIONS = ("c1", "c2", "c3", "lambda_min", "lambda_max", "dissimilarity_space")


def _of_model(*names: str, help: str, **options: Any) -> Callable[[Any], Any]:
    """An option whose default travels with the model."""
    return click.option(*names, help=f"{help}  [default: the model's]", **options)


@click.command()
@click.argument("prompts", metavar="PROMPT...", nargs=-1)
@click.option("--prompts-file", metavar="FILE", help="Read further prompts from a text file, one a line.")
@click.option("--from", "source", metavar="JSON", help="Make the sound of this JSON again.")
@click.option("--output", metavar="PATH", help="WAV to write, or several as PATH-1 ...  [default: audio.wav]")
@_of_model("--duration", type=float, metavar="S", help="Seconds of sound.")
@click.option("--start", type=float, metavar="S", help="Second of the piece where it begins.  [default: 0]")
@click.option("--seed", type=int, metavar="N", help="The same seed gives the same sound.  [default: 0]")
@click.option("--count", type=int, metavar="N", help="Sounds for each prompt, seed by seed.  [default: 1]")
@click.option("--batch", type=int, metavar="N", help="Sounds generated at once.  [default: all, up to 4]")
@_of_model("--num-inference-steps", type=int, metavar="N", help="Denoising steps.")
@_of_model("--guidance-scale", type=float, metavar="S", help="How closely to follow the prompt.")
@click.option("--negative-prompt", metavar="T", help="What the sound shall not be.")
@_of_model("--sampler", type=click.Choice(SAMPLERS), help="How the noise is taken away.")
@_of_model("--sigma-min", type=float, metavar="S", help="Last noise level before 0.")
@_of_model("--sigma-max", type=float, metavar="S", help="First noise level.")
@_of_model("--c1", type=float, metavar="W", help="Weight of despecification.")
@_of_model("--c2", type=float, metavar="W", help="Weight of caption deduplication.")
@_of_model("--c3", type=float, metavar="W", help="Weight of dissimilarity.")
@_of_model("--lambda-min", type=float, metavar="L", help="Similarity above which the guidance acts at first.")
@_of_model("--lambda-max", type=float, metavar="L", help="Similarity above which the guidance acts at last.")
@_of_model("--dissimilarity-space", type=click.Choice(DISSIMILARITY_SPACES), help="What c3 is measured in.")
@_of_model("--guidance", type=click.Choice([*GUIDANCES, "none"]), help="Kind of guidance.")
@click.option("--preset", metavar="FILE", help="Guidance and its settings from JSON, as `tune` writes it.")
@click.option("--no-guidance", is_flag=True, default=None, help="Let training recordings come out.")
@click.option("--model", metavar="MODEL", help="tiny, a folder or a hub id; see `models`.  [default: tiny]")
@_of_model("--embedder", metavar="NAME", help="Folder or hub id of the CLAP that hears similarity.")
@_of_model("--index", metavar="PATH", help="Training set to stay away from.")
@click.option(
    "--reject", type=click.Choice(BOUNDS), help="Audit; make what is as bad as this again, or refuse it."
)
@click.option("--retries", type=int, metavar="N", help="How often --reject tries again.  [default: 4]")
@click.option(
    "--references", metavar="PATH", help="For detour and --reject.  [default: the index's or model's]"
)
@click.option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:N or mps.  [default: auto]")
@click.option("--dtype", type=click.Choice(DTYPES), help="Precision of the model.  [default: float32]")
@click.option("--float", "as_float", is_flag=True, default=None, help="Write 32-bit float, not normalised.")
@click.option("--json", "as_json", is_flag=True, help="Print what came out as one JSON object.")
def generate(
    prompts: tuple[str, ...],
    prompts_file: str | None,
    source: str | None,
    output: str | None,
    count: int | None,
    as_float: bool | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Generate sounds from text prompts, steering away from the training recordings.

    Writes a WAV for each sound as soon as it is finished, and beside it a JSON with everything that it takes
    to make the same sound again: --from, with which other options override the record. Ctrl-C keeps what
    is finished. With --reject, a sound that replays a recording is made again with another seed and stronger
    guidance; one that never passes is not written, and the exit code is 3.

    \b
    Examples:
      unheard generate "An acoustic drum loop, 110 bpm"
      unheard generate "An acoustic drum loop, 110 bpm" --no-guidance --output copy.wav
      unheard generate "Warm strings" "A bright bell" --count 4 --output sounds.wav
      unheard generate "A slow piano" --model stabilityai/stable-audio-open-1.0 \\
          --index embeddings_new.json --duration 10 --dtype float16
      unheard generate "An acoustic drum loop, 110 bpm" --reject copy --retries 4
      unheard generate --from audio.json --output again.wav
    """
    texts = [*prompts, *([] if prompts_file is None else read_prompts(prompts_file))]
    record = None if source is None else provenance.read(source)
    overridden = bool(texts) or count is not None or any(value is not None for value in given.values())
    again = record if not overridden else None  # the very same sound: its whole batch is made again
    if record is not None:
        given, texts = _fill_in(given, record, texts)
        as_float = record["result"].get("encoding") == "float" if as_float is None else as_float
    if again is not None:
        texts, given["seed"] = again["batch"]["prompts"], again["batch"]["seeds"]
        given["batch"] = len(texts)
    if not texts:
        raise click.UsageError("no prompt: give one, or --prompts-file FILE, or --from JSON")
    if count is not None and count < 1:
        raise InputError(f"count is {count}: give at least 1")
    asked = [text for text in check_prompts(texts) for _ in range(count or 1)]
    kept = range(len(asked)) if again is None else [again["batch"]["position"]]
    paths = dict(zip(kept, _targets(Path(output or "audio.wav"), len(kept)), strict=True))
    _check_places(paths.values())

    reporter = Reporter(quiet=as_json)
    model, request, training_set = _prepare(asked, given, reporter)
    done: dict[int, dict[str, Any]] = {}
    try:
        with reporter.progress() as progress:
            for sound in model.stream(request, training_set, progress):
                if sound.number not in paths:
                    continue
                path = sound.save(paths[sound.number], float=bool(as_float))
                for fault in sound.faults:
                    warnings.warn(f"{path}: {fault}", stacklevel=1)
                done[sound.number] = summary(sound, path)
                audit = sound.provenance.get("audit")
                if audit is not None and audit["verdict"] == "not judged":
                    warnings.warn(f"{path} could not be audited: {audit['reason']}", stacklevel=1)
    finally:
        results = [done[number] for number in sorted(done)]
        if as_json and results:
            click.echo(json.dumps({"results": results}, indent=2, ensure_ascii=False))
        elif not as_json:
            for result in results:
                click.echo(describe(result))
    if again is not None:
        _compare(again, provenance.read(paths[kept[0]].with_suffix(".json")))


def _prepare(
    prompts: list[str], given: dict[str, Any], reporter: Reporter
) -> tuple[Model, Request, TrainingSet]:
    """Load the model and check the request against it."""
    weights = {name: given[name] for name in GUIDANCE_OPTIONS if given[name] is not None}
    if given["no_guidance"] and weights:
        first = next(iter(weights)).replace("_", "-")
        raise click.UsageError(f"--no-guidance leaves nothing for --{first} to do: give one of the two")
    preset = Preset() if given["preset"] is None else read_preset(given["preset"])
    if given["reject"] is None and given["retries"] is not None:
        raise click.UsageError("--retries has nothing to do without --reject: give both")
    with reporter.loading(given["model"] or "tiny"):
        from unheard.generation.model import load
        from unheard.index import Index

        # Before the model, which takes longer to load than a wrong index takes to be found out.
        index: Any = "auto" if given["index"] is None else Index.open(given["index"])
        model = load(
            given["model"] or "tiny",
            device=given["device"] or "auto",
            dtype=given["dtype"],
            embedder=given["embedder"],
        )
        guidance = _guidance(given, weights, preset, model.defaults.guidance)
        request = model.request(
            prompts,
            duration=given["duration"],
            start=given["start"] or 0.0,
            seed=0 if given["seed"] is None else given["seed"],
            batch=given["batch"],
            guidance=guidance,
            index=given["index"] or "auto",
            reject=given["reject"],
            retries=DEFAULT_RETRIES if given["retries"] is None else given["retries"],
            references=given["references"],
            **{
                name: preset.options.get(name) if given[name] is None else given[name]
                for name in (*SAMPLING_OPTIONS, "negative_prompt")
            },
        )
        training_set = model.training_set(index, request.named_references)
    return model, request, training_set


def _guidance(
    given: dict[str, Any], weights: dict[str, Any], preset: Preset, default: Guidance | None
) -> Guidance | Literal["auto"] | None:
    """What is asked for: a preset, a kind, weights of AMG, what a record says, or the model's own.

    A kind other than the preset's or the record's comes with the model's settings, or the published ones.
    """
    if given["no_guidance"] or given["guidance"] == "none":
        return None
    if not (weights or preset.has_guidance or given["guidance"] or given.get("recorded")):
        return "auto"
    base = default if given.get("recorded") is None else read_guidance(given["recorded"])
    if preset.has_guidance:
        base = preset.guidance
    if given["guidance"] is not None and (base is None or base.kind != given["guidance"]):
        base = default if default is not None and default.kind == given["guidance"] else None
        base = read_guidance({"kind": given["guidance"]}) if base is None else base
    if not weights:
        return base
    if given["guidance"] not in (None, AMG.kind):
        first = next(iter(weights)).replace("_", "-")
        raise click.UsageError(f"--{first} belongs to --guidance amg, not to {given['guidance']}")
    return replace(base if isinstance(base, AMG) else AMG(), **weights)


def _fill_in(
    given: dict[str, Any], record: dict[str, Any], prompts: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """The options of a recorded sound, under those given on the command line."""
    recorded = {
        **record["sampling"],
        "no_guidance": True if record["guidance"] is None else None,
        "duration": record["duration"],
        "start": record["start"],
        "seed": record["seed"],
        "negative_prompt": record.get("negative_prompt"),
        "model": record["model"]["name"],
        "embedder": (record["embedder"] or {}).get("given"),
        "index": (record["index"] or {}).get("given"),
        "references": (record.get("recordings") or {}).get("given"),
        "device": record["machine"]["device"],
        "dtype": record["machine"]["dtype"],
    }
    decisive = (*GUIDANCE_OPTIONS, "guidance", "preset")
    if given["no_guidance"] or any(given[name] is not None for name in decisive):
        # What is asked for now decides between guidance and none.
        recorded["no_guidance"] = None
    filled = {name: recorded.get(name) if value is None else value for name, value in given.items()}
    return {**filled, "recorded": record["guidance"]}, prompts or [record["prompt"]]


def _compare(then: dict[str, Any], now: dict[str, Any]) -> None:
    """Say whether the same bytes came out, and if not, what is not as it was."""
    changes = provenance.differences(then, now)
    because = "; ".join(changes)
    if then["result"].get("sha256") == now["result"]["sha256"]:
        click.echo(f"the same bytes as recorded{f', although {because}' if changes else ''}", err=True)
    else:
        warnings.warn(f"not the same bytes as recorded: {because or 'for no recorded reason'}", stacklevel=1)


def _targets(output: Path, count: int) -> list[Path]:
    """One path a sound: the output itself, or with -1, -2 ... before the ending if there are several."""
    if output.suffix.lower() != ".wav":
        raise InputError(f"output is {output}: give a file name that ends in .wav")
    if count == 1:
        return [output]
    return [output.with_name(f"{output.stem}-{number}{output.suffix}") for number in range(1, count + 1)]


def _check_places(paths: Collection[Path]) -> None:
    """Find out before generating that the sounds can be written."""
    for path in paths:
        for place in (path, path.with_suffix(".json")):
            if place.is_dir():
                raise InputError(f"cannot write {place}: it is a folder; give another name")
    folder = next(iter(paths)).parent
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(f"cannot write to {folder}: it {problem}; make it first (mkdir -p {folder})")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; choose another place") from error
