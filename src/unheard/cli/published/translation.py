"""What a script says, as a preset, as a command line, and as a table of what each name became."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from unheard.cli.published.names import BY_NAME, NOT_NEEDED
from unheard.cli.published.readings import Read, Reading, Unread
from unheard.cli.published.script import PLAIN, PUBLISHED, Script
from unheard.diffusion.settings import SAMPLERS, sampler_named
from unheard.guidance.amg.settings import AMG

OF_AMG = ("c1", "c2", "c3", "lambda_min", "lambda_max")
LEFT_OUT: dict[str | None, dict[str, Any]] = {
    PUBLISHED: {
        "steps": 250, "cfg_scale": 6, "sampler_type": "my-dpmpp-3m-sde", "sigma_min": 0.01,
        "sigma_max": 100, "c1": 5.0, "c2": 5.0, "c3": 5.0, "lambda_min": 0.4, "lambda_max": 0.5,
        "seed": -1,
    },
    PLAIN: {
        "steps": 250, "cfg_scale": 6, "sampler_type": "dpmpp-2m-sde", "sigma_min": 0.01, "sigma_max": 100,
        "seed": -1,
    },
    None: {},
}  # fmt: skip
"""What the two functions take where a script says nothing."""
UNPACKED = ("argument", "**")
"""What the names of arguments begin with that stand in a list or a table that could not be read."""
_SHOWN = 44  # characters of a value in the table


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        there: the name and its value in the script.
        line: where the value stands; None where the function's own default holds.
        here: what it became, or why it has no meaning.
    """

    there: str
    line: int | None
    here: str


@dataclass
class Translation:
    """What became of a script.

    Attributes:
        preset: what `--preset` reads.
        options: what no preset holds, as words behind `unheard generate`.
        prompts: those of the conditioning.
        became: names that mean something here.
        meaningless: names that do not.
        unread: what could not be read, with the name that it is the value of.
    """

    preset: dict[str, Any] = field(default_factory=dict)
    options: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    became: list[Row] = field(default_factory=list)
    meaningless: list[Row] = field(default_factory=list)
    unread: list[tuple[str, Unread]] = field(default_factory=list)

    def command(self, preset: str) -> str:
        """The command line that does what the script does, with the preset in a file of this name."""
        prompts = self.prompts or ["PROMPT"]
        return shlex.join(["unheard", "generate", *prompts, "--preset", preset, *self.options])


def translate(script: Script) -> Translation:
    """What became of each name that a script gives to its call, and of those that it leaves out."""
    done = Translation()
    told = {
        {"denoising_steps": "steps", "total_duration": "seconds_total"}.get(name, name): reading
        for name, reading in script.arguments.items()
    }
    if script.model is not None:
        _option(done, "get_pretrained_model", script.model, "--model")
    for name, reading in told.items():
        _argument(done, name, reading, several=script.function is not None)
    # What may be in a table that could not be read is not left out.
    unsure = any(isinstance(told[name], Unread) for name in told if name.startswith(UNPACKED))
    for name, value in {} if unsure else LEFT_OUT[script.function].items():
        if name not in told:
            _setting(done, name, Read(value, 0))
    table = {name: done.preset.pop(name) for name in OF_AMG if name in done.preset}
    if table or script.function == PUBLISHED:
        done.preset = {"guidance": {"kind": AMG.kind, **table}, **done.preset}
        done.options += ["--index", "embeddings_new.json"]
        done.became.append(Row("embeddings_new.json", None, "--index embeddings_new.json"))
    elif script.function == PLAIN:
        done.became.append(Row("no anti-memorization", None, "the model's own guidance; or --no-guidance"))
    for package in script.imports:
        if package in NOT_NEEDED:
            done.meaningless.append(Row(f"import {package}", None, NOT_NEEDED[package]))
    return done


def _argument(done: Translation, name: str, reading: Reading, several: bool) -> None:
    """One argument of the call."""
    if name in ("conditioning", "negative_conditioning") and several:
        _conditioning(done, name, reading)
    elif name == "prompt":
        _prompt(done, name, reading)
    elif name == "seconds_total" or name == "seconds_start":
        _option(done, name, reading, str(BY_NAME[name].option))
    elif name == "device" and isinstance(reading, Unread):
        done.became.append(_row(name, reading, "--device auto, the default"))
    elif name in ("device", "init_noise_level"):
        _option(done, name, reading, str(BY_NAME[name].option))
    elif name == "init_audio":
        _init_audio(done, reading)
    elif name == "return_latents":
        if isinstance(reading, Read) and not reading.value:
            return
        _flag(done, name, reading, "--save-latents")
    elif name == "batch_size":
        if isinstance(reading, Read) and reading.value == max(1, len(done.prompts)):
            return  # one sound for each conditioning, as it is here
        _option(done, name, reading, "--count")
    elif name == "rho":
        fits = isinstance(reading, Read) and reading.value == 1
        otherwise = "noise levels are spaced with rho 1 only: the sound will differ"
        because = BY_NAME[name].note if fits else otherwise
        done.meaningless.append(_row(name, reading, because))
    elif name in BY_NAME and BY_NAME[name].option is None:
        done.meaningless.append(_row(name, reading, BY_NAME[name].note))
    elif name in BY_NAME:
        _setting(done, name, reading)
    elif isinstance(reading, Unread) and name.startswith(UNPACKED):
        done.unread.append((name, reading))
    elif isinstance(reading, Unread) or reading.value is not None:
        done.meaningless.append(_row(name, reading, "unheard knows no such argument"))


def _setting(done: Translation, name: str, reading: Reading) -> None:
    """A name that a preset holds, or the seed; line 0 is what the script leaves out."""
    reading = _plain(reading)
    if isinstance(reading, Unread):
        done.unread.append((name, reading))
        return
    value: Any = reading.value
    if name == "seed":
        _option(done, name, replace(reading, value="random") if value == -1 else reading, "--seed", of=value)
        return
    if name == "sampler_type":
        value = sampler_named(value) if isinstance(value, str) else value
        if value not in SAMPLERS:
            instead = f"there is no such sampler here; the nearest is dpmpp_3m_sde, of {', '.join(SAMPLERS)}"
            done.meaningless.append(_row(name, reading, instead))
            return
    key = str(BY_NAME[name].setting)
    done.preset[key] = value
    done.became.append(_row(name, reading, f"{json.dumps(key)}: {json.dumps(value)}"))


def _option(done: Translation, name: str, reading: Reading, option: str, of: Any = None) -> None:
    """A name that is an option of the command line alone; `of` is what stands in the script, if another."""
    reading = _plain(reading)
    if isinstance(reading, Unread):
        done.unread.append((name, reading))
        return
    word = f"{reading.value:g}" if isinstance(reading.value, float) else str(reading.value)
    done.options += [option, word]
    was = reading if of is None else replace(reading, value=of)
    done.became.append(_row(name, was, f"{option} {shlex.quote(word)}"))


def _flag(done: Translation, name: str, reading: Reading, option: str) -> None:
    if isinstance(reading, Unread):
        done.unread.append((name, reading))
    else:
        done.options.append(option)
        done.became.append(_row(name, reading, option))


def _prompt(done: Translation, name: str, reading: Reading) -> None:
    reading = _plain(reading)
    if isinstance(reading, Unread):
        done.unread.append((name, reading))
        return
    done.prompts.append(str(reading.value))
    done.became.append(_row(name, reading, "behind `unheard generate`"))


def _init_audio(done: Translation, reading: Reading) -> None:
    if isinstance(reading, Read) and reading.value is None:
        return
    done.options += ["--init-audio", "FILE"]
    done.became.append(_row("init_audio", reading, "--init-audio FILE, with the name of your recording"))


def _conditioning(done: Translation, name: str, reading: Reading) -> None:
    """Prompts and times: a list of tables."""
    if isinstance(reading, Read) and reading.value is None:
        return
    tables = [*_tables(reading)]
    if not tables:
        unread = reading if isinstance(reading, Unread) else Unread(_short(str(reading.value)), reading.line)
        done.unread.append((name, unread))
        return
    if name == "negative_conditioning":
        _negative(done, tables[0])
        return
    for table in tables:
        if "prompt" in table:
            _prompt(done, "prompt", table["prompt"])
    start, total = tables[0].get("seconds_start"), tables[0].get("seconds_total")
    begin = start.value if isinstance(start, Read) and isinstance(start.value, int | float) else 0
    if start is not None and (isinstance(start, Unread) or start.value):
        _option(done, "seconds_start", start, "--start")
    if isinstance(total, Read) and isinstance(total.value, int | float):
        seconds = replace(total, value=_less(total.value, begin))
        _option(done, "seconds_total", seconds, "--duration", of=total.value)
    elif total is not None:
        _option(done, "seconds_total", total, "--duration")


def _less(total: float, begin: float) -> float:
    """The difference of two numbers; infinity for one of hundreds of digits."""
    try:
        return total - begin
    except OverflowError:
        return math.inf


def _negative(done: Translation, table: dict[str, Reading]) -> None:
    prompt = table.get("prompt")
    if isinstance(prompt, Read) and not prompt.value:
        because = "nothing: the model's own unconditional prediction, with the sound's times"
        done.became.append(_row("negative prompt", prompt, because))
    elif prompt is not None:
        _setting(done, "negative_conditioning", prompt)


def _tables(reading: Reading) -> Iterator[dict[str, Reading]]:
    if isinstance(reading, Read):
        for each in reading.value if isinstance(reading.value, list) else [reading]:
            if isinstance(each, Read) and isinstance(each.value, dict):
                yield each.value


def _plain(reading: Reading) -> Reading:
    """A value that an option can be; a list or a table, where a script has one, is not understood."""
    if isinstance(reading, Read) and isinstance(reading.value, list | dict):
        shown = "a list" if isinstance(reading.value, list) else "a table"
        return Unread("...", reading.line, f"{shown}, where one value is expected")
    return reading


def _row(name: str, reading: Reading, here: str) -> Row:
    if isinstance(reading, Unread):
        return Row(f"{name} = {_short(reading.expression)}", reading.line, here)
    shown = "..." if isinstance(reading.value, list | dict) else json.dumps(reading.value, ensure_ascii=False)
    if not reading.line:
        return Row(f"{name}, left out: {shown}", None, here)
    of = f", default of {reading.option}" if reading.option else ""
    return Row(f"{name} = {_short(shown)}{of}", reading.line, here)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
