"""The studio as a service: what `docs/studio.md` says of its endpoints, by Gradio's own client."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import until
from needed import need
from pages import ROOT
from replaying import RECORDINGS

from unheard.generation import provenance
from unheard.studio.app import serve
from unheard.studio.workshop import Workshop

need("gradio", reason="gradio is not installed: pip install -e '.[studio]'")

SHORT = {"duration": 0.2, "num_inference_steps": 2}


@pytest.fixture(scope="module")
def url(workshop: Workshop) -> Iterator[str]:
    page, url = serve(workshop, "127.0.0.1", None)
    yield url
    page.close(verbose=False)


@pytest.fixture
def client(url: str, tmp_path: Path) -> Any:
    from gradio_client import Client

    return Client(url, verbose=False, download_files=tmp_path / "downloads")


def test_the_page_names_every_endpoint(client: Any) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    page = (ROOT / "docs" / "studio.md").read_text(encoding="utf-8")
    assert {*named} == {*re.findall(r"^\| `(/\w+)` \|", page, re.MULTILINE)}


def test_takes_are_generated_downloaded_and_listed(client: Any, workshop: Workshop) -> None:
    options = {**SHORT, "guidance": "detour", "format": "flac", "count": 2}
    takes = client.predict(prompt="a bell", seed=5, options=options, api_name="/generate")
    assert [take["seed"] for take in takes] == [5, 6]
    first = takes[0]
    for which in ("guided", "unguided"):
        own = workshop.takes.take(first["take"]).paths[which]
        assert Path(first[which]["file"]).read_bytes() == own.read_bytes()
        assert provenance.read(first[which]["provenance"])["seed"] == 5
        assert first[which]["nearest"]
    assert "made without guidance" in first["unguided"]["outcome"]
    listed = client.predict(api_name="/history")
    assert [take["take"] for take in listed[:2]] == [takes[1]["take"], takes[0]["take"]]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"prompt": ""}, "there is no prompt: say what to play"),
        ({"prompt": "a bell", "options": {"threshold": 7, "guidance": "detour"}}, "threshold is 7.0: give a"),
        ({"prompt": "a bell", "options": {"thresh": 7}}, "there is no option 'thresh'"),
        ({"prompt": "a bell", "seed": -2}, "seed"),
    ],
)
def test_a_wrong_value_is_the_command_s_line(client: Any, asked: dict[str, Any], message: str) -> None:
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError) as raised:
        client.predict(**asked, api_name="/generate")
    assert str(raised.value).startswith(message)
    assert "Traceback" not in str(raised.value)


@pytest.mark.parametrize(
    ("endpoint", "asked", "message"),
    [
        ("/generate", {"prompt": 5}, "prompt is 5: give text"),
        ("/generate", {"prompt": "a bell", "options": [1]}, "options is [1]: give names and values"),
        ("/unknown_words", {"prompt": None}, "prompt is None: give text"),
        ("/history", {"count": "all"}, "count is 'all': give a whole number of at least 0"),
        ("/audit", {"sounds": []}, "sounds is []: give a list of files"),
        ("/audit", {"sounds": [5]}, "sounds has 5: give a file"),
        ("/audit", {"sounds": [{"path": "a.wav"}], "references": 5}, "references is 5: give text"),
        ("/build_index", {"sounds": "here", "index": 5}, "index is 5: give text"),
        ("/search_index", {"text": ["a"]}, "text is ['a']: give text"),
        ("/search_index", {"sound": 5}, "sound has 5: give a file"),
    ],
)
def test_a_value_of_another_kind_is_told(
    client: Any, endpoint: str, asked: dict[str, Any], message: str
) -> None:
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError) as raised:
        client.predict(**asked, api_name=endpoint)
    assert str(raised.value).startswith(message)


def test_two_clients_at_once_and_one_cancels(url: str, client: Any, workshop: Workshop) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    before = len(workshop.takes.all())
    long = client.submit(
        prompt="a bell", options={"duration": 0.2, "num_inference_steps": 5000}, api_name="/generate"
    )
    other = Client(url, verbose=False, download_files=False)
    waiting = other.submit(prompt="a drum", options=SHORT, api_name="/generate")
    until(lambda: workshop.under_way.users, "the work")
    assert other.predict(api_name="/cancel") == 0  # what waits in the queue has not begun
    assert client.predict(api_name="/cancel") == 1
    with pytest.raises(AppError, match="cancelled"):
        long.result()
    assert [take["prompt"] for take in waiting.result()] == ["a drum"]
    assert len(workshop.takes.all()) == before + 1


def test_sounds_are_audited_and_found(client: Any, tmp_path: Path) -> None:
    from gradio_client import handle_file
    from gradio_client.exceptions import AppError

    sound = handle_file(RECORDINGS / "00001.flac")
    references = tmp_path / "references"
    references.mkdir()
    for name in ("00001.flac", "00017.flac"):
        (references / name).write_bytes((RECORDINGS / name).read_bytes())
    audit = client.predict(sounds=[sound], references=str(references), api_name="/audit")
    (file,) = audit["files"]
    assert (audit["verdict"], file["sound"], file["matches"][0]["reference"]) == (
        "copy", "00001.flac", "00001.flac",
    )  # fmt: skip
    assert "<title>" in Path(audit["report"]).read_text(encoding="utf-8")
    with pytest.raises(AppError, match="no file or folder"):
        client.predict(sounds=[sound], references=str(tmp_path / "none"), api_name="/audit")
    built = client.predict(sounds=str(references), index=str(tmp_path / "index"), api_name="/build_index")
    assert (built["added"], built["rejected"]) == (2, 0)
    index = str(tmp_path / "index")
    found = client.predict(sound=sound, index=index, count=1, api_name="/search_index")
    assert (len(found), found[0]["similarity"]) == (1, pytest.approx(1, abs=0.01))
    with pytest.raises(AppError, match="by a sound or by a text"):
        client.predict(index=index, api_name="/search_index")


def test_options_are_described_as_json(client: Any, workshop: Workshop) -> None:
    told = client.predict(api_name="/options")
    assert [option["name"] for option in told] == [*workshop.form.fields]
    assert json.dumps(told)
    assert client.predict(prompt="a qwxz", api_name="/unknown_words") == (
        workshop.unknown_words("a qwxz") or ""
    )
