"""`unheard doctor`: what this machine has and lacks."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from unheard.cli.terminal import say, say_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
def doctor(as_json: bool) -> None:
    """Say what this machine has and lacks, for which model, with the command that mends it.

    Asks no network. Leaves with exit code 1 if something is lacking that every model needs.

    \b
    Examples:
      unheard doctor
      unheard doctor --json
    """
    from unheard.doctor import EVERY_MODEL, examine

    findings = examine()
    if as_json:
        say_json({"findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            needed_by = "" if finding.needed_by == EVERY_MODEL else f"  (for {finding.needed_by})"
            say(f"{finding.state:5}  {finding.subject}: {finding.found}{needed_by}")
            if finding.mend is not None:
                say(f"       mend: {finding.mend}")
    sys.exit(any(finding.state == "lacks" and finding.needed_by == EVERY_MODEL for finding in findings))
