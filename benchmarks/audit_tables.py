"""The tables of `benchmarks.audit`: what was found of copies, and what was said of different pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import binomtest

from benchmarks.audit_contenders import CONTENDERS
from benchmarks.audit_treatments import TREATMENTS
from unheard.auditing import VERDICTS

FALSE_ALARMS = 1e-3
COPIES = ("copy", "partial copy")
UNTOLD = ("too short to tell", "not judged")
LONG = 3.0
"""Seconds from which a real sound is told of apart."""


def share(hits: int, total: int) -> dict[str, Any]:
    """A share and its 95 % interval (Wilson), which is everything where there is nothing to go by."""
    interval = (0.0, 1.0)
    if total:
        interval = tuple(map(float, binomtest(hits, total).proportion_ci(method="wilson")))
    return {"hits": hits, "of": total, "interval": interval}


def thresholds(different: list[dict[str, Any]]) -> dict[str, float]:
    """What one in 1,000 of the different pairs that the audit can tell exceeds, by contender."""
    told = [row for row in different if row["verdict"] not in UNTOLD]
    return {
        name: float(np.quantile([row[name] for row in told], 1 - FALSE_ALARMS))
        for name in ("audit", *CONTENDERS)
    }


def recall(copies: list[dict[str, Any]], bounds: dict[str, float]) -> list[dict[str, Any]]:
    """One line a sort of sound, treatment and extent."""
    whole = [row for row in copies if row["treatment"] == "unaltered" and row["extent"] == "whole"]
    untold = {row["origin"] for row in whole if row["verdict"] in UNTOLD}
    lines = []
    for group, extent, treatment in dict.fromkeys(
        (_group(row), row["extent"], row["treatment"]) for row in sorted(copies, key=_line_order)
    ):
        some = [
            row
            for row in copies
            if (_group(row), row["extent"], row["treatment"]) == (group, extent, treatment)
        ]
        told = [row for row in some if row["origin"] not in untold]
        line = {"group": group, "extent": extent, "treatment": treatment, "asked": some[0]["asked"]}
        line |= {"copies": len(some), "too short": len(some) - len(told)}
        line["verdict"] = share(sum(row["found"] for row in told), len(told))
        line["said too short"] = sum(row["verdict"] == "too short to tell" for row in told)
        for name, bound in bounds.items():
            line[name] = share(sum(row[name] > bound for row in told), len(told))
        lines.append(line)
    return lines


def _group(row: dict[str, Any]) -> str:
    if row["kind"] == "rendered":
        return "rendered"
    return "real, 3 s and more" if row["seconds"] >= LONG else "real, shorter"


def _line_order(row: dict[str, Any]) -> tuple[str, bool, int]:
    return _group(row), row["extent"] == "half", list(TREATMENTS).index(row["treatment"])


def false_alarms(different: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line a sort of pair: how often the audit says what."""
    sorts: dict[str, Callable[[dict[str, Any]], bool]] = {
        "all": lambda row: True,
        "real, same pack": lambda row: row["kind"] != "rendered" and row["relation"] == "pack",
        "real, same source": lambda row: row["kind"] != "rendered" and row["relation"] == "source",
        "real, others": lambda row: row["kind"] != "rendered" and row["relation"] == "other",
        "rendered, same family": lambda row: row["kind"] == "rendered" and row["relation"] == "pack",
        "rendered, others": lambda row: row["kind"] == "rendered" and row["relation"] != "pack",
        "single strokes of one pack": lambda row: row["strokes"] and row["relation"] == "pack",
        "unaltered": lambda row: row["treatment"] == "unaltered",
        "treated": lambda row: row["treatment"] != "unaltered",
    }
    lines = []
    for name, belongs in sorts.items():
        some = [row for row in different if belongs(row)]
        verdicts = [row["verdict"] for row in some]
        called = {verdict: verdicts.count(verdict) for verdict in VERDICTS}
        hit = {row["origin"] for row in some if row["verdict"] in COPIES}
        told = sum(verdict not in UNTOLD for verdict in verdicts)
        copies = share(sum(called[verdict] for verdict in COPIES), told)
        line = {"pairs": name, "compared": len(some), "called": called, "copies": copies}
        lines.append(line | {"origins": len({row["origin"] for row in some}), "origins hit": len(hit)})
    return lines


def print_tables(lines: list[dict[str, Any]], alarms: list[dict[str, Any]]) -> None:
    """What `recall` and `false_alarms` give, as Markdown."""
    columns = ("verdict", "audit", *CONTENDERS)
    heads = ("audit's verdict", "audit's score", *CONTENDERS)
    for group in dict.fromkeys(line["group"] for line in lines):
        print(f"\n| {group} | asked | n | too short | {' | '.join(heads)} |")
        print("|---" + "|--:" * (3 + len(heads)) + "|")
        for line in lines:
            if line["group"] == group:
                name = line["treatment"] + (", half" if line["extent"] == "half" else "")
                shares = " | ".join(_text(line[column]) for column in columns)
                told = f"{line['asked']:.2f} | {line['copies']} | {line['too short']}"
                print(f"| {name} | {told} | {shares} |")
    heads = ("compared", "origins", *VERDICTS, "called copies, at most", "origins with one")
    print(f"\n| different pairs | {' | '.join(heads)} |")
    print("|---" + "|--:" * len(heads) + "|")
    for line in alarms:
        called = " | ".join(f"{line['called'][verdict]:,}" for verdict in VERDICTS)
        most = f"{line['copies']['interval'][1]:.5f}"
        counts = f"{line['compared']:,} | {line['origins']}"
        print(f"| {line['pairs']} | {counts} | {called} | {most} | {line['origins hit']} |")


def _text(found: dict[str, Any]) -> str:
    if found["of"] == 0:
        return ""
    low, high = found["interval"]
    return f"{found['hits'] / found['of']:.2f} [{low:.2f}-{high:.2f}]"
