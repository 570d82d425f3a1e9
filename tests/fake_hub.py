"""A Hugging Face hub on this machine: enough of its protocol to download, or to be refused."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Serves folders as repositories.

    Attributes:
        repositories: from `owner/name` to a folder; any other name is unknown to the hub.
        gated: names whose files are refused while their metadata is public, as the hub does it.
        served: the paths of the files that were downloaded.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Path] = {}
        self.gated: set[str] = set()
        self.served: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub._answer(self, with_body=False)

            def do_GET(self) -> None:
                hub._answer(self, with_body=True)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def use(self, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
        """Point huggingface_hub here, with an empty cache and no token."""
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "ENDPOINT", self.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", self.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    def close(self) -> None:
        """From now on nobody answers: no network."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler, *, with_body: bool) -> None:
        parts = request.path.split("?")[0].strip("/").split("/")
        about = parts[:2] == ["api", "models"]
        name = "/".join(parts[2:4] if about else parts[:2])
        if name not in self.repositories:
            self._send(request, 404, b"{}", {"X-Error-Code": "RepoNotFound"}, with_body)
        elif about:
            tree = self._tree(name)
            files = [{"rfilename": each["path"]} for each in tree]
            content = tree if parts[4:5] == ["tree"] else {"id": name, "sha": COMMIT, "siblings": files}
            self._send(request, 200, json.dumps(content).encode(), {}, with_body)
        elif name in self.gated:
            self._send(request, 403, b"{}", {"X-Error-Code": "GatedRepo"}, with_body)
        else:
            self._send_file(request, name, "/".join(parts[4:]), with_body)

    def _tree(self, name: str) -> list[dict[str, Any]]:
        folder = self.repositories[name]
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return [
            {
                "type": "file",
                "path": path.relative_to(folder).as_posix(),
                "size": path.stat().st_size,
                "oid": hashlib.sha1(path.read_bytes()).hexdigest(),
            }
            for path in files
        ]

    def _send_file(self, request: BaseHTTPRequestHandler, name: str, path: str, with_body: bool) -> None:
        file = self.repositories[name] / path
        if not file.is_file():
            self._send(
                request, 404, b"{}", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}, with_body
            )
            return
        content = file.read_bytes()
        if with_body:
            self.served.append(path)
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        self._send(request, 200, content, headers, with_body)

    @staticmethod
    def _send(
        request: BaseHTTPRequestHandler, status: int, content: bytes, headers: dict[str, str], with_body: bool
    ) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if with_body:
            request.wfile.write(content)
