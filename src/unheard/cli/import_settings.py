"""`unheard import-settings`: a published script's settings as a preset."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import click

from unheard.cli.options import overwrite_option
from unheard.cli.published.script import Script, read_script
from unheard.cli.published.translation import Row, Translation, translate
from unheard.cli.targets import Target, check_targets, inputs
from unheard.cli.terminal import say, say_json
from unheard.common.files import write_whole
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError
from unheard.generation.preset import preset_of

OF_SAMPLING = tuple(part.name for part in fields(Sampling))


@click.command("import-settings")
@click.argument("script", metavar="SCRIPT")
@click.option("-o", "--output", metavar="FILE", help="Write the preset here.  [default: print it]")
@click.option(
    "--call", "number", type=int, default=1, show_default=True, metavar="N", help="Which call to read."
)
@overwrite_option()
def import_settings(script: str, output: str | None, number: int, overwrite: bool) -> None:
    """Turn the settings of a Python SCRIPT of the published code into a preset.

    Reads amg_infer.py, my_infer.py, and any script that calls my_generate_diffusion_cond, or
    generate_diffusion_cond of stable-audio-tools. The script is read as text and never run: literals are
    understood, arithmetic on them, and names that are bound to such. The preset is for `unheard generate
    --preset` and for `preset` in an experiment file. A table says what each name became, what has no meaning
    here, and what could not be read. Without --output the preset is printed, and the table goes to standard
    error.

    \b
    Examples:
      unheard import-settings amg_infer.py --output preset.json
      unheard generate "An acoustic drum loop, 110 bpm" --preset preset.json
    """
    if output is not None:
        check_targets([Target(Path(output))], inputs([script], "the script"), overwrite=overwrite)
    read = read_script(script, number)
    translation = translate(read)
    try:
        sampling = preset_of(translation.preset, script).options
        Sampling(**{name: value for name, value in sampling.items() if name in OF_SAMPLING})
    except InputError as error:
        raise InputError(f"{script} has settings that cannot be used: {error}") from error
    if output is None:
        say_json(translation.preset)
    else:
        write_whole(Path(output), f"{json.dumps(translation.preset, indent=2)}\n".encode())
    say(*_report(read, translation, output), err=output is None)


def _report(script: Script, done: Translation, output: str | None) -> list[str]:
    """The table, and the command line to go on with."""
    what = "no call, but the names that it sets"
    if script.function is not None:
        what = f"{script.function} in line {script.line}"
    lines = [f"{script.path}: {what}; read, not run"]
    if len(script.calls) > 1:
        lines.append(f"it is called in the lines {', '.join(map(str, script.calls))}: --call N reads another")
    lines += _section("in the script", "here", done.became)
    lines += _section("without meaning here", "because", done.meaningless)
    if done.unread:
        lines += ["", "could not be read: give these yourself"]
    for name, unread in done.unread:
        why = f" ({unread.why})" if unread.why else ""
        lines.append(f"  {script.path}:{unread.line}: {name}: {unread.expression}{why}")
    return [*lines, "", "go on with", f"  {done.command(output or 'preset.json')}"]


def _section(there: str, here: str, rows: list[Row]) -> list[str]:
    """Some rows under a heading, in columns."""
    if not rows:
        return []
    width = max(len(there), *(len(row.there) for row in rows))
    lines = ["", f"  {there:{width}}  line  {here}"]
    for row in rows:
        number = "" if row.line is None else row.line
        lines.append(f"  {row.there:{width}}  {number:>4}  {row.here}")
    return lines
