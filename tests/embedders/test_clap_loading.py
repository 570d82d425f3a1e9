"""Where a CLAP comes from, what is said of one that is not whole, and when the bundled one is read."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_hub import COMMIT, FakeHub

from unheard import embedders
from unheard.embedders import BUNDLED_EMBEDDER, clap
from unheard.embedders.clap import BundledClap, ClapEmbedder
from unheard.errors import ModelError


@pytest.fixture
def copy_of_clap(tiny_clap_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_clap_folder, tmp_path / "clap"))


def test_a_folder_is_loaded_without_network(
    tiny_clap_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked the hub")

    monkeypatch.setattr("huggingface_hub.file_download.hf_hub_download", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    embedder = embedders.load_embedder(tiny_clap_folder)
    assert isinstance(embedder, ClapEmbedder)
    assert (embedder.name, embedder.dimension, embedder.sample_rate, embedder.window) == (
        "clap",
        16,
        16_000,
        1.0,
    )
    weights = (tiny_clap_folder / "model.safetensors").read_bytes()
    assert embedder.sha256 == hashlib.sha256(weights).hexdigest()
    assert embedder.revision is None
    assert capfd.readouterr().err == ""


def test_a_folder_may_record_its_name(copy_of_clap: Path) -> None:
    (copy_of_clap / "unheard.json").write_text('{"name": "our-guide"}')
    assert embedders.load_embedder(str(copy_of_clap)).name == "our-guide"
    for content, message in [
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('{"name": 3}', "must be a text"),
    ]:
        (copy_of_clap / "unheard.json").write_text(content)
        with pytest.raises(ModelError, match=message):
            embedders.load_embedder(copy_of_clap)


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def with_config(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))

    return change


def as_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def without_a_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["audio_projection.linear1.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def with_padding(padding: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        settings = json.loads((folder / "processor_config.json").read_text())
        settings["feature_extractor"]["padding"] = padding
        (folder / "processor_config.json").write_text(json.dumps(settings))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("config.json"), "holds no CLAP: it has no config.json"),
        (with_config(model_type="t5"), "holds no CLAP but a model of type 't5'"),
        (lambda folder: (folder / "config.json").write_text("{"), r"config\.json cannot be read"),
        (without("model.safetensors"), "holds no safetensors weights"),
        (as_pickle, "holds no safetensors weights"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 100), "cannot load the CLAP in"),
        (without_a_weight, r"lacks 1 of its weights \(audio_projection\.linear1\.weight"),
        (with_config(projection_dim=17), "cannot load the CLAP in"),
        (without("processor_config.json"), "cannot load the CLAP in"),
        (without("tokenizer.json"), "holds no tokenizer"),
        (with_padding("mirror"), "pads by 'mirror'; known are repeatpad, repeat, pad"),
    ],
)  # fmt: skip
def test_a_folder_that_holds_no_whole_clap_is_refused(
    copy_of_clap: Path, change: Callable[[Path], None], message: str
) -> None:
    change(copy_of_clap)
    with pytest.raises(ModelError, match=message) as raised:
        embedders.load_embedder(copy_of_clap)
    assert "\n" not in str(raised.value)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    hub = FakeHub()
    hub.use(monkeypatch, tmp_path / "cache")
    yield hub
    hub.close()


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (
            "tokenizer_config.json",
            lambda found: found | {"model_max_length": -1},
            "cannot read texts: it reads -1 tokens at most",
        ),
        (
            "tokenizer.json",
            lambda found: (
                found | {"model": found["model"] | {"vocab": found["model"]["vocab"] | {"a": 900_000}}}
            ),
            "gives token 900,000, and its text encoder knows",
        ),
    ],
)
def test_a_tokenizer_that_does_not_fit_the_model_is_told_when_texts_are_embedded(
    copy_of_clap: Path, name: str, damage: Callable[[dict[str, Any]], dict[str, Any]], message: str
) -> None:
    path = copy_of_clap / name
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(ModelError, match=f"the tokenizer of clap {message}"):
        ClapEmbedder.load(copy_of_clap).embed_text(["a bell"])


def test_the_hub_is_asked_once_and_its_id_is_the_name(hub: FakeHub, tiny_clap_folder: Path) -> None:
    hub.repositories["owner/clap"] = tiny_clap_folder
    embedder = ClapEmbedder.load("owner/clap")
    assert (embedder.name, embedder.revision) == ("owner/clap", COMMIT)
    hub.close()
    assert ClapEmbedder.load("owner/clap").sha256 == embedder.sha256


def test_what_the_hub_refuses_is_one_line_with_what_to_do(
    hub: FakeHub, copy_of_clap: Path, tmp_path: Path
) -> None:
    hub.repositories["owner/gated"] = copy_of_clap
    hub.gated.add("owner/gated")
    hub.repositories["owner/pickled"] = Path(shutil.copytree(copy_of_clap, tmp_path / "pickled"))
    as_pickle(tmp_path / "pickled")
    for name, message in [
        ("owner/gated", "owner/gated is gated: accept its licence at .* `hf auth login`"),
        ("owner/missing", "no embedder 'owner/missing': .* check the spelling"),
        ("owner/pickled", "owner/pickled on the Hugging Face hub has no safetensors weights"),
        ("no/such/folder", "no embedder 'no/such/folder': it is neither a folder here nor an id"),
        (tmp_path / "nothing here", "neither a folder here nor an id"),
    ]:
        with pytest.raises(ModelError, match=message) as raised:
            embedders.load_embedder(name)
        assert "\n" not in str(raised.value)
    assert "pytorch_model.bin" not in hub.served


@pytest.mark.parametrize("how", ["unplugged", "told to stay offline"])
def test_without_network_the_message_says_so(hub: FakeHub, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "unplugged":
        hub.close()
    else:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"cannot get laion/clap-htsat-unfused: .* go online") as raised:
        embedders.load_embedder()
    assert "\n" not in str(raised.value)


def test_safetensors_are_taken_from_the_revision_that_has_them(
    tiny_clap_folder: Path, copy_of_clap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_pickle(copy_of_clap)
    name = embedders.DEFAULT_EMBEDDER
    folders = {None: copy_of_clap, clap.SAFETENSORS_REVISIONS[name]: tiny_clap_folder}
    asked = []

    def snapshot(repository: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((repository, revision))
        return str(folders[revision])

    monkeypatch.setattr(clap, "snapshot_download", snapshot)
    assert embedders.load_embedder().name == name
    assert asked == [(name, None), (name, "refs/pr/3")]


# The bundled one


def test_the_bundled_clap_is_read_when_something_is_embedded() -> None:
    bundled = embedders.load_embedder(BUNDLED_EMBEDDER)
    assert isinstance(bundled, BundledClap)
    whole = ClapEmbedder.load(BUNDLED_EMBEDDER)
    for name in (
        "name",
        "revision",
        "sha256",
        "dimension",
        "sample_rate",
        "window",
        "window_samples",
        "batch",
    ):
        assert getattr(bundled, name) == getattr(whole, name), name
    assert "model" not in vars(bundled)

    sound = 0.1 * torch.randn(1, 1, 48_000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(bundled.embed_audio(sound, 16_000), whole.embed_audio(sound, 16_000))
    assert "model" in vars(bundled)
    assert torch.equal(bundled.embed_text(["a bell"]), whole.embed_text(["a bell"]))
    assert bundled.sha256 == whole.sha256
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = bundled.no_such_thing


def test_the_bundled_clap_can_be_read_in_inference_mode_and_differentiated_after() -> None:
    bundled = embedders.load_embedder(BUNDLED_EMBEDDER)
    with torch.inference_mode():
        bundled.embed_text(["a bell"])
    sound = torch.randn(1, 1, 16_000, generator=torch.Generator().manual_seed(0), requires_grad=True)
    bundled.embed_audio(sound, 16_000).sum().backward()
    assert sound.grad is not None
    assert sound.grad.isfinite().all()


def test_the_bundled_clap_goes_to_other_processes_read_or_not() -> None:
    bundled = embedders.load_embedder(BUNDLED_EMBEDDER)
    unread = pickle.loads(pickle.dumps(bundled))
    assert "model" not in vars(unread)
    expected = bundled.embed_text(["a bell"])
    for each in (unread, pickle.loads(pickle.dumps(bundled))):
        assert torch.equal(each.embed_text(["a bell"]), expected)


def test_naming_an_embedder_imports_no_model() -> None:
    code = (
        "import sys\n"
        "from unheard.embedders import BUNDLED_EMBEDDER, load_embedder\n"
        "from unheard.index import Index\n"
        "index = Index.open(BUNDLED_EMBEDDER.parent / 'index.json')\n"
        "index.check_embedder(load_embedder(BUNDLED_EMBEDDER))\n"
        "print({'transformers', 'diffusers', 'scipy'} & sys.modules.keys())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
