"""`unheard models`: the models that are known to work."""

from __future__ import annotations

from dataclasses import asdict

import click

from unheard.cli.terminal import say, say_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the models as one JSON object.")
def models(as_json: bool) -> None:
    """List the models that are known to work, and what each needs.

    A folder that a diffusers pipeline of their kind was saved to can be loaded as well. So can one with a
    model_config.json and a checkpoint of stable-audio-tools, as creators publish Stable Audio models.

    \b
    Examples:
      unheard models
      unheard generate "A bell" --model tiny
      unheard generate "A bell" --model ./Foundation-1/ --no-guidance
    """
    from unheard.backbones.hub import KNOWN_MODELS, find_local

    rows = [{**asdict(known), "here": find_local(known.name) is not None} for known in KNOWN_MODELS]
    if as_json:
        say_json({"models": rows})
        return
    for row in rows:
        say(f"{row['name']}  {'(on this machine)' if row['here'] else '(not downloaded)'}")
        say(f"  {row['summary']}")
        say(f"  licence: {row['licence']}{'' if row['url'] is None else ', ' + row['url']}")
        say(f"  needs: {row['needs']}")
        if row["distilled"]:
            say("  distilled: runs at guidance scale 1, so the detour works, and AMG's c1 and c2 do not")
