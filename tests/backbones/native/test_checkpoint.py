"""Checkpoints: plain, wrapped by a training, averaged, of another model, damaged, and one that runs code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from unheard.backbones import load_backbone
from unheard.backbones.hub import locate
from unheard.backbones.native.checkpoint import read_checkpoint
from unheard.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")

TRANSFORMER = "model.model.preprocess_conv.weight"


@pytest.fixture(scope="module")
def weights(open_folder: Path) -> dict[str, Tensor]:
    return load_file(open_folder / "model.safetensors")


@pytest.fixture
def folder(open_folder: Path, tmp_path: Path) -> Path:
    """A copy to change, without the checkpoint."""
    copied = shutil.copytree(open_folder, tmp_path / "model")
    (copied / "model.safetensors").unlink()
    return copied


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_checkpoint_is_read_from_safetensors_and_from_a_pickle_of_tensors(
    open_folder: Path, weights: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save({"state_dict": weights}, tmp_path / "wrapped.ckpt")
    torch.save(weights, tmp_path / "bare.ckpt")
    for path in (open_folder / "model.safetensors", tmp_path / "wrapped.ckpt", tmp_path / "bare.ckpt"):
        assert same(read_checkpoint(path), weights)


def test_a_training_checkpoint_is_unwrapped(weights: dict[str, Tensor], tmp_path: Path) -> None:
    held = {f"diffusion.{name}": weight for name, weight in weights.items()}
    noise = {"losses.weight": torch.ones(1), "diffusion_ema.initted": torch.tensor(True)}
    torch.save({"state_dict": {**held, **noise}, "epoch": 3, "optimizer_states": [{}]}, tmp_path / "a.ckpt")
    assert same(read_checkpoint(tmp_path / "a.ckpt"), weights)


def test_averaged_weights_stand_for_the_last_ones(weights: dict[str, Tensor], tmp_path: Path) -> None:
    held = {f"diffusion.{name}": weight for name, weight in weights.items()}
    averaged = {
        name.replace("model.", "diffusion_ema.ema_model.", 1): weight + 1
        for name, weight in weights.items()
        if name.startswith("model.model.")
    }
    torch.save({"state_dict": {**held, **averaged}}, tmp_path / "a.ckpt")
    found = read_checkpoint(tmp_path / "a.ckpt")
    assert found.keys() == weights.keys()
    for name, weight in weights.items():
        assert torch.equal(found[name], weight + 1 if name.startswith("model.model.") else weight)


class Exploit:
    """What would run at once if it were unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("touched"),))  # type: ignore[return-value]


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Exploit()}, "a.ckpt")
    with pytest.raises(
        ModelError, match=r"cannot read .*a\.ckpt without running .* unwrap_model\.py"
    ) as caught:
        read_checkpoint(tmp_path / "a.ckpt")
    assert "\n" not in str(caught.value)
    assert not Path("touched").exists()


def test_what_is_no_checkpoint_of_a_transformer_is_refused(
    weights: dict[str, Tensor], tmp_path: Path
) -> None:
    autoencoder = {name.removeprefix("pretransform.model."): weight for name, weight in weights.items()}
    save_file(
        {name: weight for name, weight in autoencoder.items() if name[0] in "de"},
        tmp_path / "vae.safetensors",
    )
    with pytest.raises(
        ModelError, match=r"no weights of a stable-audio-tools transformer .* but (de|en)coder"
    ):
        read_checkpoint(tmp_path / "vae.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="cannot read"):
        read_checkpoint(tmp_path / "bad.safetensors")


def test_weights_that_do_not_belong_to_the_configuration_are_named(
    folder: Path, weights: dict[str, Tensor]
) -> None:
    def refused(changed: dict[str, Tensor], said: str) -> None:
        save_file(changed, folder / "model.safetensors")
        with pytest.raises(ModelError, match=said) as caught:
            load_backbone(folder, device="cpu")
        assert "\n" not in str(caught.value)

    lacking = {name: weight for name, weight in weights.items() if name != TRANSFORMER}
    refused(lacking, r"lacks the weights of transformer\.preprocess_conv\.weight")
    refused(
        {**weights, "model.model.extra.weight": torch.ones(1)},
        r"holds model\.model\.extra\.weight, which the",
    )
    other = {**weights, TRANSFORMER: torch.ones(4, 8, 1)}
    refused(other, r"preprocess_conv\.weight of shape \[4, 8, 1\], where .* has 1 x \[8, 8, 1\]")
    stacked = "model.model.transformer.layers.0.self_attn.to_qkv.weight"
    refused({**weights, stacked: weights[stacked].T.contiguous()}, r"to_qkv\.weight of shape \[128, 384\]")


def test_which_checkpoint_of_a_folder(tmp_path: Path) -> None:
    def chosen(path: Path = tmp_path) -> str:
        return locate(path).name

    (tmp_path / "model_config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"holds a model_config\.json and no checkpoint"):
        chosen()
    (tmp_path / "Foundation-1.ckpt").touch()
    assert chosen() == "Foundation-1.ckpt"
    (tmp_path / "Foundation-1.safetensors").touch()
    assert chosen() == "Foundation-1.safetensors"  # the same weights
    (tmp_path / "other.ckpt").touch()
    with pytest.raises(ModelError, match=r"\(Foundation-1\.safetensors, other\.ckpt\): name one, such"):
        chosen()
    assert chosen(tmp_path / "other.ckpt") == "other.ckpt"
    assert chosen(tmp_path / "Foundation-1.ckpt") == "Foundation-1.ckpt"
    (tmp_path / "model.ckpt").touch()
    assert chosen() == "model.ckpt"
    (tmp_path / "model.safetensors").touch()
    assert chosen() == "model.safetensors"


def test_a_checkpoint_is_told_from_another_by_its_content_not_by_its_name(
    folder: Path, weights: dict[str, Tensor], open_folder: Path
) -> None:
    first = load_backbone(open_folder, device="cpu").fingerprint
    save_file(weights, folder / "Foundation-1.safetensors")
    assert load_backbone(folder, device="cpu").fingerprint == first
    save_file({**weights, TRANSFORMER: weights[TRANSFORMER] + 1}, folder / "Foundation-1.safetensors")
    assert load_backbone(folder, device="cpu").fingerprint != first


def test_a_checkpoint_may_have_a_configuration_of_its_own(folder: Path, weights: dict[str, Tensor]) -> None:
    save_file(weights, folder / "base.safetensors")
    (folder / "base_config.json").write_text((folder / "model_config.json").read_text())
    (folder / "model_config.json").write_text(json.dumps({"model_type": "autoencoder"}))
    assert load_backbone(folder / "base.safetensors", device="cpu").sample_rate == 16_000
    (folder / "base_config.json").unlink()
    with pytest.raises(ModelError, match="model_type is 'autoencoder'"):
        load_backbone(folder / "base.safetensors", device="cpu")
    (folder / "model_config.json").unlink()
    with pytest.raises(ModelError, match=r"no model_config\.json lies beside .*base\.safetensors"):
        load_backbone(folder / "base.safetensors", device="cpu")
