"""The three nodes: what they ask for, what they hand on, what they refuse."""

from __future__ import annotations

import asyncio
import json
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_origin, get_type_hints

import comfy_stub as comfy
import pytest
import torch
from pages import ROOT
from tiny_world import CAPTIONS, build_index

from unheard import Detour, IndexFileError, InputError, audio
from unheard.backbones.hub import ASSETS

OF_DEFAULTS = {int: "INT", float: "FLOAT", str: "STRING"}
MEMORISED = ASSETS / "tiny" / "memorised"


@pytest.fixture(scope="module")
def by_id(nodes: Any) -> dict[str, Any]:
    """The nodes as ComfyUI learns of them."""
    extension = asyncio.run(nodes.comfy_entrypoint())
    return {node.define_schema().node_id: node for node in asyncio.run(extension.get_node_list())}


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the bundled recordings."""
    folder = tmp_path_factory.mktemp("references")
    for number in range(5):
        (folder / f"{number:05d}.flac").symlink_to(MEMORISED / f"{number:05d}.flac")
    return folder


def test_the_nodes_are_named_and_every_setting_of_the_detour_is_an_input(by_id: dict[str, Any]) -> None:
    assert {name: node.define_schema().display_name for name, node in by_id.items()} == {
        "UnheardLoadIndex": "Load index",
        "UnheardDetour": "Anti-memorization (detour)",
        "UnheardAudit": "Audit against references",
    }
    inputs = {socket.id: socket for socket in by_id["UnheardDetour"].define_schema().inputs}
    for field in fields(Detour):
        about = inputs[field.name].about
        assert about["default"] == field.default
        assert len(about["tooltip"]) > 20
        chosen = get_origin(get_type_hints(Detour)[field.name]) is Literal
        assert inputs[field.name].io_type == ("COMBO" if chosen else OF_DEFAULTS[type(field.default)])


def test_no_choice_is_offered_that_comfyui_cannot_carry_out(by_id: dict[str, Any]) -> None:
    inputs = {socket.id: socket for socket in by_id["UnheardDetour"].define_schema().inputs}
    assert inputs["if_no_way"].about["options"] == ["unconditional", "unguided"]
    with pytest.raises(ValueError, match="'refuse' not in"):
        inputs["if_no_way"].taken("refuse")


def test_a_widget_whose_default_is_none_of_its_values_is_refused(by_id: dict[str, Any]) -> None:
    """What would keep ComfyUI from running the node at all."""
    from comfy_api.latest import io

    with pytest.raises(ValueError, match="could not convert string to float: 'unconditional'"):
        io.Float.Input("if_no_way", default="unconditional", min=0, step=0.01)
    with pytest.raises(ValueError, match="'refuse' not in"):
        io.Combo.Input("if_no_way", options=["unconditional", "unguided"], default="refuse")
    with pytest.raises(ValueError, match="-1 is out of range"):
        io.Int.Input("candidates", default=-1, min=0)
    with pytest.raises(ValueError, match="is not of INT"):
        io.Int.Input("candidates", default=0.5, min=0, step=1)
    with pytest.raises(TypeError, match="COMBO takes none of"):
        io.Combo.Input("if_no_way", options=["unguided"], default="unguided", min=0)


def test_an_index_goes_into_the_patch(by_id: dict[str, Any], tmp_path: Path, tiny_clap_folder: Path) -> None:
    path = build_index(tmp_path / "index.json")
    (loaded,) = by_id["UnheardLoadIndex"].execute(f" {path} ", str(tiny_clap_folder)).args
    assert list(loaded.index.prompts) == list(CAPTIONS)
    cpu = torch.device("cpu")
    patcher, clip, vae = (
        comfy.ModelPatcher(comfy.StableAudio1(), cpu, cpu),
        comfy.CLIP(8),
        comfy.VAE((64,), 2048),
    )
    patch = by_id["UnheardDetour"].execute
    (patched,) = patch(
        patcher, clip, vae, loaded, "A bell", threshold=0.4, pull=0.5, prompt_weight=0.1, candidates=8
    ).args
    assert len(patched.model_options["sampler_post_cfg_function"]) == 1
    assert "sampler_post_cfg_function" not in patcher.model_options
    with pytest.raises(InputError, match="prompt_weight"):
        patch(patcher, clip, vae, loaded, "A bell", prompt_weight=2.0)


def test_an_index_that_is_none_is_refused(by_id: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no index: give the path or URI"):
        by_id["UnheardLoadIndex"].execute("  ")
    with pytest.raises(IndexFileError):
        by_id["UnheardLoadIndex"].execute(str(tmp_path / "nowhere"))


def test_the_audit_tells_a_copy_from_another_sound(by_id: dict[str, Any], references: Path) -> None:
    copied, rate = audio.read(MEMORISED / "00003.flac")
    seconds = torch.arange(copied.shape[1]) / rate
    other = (0.4 * torch.sin(2 * torch.pi * 200 * seconds * (1 + seconds / 5))).expand_as(copied)
    audit = by_id["UnheardAudit"].execute
    with torch.inference_mode():
        sound = {"waveform": torch.stack([other, copied]), "sample_rate": rate}
        output = audit(sound, references=str(references))
        passed, verdict, share, report = output.args
    assert passed is sound
    assert (verdict, round(share, 1)) == ("copy", 1.0)
    assert [file["verdict"] for file in json.loads(report)["files"]] == ["clear", "copy"]
    (shown,) = output.ui["text"]
    assert shown.splitlines()[0] == "sound 1: clear"
    assert shown.splitlines()[1].startswith("sound 2: copy of 00003.flac, 100% copied, at 0.0-")
    alone = audit({"waveform": other[None], "sample_rate": rate}, references=str(references))
    assert alone.args[1:3] == ("clear", 0.0)


def test_an_audit_needs_something_to_compare_with(by_id: dict[str, Any], loaded: Any) -> None:
    sound = {"waveform": torch.zeros(1, 2, 16_000), "sample_rate": 16_000}
    with pytest.raises(InputError, match="there is nothing to compare with: name a folder"):
        by_id["UnheardAudit"].execute(sound)
    with pytest.raises(InputError, match="does not say where its sounds lie"):
        by_id["UnheardAudit"].execute(sound, index=loaded)


def test_the_example_gives_the_nodes_what_they_ask_for(by_id: dict[str, Any]) -> None:
    workflow = json.loads((ROOT / "comfyui" / "stable-audio.json").read_text())
    used = {node["class_type"]: node["inputs"] for node in workflow.values()}
    for name, node in by_id.items():
        assert [*used[name]] == [socket.id for socket in node.define_schema().inputs]
        for socket in node.define_schema().inputs:
            if isinstance(socket, comfy.Widget):
                assert socket.taken(used[name][socket.id]) == used[name][socket.id]
            else:
                assert isinstance(used[name][socket.id], list)
    settings = {field.name: used["UnheardDetour"][field.name] for field in fields(Detour)}
    assert Detour(**settings) == Detour()
    assert used["UnheardDetour"]["prompt"] in [
        node["inputs"]["text"] for node in workflow.values() if node["class_type"] == "CLIPTextEncode"
    ]
    links = [value for inputs in used.values() for value in inputs.values() if isinstance(value, list)]
    assert {node for node, _ in links} <= workflow.keys()
