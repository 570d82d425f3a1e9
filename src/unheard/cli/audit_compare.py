"""`unheard audit compare`: what differs between two audits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from unheard.auditing.comparison import Change, Comparison, read_audit
from unheard.auditing.comparison import compare as compare_audits
from unheard.cli import exits
from unheard.cli.options import CommandWithHeadings
from unheard.cli.terminal import say, say_json


@click.command()
@click.argument("before")
@click.argument("after")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
def compare(before: str, after: str, as_json: bool) -> int:
    """Say what is new, gone and changed from BEFORE to AFTER, two files that `unheard audit --json` printed.

    Exit code 0: nothing differs. 1: something differs, and nothing is worse. 3: a sound is worse than before,
    or a new one replays a reference.

    \b
    Example:
      unheard audit out/ --json > march.json
      unheard audit out/ --json > april.json
      unheard audit compare march.json april.json
    """
    found = compare_audits(read_audit(before), read_audit(after))
    if as_json:
        say_json({**asdict(found), "worse": found.is_worse})
    else:
        say(*_lines(found))
    return exits.FOUND if found.is_worse else exits.DIFFERENT if found.differs else 0


class AuditCommand(CommandWithHeadings):
    """`unheard audit SOUNDS`, and `unheard audit compare`, where no sound has that name."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == [compare.name] and not os.path.exists(args[0]):
            return compare.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


def _lines(found: Comparison) -> Iterator[str]:
    for path, verdict in found.new.items():
        yield f"new      {path}: {verdict}"
    for path, verdict in found.gone.items():
        yield f"gone     {path}: {verdict}"
    for change in found.changed:
        yield f"{'worse' if change.is_worse else 'changed':8} {change.path}: {_said(change)}"
    yield (
        f"{len(found.new):,} new, {len(found.gone):,} gone, {len(found.changed):,} changed, "
        f"{found.same:,} the same"
    )


def _said(change: Change) -> str:
    verdicts = change.after if change.before == change.after else f"{change.before}, now {change.after}"
    parts = [verdicts]
    if change.new:
        parts.append(f"replays {', '.join(change.new)}")
    if change.gone:
        parts.append(f"no longer replays {', '.join(change.gone)}")
    return "; ".join(parts)
