"""The layers of the package, from the ground up, and how its files import one another.

python tests/layers.py      the map in the package's docstring, made from `LAYERS`
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1] / "src"
PACKAGE = ROOT / "unheard"

LAYERS = {
    "errors": "what can go wrong, one class a cause",
    "common": "files, shards, checks of values, a cache by content, Ray",
    "audio": "reading, writing, resampling, what is wrong with a waveform",
    "figures": "pictures of sounds: spectrograms, matrices of similarities, trajectories",
    "diffusion": "noise schedules, samplers over `model(x, sigma)`, what networks predict",
    "backbones": "the text-to-audio models: encode a prompt, denoise latents, decode them",
    "embedders": "waveform -> unit vector (CLAP), differentiable",
    "index": "the training set: ids, captions, embeddings; building it, searching it",
    "guidance": "any denoiser in, a guided denoiser out, with a trace of every step; a method a folder",
    "auditing": "whether a sound replays a catalogue, where, and how surely; the report",
    "generation": "the whole story: load a model, generate sounds, with their provenance",
    "evaluation": "experiments on matched seeds: metrics and their intervals",
    "studio": "generating, comparing, auditing and indexing in a browser",
    "doctor": "what this machine has and lacks",
    "cli": "the command line",
    "__main__": "`python -m unheard`",
}
"""A module imports from any layer above its own line and from its own folder, nowhere else."""


def the_map() -> str:
    """The lines of the package's docstring that say what lies where."""
    width = max(map(len, LAYERS)) + 2
    return "\n".join(f"    {name:{width}}{what}" for name, what in LAYERS.items())


def module(path: Path) -> str:
    """The dotted name of a file, without `.__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    return {module(path): path for path in sorted(PACKAGE.rglob("*.py")) if "assets" not in path.parts}


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that a file imports, anywhere in it: in functions, under TYPE_CHECKING.

    `from package import name` is the module `package.name` where there is one, and the package else. The
    version alone, which stands in the package itself, is no import of all that it exports.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "unheard" and name != "unheard.__version__":
                yield name if name in known else name.rpartition(".")[0] or name


def layer(name: str) -> str:
    """The layer that a module belongs to; the package itself is none."""
    return [*name.split("."), ""][1]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Strongly connected groups of two modules and more (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return found


if __name__ == "__main__":
    print(the_map())
