"""The prompts of an experiment: from a list, a file, duplicates of an index, or what a model brings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from unheard.backbones.hub import fetch
from unheard.common.checks import check_keys
from unheard.common.prompt_files import read_lines
from unheard.common.structured_files import read_json
from unheard.errors import InputError, said
from unheard.generation.request import check_prompt

LARGEST_DUPLICATES = 1 << 30
"""Bytes that a list of duplicates may have: it grows with the training set."""
KEYS = ("set", "list", "file", "duplicates", "group", "half", "select")
HALVES = ("development", "report")

Item = TypeVar("Item")


@dataclass(frozen=True)
class Prompt:
    """A caption, the group that it is summarised with, ids of its training items, seconds (None: default)."""

    text: str
    group: str
    targets: tuple[str, ...] = ()
    duration: float | None = None


def read_prompts(sources: Any, file: Path, model: str | Path) -> tuple[tuple[Prompt, ...], dict[str, str]]:
    """The prompts of the `[[prompts]]` of an experiment file, and why some cannot be generated.

    Args:
        sources: tables with one of `list`, `file`, `duplicates` or `set`; of each, `half` takes the captions
            that settings are chosen on or those that are reported on, and then `select` a slice.
        file: the experiment file, which paths are relative to.
        model: whose sets of prompts are meant, as `unheard.backbones.hub.fetch` takes it; fetched for these
            alone.

    Raises:
        InputError: no tables, an unknown key, a source that cannot be read, or no prompt at all.
    """
    if not isinstance(sources, list) or not all(isinstance(source, Mapping) for source in sources):
        raise InputError(f"{file}: prompts are {sources!r}: give tables, such as [[prompts]] with a list")
    chosen: list[Prompt] = []
    for source in sources:
        check_keys(source, KEYS, f"{file}, prompts")
        group = source.get("group")
        if not isinstance(group, str | None):
            raise InputError(f"the group of prompts is {group!r}: give a name")
        some = _chosen(_once(_of_source(source, file.parent, model)), source)
        chosen += some if group is None else [replace(prompt, group=group) for prompt in some]
    found: list[Prompt] = []
    refused: dict[str, str] = {}
    for prompt in _once(chosen):
        try:
            check_prompt(prompt.text)
        except InputError as error:
            refused[str(prompt.text)] = str(error)
        else:
            found.append(prompt)
    if not found:
        raise InputError(f"{file} has no prompt that can be generated: give [[prompts]] with a list or a set")
    return tuple(found), refused


def _once(prompts: Iterable[Prompt]) -> list[Prompt]:
    """Every caption once, with the targets of all that have it, in the group where it comes first.

    A caption may stand for a cluster of near-identical sounds and for one of near-identical captions.
    """
    found: dict[str, Prompt] = {}
    for prompt in prompts:
        first = found.setdefault(prompt.text, prompt)
        targets = tuple(dict.fromkeys(first.targets + prompt.targets))
        found[prompt.text] = replace(first, targets=targets)
    return list(found.values())


def half(items: Sequence[Item], kinds: Sequence[Hashable], name: str) -> list[Item]:
    """Every other item of each kind, from the first on for "development", from the second for "report".

    Kinds are of one length with the items; those that are halved together, such as captions of one dose,
    are represented alike on both sides. The order is that of the kinds' first items.

    Raises:
        InputError: another name.
    """
    check_keys([name], HALVES, "half")
    alike: dict[Hashable, list[Item]] = defaultdict(list)
    for item, kind in zip(items, kinds, strict=True):
        alike[kind].append(item)
    first = HALVES.index(name)
    return [item for some in alike.values() for item in some[first::2]]


def _chosen(prompts: list[Prompt], source: Mapping[str, Any]) -> list[Prompt]:
    if "half" in source:
        prompts = half(prompts, [(each.group, len(each.targets)) for each in prompts], source["half"])
    if "select" not in source:
        return prompts
    try:
        bounds = [int(part) if part else None for part in str(source["select"]).split(":")]
        return prompts[slice(*bounds)] if len(bounds) > 1 else [prompts[int(source["select"])]]
    except (ValueError, TypeError, IndexError) as error:
        raise InputError(
            f"select is {source['select']!r}: give first:last or first:last:step, such as '1::2'"
        ) from error


def _of_source(source: Mapping[str, Any], folder: Path, model: str | Path) -> list[Prompt]:
    """The prompts of a source, in the groups that it has itself."""
    listed = source.get("list", [])
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        raise InputError(f"the list of prompts is {listed!r}: give a list of texts")
    try:
        if "list" in source:
            return [Prompt(text, "listed") for text in source["list"]]
        if "file" in source:
            return [Prompt(line, source["file"]) for line in read_lines(folder / source["file"])]
        if "duplicates" in source:
            clusters = read_json(folder / source["duplicates"], LARGEST_DUPLICATES)["clusters"]
            return [Prompt(each["prompt"], each["kind"], tuple(each["ids"])) for each in clusters]
        if source.get("set") == "memorised":
            entries = read_json(fetch(model) / "memorised.json")
            return [
                Prompt(each["caption"], f"x{each['repetitions']}", tuple(each["items"])) for each in entries
            ]
        if source.get("set") == "ordinary":
            entries = read_json(fetch(model) / "prompts.json")["ordinary"]
            return [Prompt(each["caption"], "ordinary", (), each["duration"]) for each in entries]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"prompts {dict(source)} cannot be read: {said(error)}") from error
    raise InputError(f"prompts {dict(source)}: give list, file, duplicates, or set = memorised or ordinary")
