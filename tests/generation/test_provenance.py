"""The JSON beside a WAV: valid, readable, and enough to see what has changed."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unheard
from unheard.diffusion.settings import Sampling
from unheard.errors import InputError
from unheard.generation import provenance

RECORD: dict[str, Any] = {
    "unheard": provenance.FORMAT,
    "prompt": "A bell é",
    "negative_prompt": None,
    "seed": 3,
    "duration": 1.0,
    "start": 0.0,
    "sampling": {
        "sampler": "euler",
        "num_inference_steps": 2,
        "sigma_min": 0.3,
        "sigma_max": 80.0,
        "guidance_scale": 3.0,
    },
    "guidance": None,
    "batch": {"position": 0, "prompts": ["A bell é"], "seeds": [3]},
    "model": {"name": "tiny", "fingerprint": "sha256:aa"},
    "embedder": None,
    "index": None,
    "machine": {
        "device": "cpu",
        "device_name": "x",
        "dtype": "float32",
        "threads": 1,
        "packages": {"torch": "2"},
    },
    "result": {"encoding": "16-bit", "sha256": "bb"},
    "trace": [{"sigma": 80.0, "value": None}, {"sigma": 0.3, "value": None}],
}

texts = st.text(st.characters(exclude_categories=["Cs"]))  # no prompt holds lone surrogates
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


def strict(text: str) -> Any:
    """JSON as the standard has it, without NaN and infinities."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def without_infinities(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [without_infinities(item) for item in value]
    if isinstance(value, dict):
        return {key: without_infinities(item) for key, item in value.items()}
    return value


def test_what_is_written_is_read(tmp_path: Path) -> None:
    provenance.write(tmp_path / "a.json", RECORD)
    assert provenance.read(tmp_path / "a.json") == RECORD
    assert list(provenance.read(tmp_path / "a.json")) == list(RECORD)  # in the order in which it is read


def test_a_trace_entry_is_a_line(tmp_path: Path) -> None:
    provenance.write(tmp_path / "a.json", RECORD)
    lines = (tmp_path / "a.json").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line.rstrip(",")) for line in lines[-4:-2]] == RECORD["trace"]


@settings(deadline=None)
@given(extra=st.dictionaries(texts, values, max_size=4), trace=st.lists(values, max_size=3))
def test_every_record_is_valid_json(
    tmp_path_factory: pytest.TempPathFactory, extra: dict, trace: list
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    record = {**extra, "trace": trace}
    provenance.write(path, record)
    assert strict(path.read_text(encoding="utf-8")) == without_infinities(record)


def test_half_a_surrogate_pair_is_written_as_json_has_it(tmp_path: Path) -> None:
    record = {**RECORD, "trace": [{"neighbour": "caf\ud83d", "sigma": 1.0}]}
    provenance.write(tmp_path / "a.json", record)
    assert json.loads((tmp_path / "a.json").read_bytes())["trace"] == record["trace"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read"),
        ("{", "is not JSON"),
        ("[1]", "does not describe a sound"),
        ('{"a": 1}', "does not describe a sound"),
        ('{"unheard": 99}', "format 99"),
        ('{"unheard": 1}', "lacks prompt, seed, duration, start, guidance, sampling.sampler"),
        ('{"unheard": 1, "sampling": 3}', "lacks"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=message):
        provenance.read(path)


@pytest.mark.parametrize(
    ("sampler", "noise"), [("euler", None), ("dpmpp_3m_sde", "torchsde"), ("pingpong", "torchsde")]
)
def test_a_record_of_format_2_names_the_noise_of_its_day(
    tmp_path: Path, sampler: str, noise: str | None
) -> None:
    record = copy.deepcopy(RECORD) | {"unheard": 2}
    record["sampling"]["sampler"] = sampler
    provenance.write(tmp_path / "a.json", record)
    read = provenance.read(tmp_path / "a.json")
    assert read["unheard"] == provenance.FORMAT
    assert read["sampling"].get("noise") == noise
    assert Sampling(**read["sampling"]).noise == noise or noise is None
    provenance.write(tmp_path / "b.json", read)
    assert provenance.read(tmp_path / "b.json") == read


@pytest.mark.parametrize("lora", [3, [3], [{"path": "a"}], {"path": "a"}])
def test_a_lora_that_is_none_is_refused(tmp_path: Path, lora: object) -> None:
    record = copy.deepcopy(RECORD)
    record["model"]["lora"] = lora
    provenance.write(tmp_path / "a.json", record)
    with pytest.raises(InputError, match="has a LoRA that is none"):
        provenance.read(tmp_path / "a.json")


def test_nothing_differs_from_itself() -> None:
    assert provenance.differences(RECORD, RECORD) == []


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("model", "fingerprint"), "sha256:cc", "the model has other contents"),
        (("model", "lora"), [{"sha256": "ee"}], "a LoRA has other contents"),
        (("index",), {"sha256": "dd"}, "the index has other contents"),
        (("recordings",), {"items": 3}, "the number of recordings available was 0, is 3"),
        (("recordings",), {"encoded": 3}, "the number of recordings encoded beforehand was 0, is 3"),
        (("machine", "threads"), 2, "threads was 1, is 2"),
        (("machine", "packages"), {"torch": "3"}, "torch was 2, is 3"),
        (("machine", "packages"), {"torch": "2", "numpy": "2"}, "numpy was None, is 2"),
    ],
)
def test_differences_are_named(place: tuple[str, ...], value: object, said: str) -> None:
    now = copy.deepcopy(RECORD)
    part = now
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    assert provenance.differences(RECORD, now) == [said]


def test_versions_name_this_package() -> None:
    versions = provenance.package_versions()
    assert versions["unheard"] == unheard.__version__
    assert versions["torch"].startswith("2.")
