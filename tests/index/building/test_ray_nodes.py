"""Ray on a cluster of three nodes, with sounds and index in an object store: a node is lost in mid-build."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from corpus import RATE, noise
from local_ray import three_nodes
from needed import need
from object_store import put, s3_server
from stored_rows import content

from unheard import index

need("moto", "s3fs", "ray")
pytestmark = pytest.mark.drill

SHARDS, SOUNDS = 6, 60


def shard(number: int) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as file:
        for key in range(SOUNDS):
            sound = io.BytesIO()
            soundfile.write(sound, noise(0.3 + 0.2 * (key % 4), SOUNDS * number + key), RATE, format="WAV")
            member = tarfile.TarInfo(f"{key:03d}.wav")
            member.size = len(sound.getvalue())
            file.addfile(member, io.BytesIO(sound.getvalue()))
    return written.getvalue()


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head and two nodes, which find the object store; the store holds the shards."""
    monkeypatch.chdir(tmp_path)  # where the list of what is left out goes
    with s3_server() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        for number in range(SHARDS):
            put(variables["AWS_ENDPOINT_URL"], f"shards/t-{number}.tar", shard(number))
        with three_nodes(2, **variables) as cluster:
            yield cluster


def test_a_node_that_is_lost_in_mid_build_loses_no_row(nodes: Any, tmp_path: Path, embedder: Any) -> None:
    sources, killed = f"s3://bucket/shards/t-{{0..{SHARDS - 1}}}.tar", []

    def kill(done: int, *_: object) -> None:
        """At the first outcome, a node with all that works on it."""
        if not killed:
            killed.append(done)
            nodes.remove_node(nodes.list_all_nodes()[-1], allow_graceful=False)

    built = index.build(sources, "s3://bucket/ray", embedder=embedder, engine="ray", progress=kill)
    assert killed[0] < SHARDS * SOUNDS == built.added
    index.build(sources, tmp_path / "local", embedder=embedder, workers=0)
    assert content("s3://bucket/ray") == content(tmp_path / "local")
    assert index.verify("s3://bucket/ray") == []
