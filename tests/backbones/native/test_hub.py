"""Models in the native layout on the hub: one checkpoint of them is downloaded, with its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import native_reference
import pytest
import torch
from fake_hub import FakeHub

from unheard.backbones import hub as hub_module
from unheard.backbones import load_backbone
from unheard.backbones.hub import fetch, full_name, locate
from unheard.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")

NAME = "someone/warm-pads"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What is on the hub: files that are never read."""
    folder = tmp_path / "repository"
    (folder / "samples").mkdir(parents=True)
    (folder / "model_config.json").write_text("{}")
    for name in ("warm.safetensors", "README.md", "samples/warm.safetensors", "samples/a.wav"):
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def hub(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    hub = FakeHub()
    hub.use(monkeypatch, tmp_path / "cache")
    hub.repositories[NAME] = repository
    hub_module._download.cache_clear()
    yield hub
    hub_module._download.cache_clear()
    hub.close()


def refused(model: str) -> str:
    with pytest.raises(ModelError) as caught:
        locate(model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_only_the_configuration_and_the_checkpoint_are_downloaded(hub: FakeHub) -> None:
    located = locate(NAME)
    assert located.read_bytes() == b"warm.safetensors"
    assert sorted(hub.served) == ["model_config.json", "warm.safetensors"]
    assert fetch(NAME) == located.parent
    assert full_name(NAME) == NAME


def test_one_of_several_checkpoints_is_named(hub: FakeHub, repository: Path) -> None:
    (repository / "cold.ckpt").write_bytes(b"cold")
    said = refused(NAME)
    assert f"{NAME} holds several checkpoints (cold.ckpt, warm.safetensors): name one, such as" in said
    assert f"--model {NAME}/cold.ckpt" in said
    assert hub.served == ["model_config.json"]
    assert locate(f"{NAME}/cold.ckpt").read_bytes() == b"cold"
    assert sorted(hub.served) == ["cold.ckpt", "model_config.json"]
    said = refused(f"{NAME}/hot.ckpt")
    assert f"no hot.ckpt in https://huggingface.co/{NAME}, which holds cold.ckpt, warm.safetensors" in said


def test_a_downloaded_checkpoint_needs_no_network(hub: FakeHub) -> None:
    located = locate(NAME)
    hub_module._download.cache_clear()
    hub.close()
    assert locate(NAME) == located


def test_a_checkpoint_that_was_not_downloaded_does(hub: FakeHub, repository: Path) -> None:
    (repository / "cold.ckpt").write_bytes(b"cold")
    refused(NAME)
    hub_module._download.cache_clear()
    hub.close()
    assert f"{NAME} cannot be downloaded" in refused(NAME)


def test_the_text_encoder_is_taken_from_the_hub(
    hub: FakeHub, open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("model_config.json", "model.safetensors"):
        (alone / name).symlink_to(open_folder / name)
    with pytest.raises(
        ModelError, match=r"encoder t5-base is not .* `hf download google-t5/t5-base`.*--text"
    ):
        load_backbone(alone, device="cpu")
    hub.repositories["google-t5/t5-base"] = open_folder / "t5-base"
    loaded = load_backbone(alone, device="cpu")
    assert loaded.fingerprint == load_backbone(open_folder, device="cpu").fingerprint
    hub.close()
    told = load_backbone(alone, device="cpu").encode(
        native_reference.PROMPTS, native_reference.STARTS, native_reference.TOTALS
    )
    expected = native_reference.expected()["open.cross_attention"]
    torch.testing.assert_close(told.cross_attention, expected, rtol=1e-4, atol=1e-4)
