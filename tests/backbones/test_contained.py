"""A model's folder is data: it names no file outside itself, and its code is never run."""

from __future__ import annotations

import io
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from replaying import RECORDINGS

import unheard
from unheard.auditing.catalogue import Catalogue
from unheard.backbones.contained import check_contained, inside
from unheard.backbones.hub import fetch
from unheard.backbones.texts import known_tokens, tokenized
from unheard.embedders import load_embedder
from unheard.errors import ModelError
from unheard.generation.defaults import read_defaults
from unheard.generation.model import Model


@pytest.fixture
def model(tiny_model_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_model_folder, tmp_path / "model")


def bring_code(folder: Path) -> Path:
    """Have a tokenizer's folder name Python of its own; gives the file that it would write."""
    mark = folder / "ran"
    (folder / "own.py").write_text(
        f"open({str(mark)!r}, 'w').close()\n"
        "from transformers import PreTrainedTokenizerFast\n"
        "class OwnTokenizer(PreTrainedTokenizerFast): pass\n"
    )
    path = folder / "tokenizer_config.json"
    said = json.loads(path.read_text())
    said |= {"tokenizer_class": "OwnTokenizer", "auto_map": {"AutoTokenizer": ["own.OwnTokenizer"] * 2}}
    path.write_text(json.dumps(said))
    return mark


@pytest.mark.parametrize("part", ["tokenizer", "guide"])
def test_code_in_a_folder_is_neither_asked_about_nor_run(
    model: Path, part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 9))
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    mark = bring_code(model / part)
    # Where transformers has a tokenizer for this kind of model, it is taken; else the folder is refused.
    with suppress(ModelError):
        if part == "guide":
            load_embedder(model / part).embed_text(["a bell"])
        else:
            unheard.load_backbone(model)
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["../secret.json", "/etc/hostname", "vae/../../secret.json", "~/x", "..\\x", ""]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(model: Path, name: str) -> None:
    (model.parent / "secret.json").write_text("{}")
    with pytest.raises(ModelError, match="is outside of it"):
        inside(model, name)


def test_a_link_is_followed_within_the_folder_and_within_the_cache_of_the_hub(tmp_path: Path) -> None:
    folder = tmp_path / "models--a--b" / "snapshots" / ("0" * 40)
    (tmp_path / "models--a--b" / "blobs").mkdir(parents=True)
    (tmp_path / "models--a--b" / "blobs" / "1").touch()
    folder.mkdir(parents=True)
    (folder / "weights").symlink_to("../../blobs/1")
    assert inside(folder, "weights").exists()
    (folder / "away").symlink_to(tmp_path)
    with pytest.raises(ModelError, match="outside"):
        inside(folder, "away")


@pytest.mark.parametrize("key", ["index", "references", "embedder"])
def test_settings_of_a_model_name_nothing_outside(model: Path, key: str) -> None:
    (model.parent / "index.json").write_text("{}")
    settings = json.loads((model / "unheard.json").read_text())
    (model / "unheard.json").write_text(json.dumps({**settings, key: "../index.json"}))
    with pytest.raises(ModelError, match=r"'\.\./index\.json', which is outside"):
        read_defaults(fetch(model))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("transformer/diffusion_pytorch_model.safetensors.index.json", {"weight_map": {"a": "../../secret"}}),
        ("text_encoder/model.safetensors.index.json", {"weight_map": {"a": "{outside}"}}),
        ("tokenizer/tokenizer_config.json", {"vocab_file": "{outside}"}),
    ],
)
def test_weights_and_vocabularies_lie_inside(model: Path, file: str, content: dict) -> None:
    outside = model.parent / "secret"
    outside.touch()
    (model / file).write_text(json.dumps(content).replace("{outside}", str(outside)))
    with pytest.raises(ModelError, match="outside of"):
        fetch(model)


@pytest.mark.parametrize("file", ["unheard.json", "transformer/config.json", "vae/model.safetensors"])
def test_a_pipe_or_a_device_in_a_folder_is_not_waited_for(model: Path, file: str) -> None:
    for replace, said in (
        (os.mkfifo, "a named pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
    ):
        (model / file).unlink(missing_ok=True)
        replace(model / file)
        with pytest.raises(ModelError, match=f"{file} is no file of a model: it is {said}"):
            fetch(model)


def test_a_token_that_the_text_encoder_does_not_know_is_told(tiny_model: Model) -> None:
    encoder = tiny_model.backbone.text_encoder  # type: ignore[attr-defined]
    known = encoder.config.vocab_size
    assert known_tokens(torch.tensor([[0, known - 1]]), encoder, "m").shape == (1, 2)
    assert not len(known_tokens(torch.empty(0, dtype=torch.long), encoder, "m"))
    with pytest.raises(ModelError, match=f"the tokenizer of m gives token {known:,}, and its text encoder"):
        known_tokens(torch.tensor([[0, known]]), encoder, "m")


@pytest.mark.parametrize(
    ("limit", "said"), [(0, "it reads 0 tokens"), (10**30, "it reads 1000"), (-1, "it reads -1 tokens")]
)
def test_a_tokenizer_that_cannot_read_is_told(tiny_model: Model, limit: int, said: str) -> None:
    tokenizer = tiny_model.backbone.tokenizer  # type: ignore[attr-defined]
    assert tokenized(tokenizer, ["a bell"], "m").input_ids
    with pytest.raises(ModelError, match=f"the tokenizer of m cannot read texts: {said}"):
        tokenized(tokenizer, ["a bell"], "m", max_length=limit, truncation=True)
    with pytest.raises(ModelError, match="the tokenizer of m cannot read texts"):
        tokenized(tokenizer, [3], "m")  # type: ignore[list-item]


def test_kernels_from_the_hub_are_refused_and_traces_of_another_machine_are_not(model: Path) -> None:
    path = model / "text_encoder" / "config.json"
    said = json.loads(path.read_text())
    path.write_text(
        json.dumps({**said, "_name_or_path": "/etc/hostname", "tokenizer_file": "/root/gone.json"})
    )
    check_contained(model)
    path.write_text(json.dumps({**said, "attn_implementation": "someone/kernel"}))
    with pytest.raises(ModelError, match="never run"):
        fetch(model)


def test_recordings_that_a_model_brings_lie_inside(model: Path) -> None:
    shutil.copy(RECORDINGS / "00000.flac", model.parent / "secret.flac")
    (model / "memorised.json").write_text(json.dumps([{"caption": "x", "items": ["../../secret"]}]))
    with pytest.raises(ModelError, match="outside of it"):
        Catalogue.of_model(model)
