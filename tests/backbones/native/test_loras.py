"""LoRAs and their kin, merged into models of both layouts."""

from __future__ import annotations

import json
from pathlib import Path

import native_models
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from unheard.backbones import load_backbone
from unheard.backbones.lora import Given, given_loras
from unheard.backbones.stable_audio.backbone import StableAudioBackbone
from unheard.backbones.stable_audio.layers import merge_loras
from unheard.errors import InputError, ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")

QKV = "model.transformer.layers.1.self_attn.to_qkv"
KV = "model.transformer.layers.0.cross_attn.to_kv"
CONVOLUTION = "model.preprocess_conv"
TIME = "conditioners.seconds_total.embedder.embedding.1"
LAYERS = {QKV: (384, 128), KV: (128, 64), CONVOLUTION: (8, 8), TIME: (64, 257)}
"""Of the small model, with the outputs and inputs of each."""
KEYS = ".parametrizations.weight.0."


@pytest.fixture(scope="module")
def native_backbone(native: Path) -> StableAudioBackbone:
    return load_backbone(native, device="cpu")  # type: ignore[return-value]


@pytest.fixture(scope="module")
def diffusers_backbone(diffusers: Path) -> StableAudioBackbone:
    return load_backbone(diffusers, device="cpu")  # type: ignore[return-value]


@pytest.fixture(params=["native", "diffusers"])
def backbone(request: pytest.FixtureRequest) -> StableAudioBackbone:
    """The model in either layout."""
    return request.getfixturevalue(f"{request.param}_backbone")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.safetensors"


def rows(backbone: StableAudioBackbone, *lora: Given) -> dict[str, Tensor]:
    """The weights of those layers under LoRAs."""
    with native_models.merged(backbone, given_loras(lora)):
        own = backbone.transformer.transformer_blocks[1].attn1
        across = backbone.transformer.transformer_blocks[0].attn2
        end = backbone.projection_model.end_number_conditioner
        return {
            QKV: torch.cat([own.to_q.weight, own.to_k.weight, own.to_v.weight]),
            KV: torch.cat([across.to_k.weight, across.to_v.weight]),
            CONVOLUTION: backbone.transformer.preprocess_conv.weight[..., 0].clone(),
            TIME: end.time_positional_embedding[1].weight.clone(),
        }


def write(
    path: Path, layers: dict[str, tuple[int, int]], rank: int = 2, **configuration: object
) -> dict[str, Tensor]:
    """Write a LoRA of some layers, each of some outputs and inputs; its matrices."""
    generator = torch.Generator().manual_seed(len(layers))
    matrices = {}
    for layer, (outputs, inputs) in layers.items():
        matrices[f"{layer}{KEYS}lora_A"] = torch.randn(rank, inputs, generator=generator)
        matrices[f"{layer}{KEYS}lora_B"] = torch.randn(outputs, rank, generator=generator)
        if configuration.get("adapter_type") == "dora-rows":
            matrices[f"{layer}{KEYS}magnitude"] = 1 + torch.rand(outputs, generator=generator)
    save_file(matrices, path, metadata={"lora_config": json.dumps({"rank": rank, **configuration})})
    return matrices


def test_a_lora_adds_its_product(backbone: StableAudioBackbone, file: Path) -> None:
    matrices = write(file, LAYERS, alpha=3.0)
    before, after = rows(backbone), rows(backbone, (file, 0.5))
    for layer, weight in before.items():
        product = matrices[f"{layer}{KEYS}lora_B"] @ matrices[f"{layer}{KEYS}lora_A"]
        torch.testing.assert_close(after[layer], weight + 0.5 * 3.0 / 2 * product, rtol=1e-6, atol=1e-6)


def test_a_dora_keeps_the_length_that_was_learnt_of_each_row(
    backbone: StableAudioBackbone, file: Path
) -> None:
    matrices = write(file, LAYERS, adapter_type="dora-rows")
    before, after = rows(backbone), rows(backbone, file)
    for layer, weight in before.items():
        direction = weight + matrices[f"{layer}{KEYS}lora_B"] @ matrices[f"{layer}{KEYS}lora_A"]
        torch.testing.assert_close(after[layer].norm(dim=1), matrices[f"{layer}{KEYS}magnitude"])
        cosines = torch.nn.functional.cosine_similarity(after[layer], direction)
        torch.testing.assert_close(cosines, torch.ones(len(weight)))


def test_loras_add_up_and_a_weight_of_zero_changes_nothing(
    native_backbone: StableAudioBackbone, file: Path
) -> None:
    other = file.with_name("other.safetensors")
    write(file, LAYERS)
    write(other, {QKV: LAYERS[QKV]})
    before, both = rows(native_backbone), rows(native_backbone, file, other)
    first, second = rows(native_backbone, file), rows(native_backbone, other)
    none = rows(native_backbone, (file, 0.0))
    for layer, weight in before.items():
        torch.testing.assert_close(both[layer], first[layer] + second[layer] - weight, rtol=1e-6, atol=1e-6)
        assert torch.equal(none[layer], weight)


def test_other_spellings_of_a_layer_are_the_same_layer(
    native_backbone: StableAudioBackbone, file: Path
) -> None:
    def under(layer: str, like: str) -> Tensor:
        write(file, {layer: LAYERS[like]})
        return rows(native_backbone, file)[like]

    for spelt in (f"model.{QKV}", QKV.removeprefix("model.")):
        assert torch.equal(under(spelt, QKV), under(QKV, QKV))
    assert torch.equal(under(f"conditioner.{TIME}", TIME), under(TIME, TIME))
    assert not torch.equal(under(QKV, QKV), rows(native_backbone)[QKV])


def test_a_lora_of_half_precision_is_merged_in_full(native_backbone: StableAudioBackbone, file: Path) -> None:
    matrices = write(file, LAYERS)
    exact = rows(native_backbone, file)
    save_file({key: value.half() for key, value in matrices.items()}, file)
    for layer, rough in rows(native_backbone, file).items():
        torch.testing.assert_close(rough, exact[layer], rtol=0, atol=0.02)


def test_a_pickled_lora_is_read_without_running_it(native_backbone: StableAudioBackbone, file: Path) -> None:
    pickled = file.with_suffix(".ckpt")
    matrices = write(file, LAYERS, alpha=4.0)
    torch.save({"state_dict": matrices, "lora_config": {"rank": 2, "alpha": 4.0}}, pickled)
    one, other = rows(native_backbone, file), rows(native_backbone, pickled)
    assert all(torch.equal(one[layer], other[layer]) for layer in LAYERS)
    torch.save({"state_dict": matrices, "lora_config": Path("anything")}, pickled)
    with pytest.raises(ModelError, match=r"cannot read the LoRA .*ckpt without running what is in it"):
        rows(native_backbone, pickled)


def test_a_lora_that_does_not_fit_is_refused_and_changes_nothing(
    backbone: StableAudioBackbone, file: Path
) -> None:
    before = rows(backbone)
    write(file, {QKV: LAYERS[QKV], "model.transformer.layers.7.self_attn.to_qkv": LAYERS[QKV]})
    said = r"a\.safetensors does not fit .*: missing there, .* 1 of the 2 layers .*layers\.7"
    with pytest.raises(ModelError, match=said):
        merge_loras(backbone, given_loras([file]))
    write(file, {QKV: (384, 64)})
    with pytest.raises(ModelError, match=r"of another size, 1 of the 1 layer that it changes, model"):
        merge_loras(backbone, given_loras([file]))
    assert all(torch.equal(weight, before[layer]) for layer, weight in rows(backbone).items())


def test_what_is_no_lora_is_refused(native_backbone: StableAudioBackbone, file: Path) -> None:
    def refused(content: dict[str, Tensor], said: str, **configuration: object) -> None:
        save_file(content, file, metadata={"lora_config": json.dumps(configuration)})
        with pytest.raises(ModelError, match=said) as caught:
            rows(native_backbone, file)
        assert "\n" not in str(caught.value)

    matrices = write(file, {KV: LAYERS[KV]})
    refused({"unet.down.weight": torch.ones(1)}, r"holds unet\.down\.weight, which is no part of a LoRA")
    refused({}, "holds no LoRA")
    save_file(matrices, file, metadata={"lora_config": "[" * 100_000})
    with pytest.raises(ModelError, match="its lora_config is"):
        rows(native_backbone, file)
    refused(matrices, "is of the kind 'vera': unheard merges lora, dora-rows", adapter_type="vera")
    refused(matrices, "has lora_A, lora_B and needs lora_A, lora_B, magnitude", adapter_type="dora")
    refused(matrices, "its rank is 2 and its alpha 0: give numbers above 0", alpha=0)
    file.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot read the LoRA"):
        rows(native_backbone, file)
    with pytest.raises(InputError, match=r"there is no LoRA .*nowhere"):
        given_loras([file.with_name("nowhere")])
    with pytest.raises(InputError, match=r"the weight of the LoRA .* is nan: give a finite number"):
        given_loras([(file, float("nan"))])


def test_a_lora_is_merged_when_a_model_is_loaded(
    native: Path, native_backbone: StableAudioBackbone, file: Path
) -> None:
    write(file, LAYERS)
    loaded = load_backbone(native, device="cpu", lora=[(file, 0.5)])
    assert isinstance(loaded, StableAudioBackbone)
    merged = rows(native_backbone, (file, 0.5))
    assert all(torch.equal(weight, merged[layer]) for layer, weight in rows(loaded).items())
