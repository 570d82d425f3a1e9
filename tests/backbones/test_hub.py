"""Finding models, on this machine and on the hub, and the settings that travel with them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_hub import COMMIT, FakeHub

from unheard.backbones import fingerprint as fingerprints
from unheard.backbones import hub as hub_module
from unheard.backbones.hub import fetch, find_local
from unheard.backbones.stable_audio.backbone import COMPONENTS
from unheard.diffusion.settings import Sampling
from unheard.errors import ModelError
from unheard.generation.defaults import Defaults, read_defaults
from unheard.guidance.amg.settings import AMG


def test_known_models_say_what_they_need() -> None:
    names = [known.name for known in hub_module.KNOWN_MODELS]
    assert names[:2] == ["tiny", "stabilityai/stable-audio-open-1.0"]
    assert len(set(names)) == len(names)
    for known in hub_module.KNOWN_MODELS:
        assert known.summary
        assert known.licence
        assert known.needs
        assert (known.url is None) == (known.download_gb == 0)


def test_listing_models_loads_no_heavy_library() -> None:
    code = (
        "import sys; from unheard.backbones import hub; hub.KNOWN_MODELS, hub.find_local('tiny');"
        "print(sorted({'torch', 'diffusers', 'transformers', 'numpy', 'huggingface_hub'} & set(sys.modules)))"
    )
    source = str(Path(hub_module.__file__).parents[2])
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": source}
    )
    assert result.stdout.strip() == "[]"


# Folders


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A folder that looks like a model, as far as finding it goes."""
    folder = tmp_path / "model"
    (folder / "vae").mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableAudioPipeline"}))
    (folder / "vae" / "config.json").write_text("{}")
    (folder / "vae" / "weights.safetensors").write_bytes(b"weights")
    return folder


def test_a_folder_is_its_own_model(model_folder: Path) -> None:
    assert fetch(model_folder) == fetch(str(model_folder)) == model_folder


def one_line_error(model: Any) -> str:
    with pytest.raises(ModelError) as caught:
        fetch(model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_no_model_is_refused_in_one_line(model_folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no model_index.json" in one_line_error(empty)
    assert "is a file: give the folder" in one_line_error(model_folder / "model_index.json")
    assert "there is no folder" in one_line_error(tmp_path / "nowhere")
    assert "there is no folder ./nowhere" in one_line_error("./nowhere")
    assert (
        "unknown model 'stable-audio': known are tiny, stabilityai/stable-audio-open-1.0"
        in one_line_error("stable-audio")
    )
    assert "the model is ''" in one_line_error("")
    assert "the model is None" in one_line_error(None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"_class_name": "FluxPipeline"}', "is a FluxPipeline: unheard loads StableAudioPipeline"),
        ("{}", "is a None"),
        ("[]", "holds a list: it must hold a JSON object"),
        ("{", "cannot be read as JSON"),
    ],
)
def test_another_pipeline_is_refused(model_folder: Path, content: str, message: str) -> None:
    (model_folder / "model_index.json").write_text(content)
    assert message in one_line_error(model_folder)


def test_a_missing_bundled_model_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "ASSETS", tmp_path)
    assert "the bundled model 'tiny' is not in this installation" in one_line_error("tiny")
    assert find_local("tiny") is None


def test_the_bundled_name_wins_over_a_folder_of_that_name(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tmp_path / "assets"
    shutil.copytree(model_folder, assets / "tiny")
    shutil.copytree(model_folder, tmp_path / "tiny")
    monkeypatch.setattr(hub_module, "ASSETS", assets)
    monkeypatch.chdir(tmp_path)
    assert fetch("tiny") == find_local("tiny") == assets / "tiny"
    assert fetch("./tiny").resolve() == tmp_path / "tiny"


def test_fingerprint_is_of_names_and_contents(model_folder: Path) -> None:
    first = fingerprints.fingerprint(model_folder, COMPONENTS)
    assert first.startswith("sha256:")
    (model_folder / "notes.txt").write_text("not part of the model")
    assert fingerprints.fingerprint(model_folder, COMPONENTS) == first
    (model_folder / "vae" / "weights.safetensors").write_bytes(b"Weights")
    assert fingerprints.fingerprint(model_folder, COMPONENTS) != first
    (model_folder / "vae" / "weights.safetensors").write_bytes(b"weights")
    (model_folder / "vae" / "weights.safetensors").rename(model_folder / "vae" / "other.safetensors")
    assert fingerprints.fingerprint(model_folder, COMPONENTS) != first


# Settings that travel with a model


def write_defaults(folder: Path, settings: object) -> None:
    (folder / "unheard.json").write_text(json.dumps(settings))


def test_without_a_file_the_published_settings_hold(model_folder: Path) -> None:
    assert read_defaults(model_folder) == Defaults(
        sampling=Sampling("dpmpp_3m_sde", 100, 0.3, 500.0, 7.0),
        guidance=AMG(4.0, 3.0, 100.0, 0.7, 0.8),
        duration=10.0,
        embedder="laion/clap-htsat-unfused",
        index=None,
    )


def test_settings_are_read_and_what_is_left_out_stays_published(model_folder: Path) -> None:
    (model_folder / "guide").mkdir()
    (model_folder / "index.json").write_text("{}")
    write_defaults(
        model_folder,
        {
            "sampling": {"num_inference_steps": 30, "guidance_scale": 3.0},
            "guidance": {"c1": 2.0, "lambda_max": 0.9},
            "duration": 4,
            "embedder": "guide",
            "index": "index.json",
        },
    )
    assert read_defaults(model_folder) == Defaults(
        sampling=Sampling(num_inference_steps=30, guidance_scale=3.0),
        guidance=AMG(c1=2.0, lambda_max=0.9),
        duration=4.0,
        embedder=str(model_folder / "guide"),
        index=model_folder / "index.json",
    )


def test_an_embedder_that_is_no_folder_here_is_a_hub_id(model_folder: Path) -> None:
    write_defaults(model_folder, {"embedder": "laion/larger_clap_music"})
    assert read_defaults(model_folder).embedder == "laion/larger_clap_music"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sampler": "euler"}, "unknown key 'sampler'"),
        ({"sampling": {"sampler": "ddim"}}, "unknown sampler 'ddim'"),
        ({"sampling": {"steps": 3}}, "steps"),
        ({"sampling": [1]}, "mapping"),
        ({"guidance": {"lambda_min": 0.9, "lambda_max": 0.1}}, "lambda_min"),
        ({"duration": 0}, "duration is 0"),
        ({"duration": "4"}, "duration is '4'"),
        ({"embedder": None}, "embedder is None"),
        ({"index": "nowhere.json"}, "index is 'nowhere.json': there is no such file"),
        ({"references": "nowhere.json"}, "references is 'nowhere.json': there is no such file"),
        ([], "holds a list"),
    ],
)
def test_settings_that_cannot_be_used_name_file_and_value(
    model_folder: Path, settings: object, message: str
) -> None:
    write_defaults(model_folder, settings)
    with pytest.raises(ModelError, match=r"unheard\.json") as caught:
        read_defaults(model_folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# The hub


@pytest.fixture
def hub(model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    hub = FakeHub()
    hub.use(monkeypatch, tmp_path / "cache")
    hub.repositories["someone/model"] = model_folder
    hub_module._download.cache_clear()
    yield hub
    hub_module._download.cache_clear()
    hub.close()


def test_a_hub_model_is_downloaded_without_the_files_nobody_needs(hub: FakeHub, model_folder: Path) -> None:
    (model_folder / "model.safetensors").write_bytes(b"gigabytes for other software")
    (model_folder / "model.ckpt").write_bytes(b"and again")
    write_defaults(model_folder, {"duration": 3.0})
    assert find_local("someone/model") is None

    folder = fetch("someone/model")

    assert sorted(hub.served) == [
        "model_index.json",
        "unheard.json",
        "vae/config.json",
        "vae/weights.safetensors",
    ]
    assert (folder / "vae" / "weights.safetensors").read_bytes() == b"weights"
    assert read_defaults(folder).duration == 3.0
    assert fingerprints.fingerprint(folder, COMPONENTS) == f"commit:{COMMIT}"
    assert find_local("someone/model") == folder


def test_a_downloaded_model_needs_no_network(hub: FakeHub) -> None:
    folder = fetch("someone/model")
    hub_module._download.cache_clear()
    hub.close()
    assert fetch("someone/model") == folder


def test_a_gated_model_says_where_to_accept_and_how_to_log_in(hub: FakeHub) -> None:
    hub.gated.add("someone/model")
    message = one_line_error("someone/model")
    assert "is gated: accept its licence at https://huggingface.co/someone/model" in message
    assert "hf auth login" in message


def test_a_missing_repository_is_said_so(hub: FakeHub) -> None:
    message = one_line_error("someone/nothing")
    assert "there is no model 'someone/nothing' on the Hugging Face hub, or it is private" in message
    assert "unheard models" in message


def test_a_repository_that_is_no_pipeline_is_refused_before_the_download(
    hub: FakeHub, model_folder: Path
) -> None:
    (model_folder / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    assert "someone/model is a FluxPipeline" in one_line_error("someone/model")
    assert hub.served == ["model_index.json"]


def test_a_repository_in_another_layout_is_refused(hub: FakeHub, model_folder: Path) -> None:
    (model_folder / "model_index.json").unlink()
    assert "https://huggingface.co/someone/model holds no model_index.json" in one_line_error("someone/model")


def test_no_network_is_said_so(hub: FakeHub) -> None:
    hub.close()
    message = one_line_error("someone/model")
    assert "the Hugging Face hub cannot be reached" in message
    assert "`tiny` needs no network" in message


def test_a_full_disk_is_one_line_too(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError("No space left on device\nwhile writing")

    monkeypatch.setattr("huggingface_hub.snapshot_download", full)
    assert one_line_error("someone/model") == "someone/model cannot be downloaded: No space left on device"
