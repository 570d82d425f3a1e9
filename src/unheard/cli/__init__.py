"""The command line: parses, calls the library, prints. Thin on purpose, and quick to start.

    __init__      the program: its commands, how an error becomes one line and an exit code
    generate, audit, calibrate, train_gate, evaluate, tune, figure, index, models, doctor, import_settings,
    studio        one command each
    options       options that commands share, and those made from the fields of settings
    completion    what a shell is offered for their values
    guidance      which guidance the options of `generate` ask for
    published     the published scripts: what their names are called here, and `import-settings`
    record        `--from`
    prompts       prompts from a text file
    files         files that are named: patterns, and whether something can be written
    targets       what is written, compared with what is read
    terminal      what is printed, with control characters escaped; `console` for tables and bars
    progress      progress on standard error
    interruption  what Ctrl-C leaves of a command's work
    output        what came out of `generate`, in words
    audit_output  what an audit found: table, CSV, JSON; `audit_compare` compares two
    exits         the exit codes

torch and the model libraries are imported inside the commands that need them, never up here.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress
from typing import Any, NoReturn

import click

from unheard import __version__
from unheard.cli import (
    audit,
    audit_compare,
    calibrate,
    doctor,
    evaluate,
    exits,
    figure,
    generate,
    import_settings,
    index,
    models,
    studio,
    train_gate,
    tune,
)
from unheard.cli.completion import complete
from unheard.cli.interruption import left_of
from unheard.cli.options import Commands
from unheard.cli.published.names import answer
from unheard.cli.terminal import give_up_output, say, take_any_text
from unheard.common.imports import import_for_good
from unheard.errors import RejectedError, UnheardError


class Program(Commands):
    """The command group, with every error as one line on stderr in place of a traceback or a usage text."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        # The libraries' own notices would drown the one line that matters; whoever sets these gets them back.
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
        # Threads that wait for one another spin, and beside other work each spin holds up the one waited for.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        take_any_text()
        import_for_good()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.simplefilter("always", UserWarning)
                warnings.showwarning = _show_warning
                code = super().main(*args, **{**options, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            say(*error.format_message().split("\n"), err=True)
            sys.exit(exits.ERROR)
        except click.NoSuchOption as error:
            _fail(answer(error) or error.format_message())
        except click.ClickException as error:
            _fail(error.format_message())
        except RejectedError as error:
            _fail(str(error), exits.FOUND)
        except UnheardError as error:
            _fail(str(error))
        except (click.Abort, KeyboardInterrupt) as error:
            # Below the ^C that a terminal shows; of what no command had begun on, nothing is said.
            say("", f"unheard: interrupted; {str(error) or 'nothing was saved'}", err=True)
            sys.exit(exits.INTERRUPTED)
        except OSError as error:  # what the system refuses, such as a full disk behind standard output
            give_up_output()
            _fail(f"{error.filename or 'the output'} fails: {error.strerror or error}")
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except KeyboardInterrupt as error:
            raise click.Abort(left_of(context)) from error


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="unheard", help="Print the version and leave.")
def main() -> None:
    """Text-to-audio generation that steers away from its training recordings.

    \b
    Examples:
      unheard generate "An acoustic drum loop, 110 bpm"
      unheard generate "Warm strings" --seed 7 --duration 3 --output strings.wav
      unheard generate --from audio.json --output again.wav
      unheard audit audio.wav
      unheard doctor
    """


for command in (
    generate.generate, audit.audit, calibrate.calibrate, evaluate.evaluate, tune.tune, index.index,
    doctor.doctor, models.models, import_settings.import_settings, figure.figure, studio.studio,
    train_gate.train_gate,
):  # fmt: skip
    main.add_command(command)
for command in (main, audit_compare.compare):
    complete(command)


def _fail(message: str, code: int = exits.ERROR) -> NoReturn:
    with suppress(OSError):
        say(f"unheard: {' '.join(message.split())}", err=True)
    sys.exit(code)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    say(f"unheard: warning: {' '.join(str(message).split())}", err=True)
