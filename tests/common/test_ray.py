"""A Ray cluster: what goes wrong with it in one line. On one, see `evaluation/` and `index/building/`."""

from __future__ import annotations

import socket
from pathlib import Path

from command_line import run
from corpus import write_corpus
from needed import need

need("ray")


def test_an_address_where_nobody_answers_is_one_line(tmp_path: Path) -> None:
    """The first with Ray: it does not run in this process yet."""
    import ray

    assert not ray.is_initialized()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    sounds = write_corpus(tmp_path / "sounds")
    build = ["index", "build", sounds, "--out", tmp_path / "index"]
    address = ["--ray-address", f"127.0.0.1:{port}"]
    result = run(*build, "--engine", "ray", *address)
    assert result.exit_code == 2
    assert "cannot use Ray at" in result.stderr
    assert "refused" in result.stderr
    assert "goes with the engine ray only" in run(*build, *address).output
