"""A hub on this machine that takes uploads of small files, as far as ``huggingface_hub`` asks for it."""

import base64
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import yaml


@dataclass
class Hub:
    """What was uploaded.

    Attributes:
        address: of the server.
        files: content by path in the repository.
        cards: the front matter of each card that was held up for a check.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cards: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def running_hub() -> Iterator[Hub]:
    """The hub, until the block ends."""
    hub = Hub()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self._answer({"id": "shop/model", "sha": "0" * 40, "siblings": [], "private": False, "tags": []})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.endswith("/api/validate-yaml"):
                [front] = re.findall(r"\A---\n(.*?)\n---\n", json.loads(body)["content"], re.DOTALL)
                hub.cards.append(yaml.safe_load(front))
                self._answer({"errors": [], "warnings": []})
            elif "/preupload/" in self.path:
                wanted = [file["path"] for file in json.loads(body)["files"]]
                regular = {"uploadMode": "regular", "shouldIgnore": False}
                self._answer({"files": [{"path": path, **regular} for path in wanted]})
            else:
                assert "/commit/" in self.path, self.path
                for line in map(json.loads, body.splitlines()):
                    if line["key"] == "file":
                        hub.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                url = f"{hub.address}/shop/model/commit/{'0' * 40}"
                self._answer({"success": True, "commitOid": "0" * 40, "commitUrl": url})

        def _answer(self, value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
