"""What a script asks of `generate_diffusion_cond`, read as Python's syntax: nothing of it is run.

Understood are literals, arithmetic on numbers, texts and tables that are put together, and names that are
bound to such, as far as it is certain which binding holds at the call (`bindings`). Of options that the
script asks for with `argparse` the defaults are read. Everything else is handed out as it stands in the file.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from pathlib import Path

from unheard.cli.published.bindings import Bindings
from unheard.cli.published.readings import Reading
from unheard.common.regular_files import read_regular
from unheard.errors import InputError

PUBLISHED, PLAIN = "my_generate_diffusion_cond", "generate_diffusion_cond"
FUNCTIONS = (PUBLISHED, PLAIN)
POSITIONS = (
    "model", "steps", "cfg_scale", "conditioning", "conditioning_tensors", "negative_conditioning",
    "negative_conditioning_tensors", "batch_size", "sample_size", "sample_rate", "seed", "device",
    "init_audio", "init_noise_level", "return_latents", "c1", "c2", "c3", "lambda_min", "lambda_max",
)  # fmt: skip
"""The arguments in their order, the last five of the published function alone."""
LONGEST = 1_000_000  # bytes of a script


@dataclass(frozen=True)
class Script:
    """What a script says.

    Attributes:
        path: as it was given.
        function: the function that it calls, one of `FUNCTIONS`; None if it only sets names.
        line: of the call.
        calls: the lines of all calls.
        arguments: of the call, by name; of a script without a call, the names that it sets.
        model: what `get_pretrained_model` is asked for.
        imports: the packages that it imports, the outermost name of each.
    """

    path: str
    function: str | None
    line: int | None
    calls: tuple[int, ...]
    arguments: dict[str, Reading]
    model: Reading | None
    imports: tuple[str, ...]


def read_script(path: str | Path, number: int = 1) -> Script:
    """Read a script.

    Args:
        path: of a Python file.
        number: which of its calls, from 1, in the order of their lines.

    Raises:
        InputError: it cannot be read, is not Python, or has no such call and sets none of the names either.
    """
    try:
        content = read_regular(path, LONGEST)
    except (OSError, InputError) as error:
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
        bindings = Bindings(tree)
    except SyntaxError as error:
        raise InputError(f"{path}:{error.lineno or 1} is not Python: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{path} is not Python that can be read: {error}") from error
    calls = sorted(bindings.calls(FUNCTIONS), key=lambda found: found[1].lineno)
    model = next((call for _, call in bindings.calls(("get_pretrained_model",))), None)
    asked = None if model is None else bindings.argument(model, 0, "name")
    lines = tuple(call.lineno for _, call in calls)
    if not calls:
        named = {name: bindings.last(name) for name in POSITIONS + _SETTINGS if bindings.is_set(name)}
        if not named:
            raise InputError(
                f"{path} calls neither {PUBLISHED} nor {PLAIN}, and sets none of their arguments: give "
                "amg_infer.py, or a script like it"
            )
        return Script(str(path), None, None, (), named, asked, bindings.imports)
    if not 1 <= number <= len(calls):
        raise InputError(f"call is {number}, but {path} has {len(calls)}: give 1 to {len(calls)}")
    function, call = calls[number - 1]
    arguments = bindings.arguments(call, POSITIONS)
    arguments.pop("model", None)
    return Script(str(path), function, call.lineno, lines, arguments, asked, bindings.imports)


_SETTINGS = (
    "denoising_steps", "total_duration", "prompt", "seconds_start", "seconds_total", "sampler_type",
    "sigma_min", "sigma_max", "rho",
)  # fmt: skip
