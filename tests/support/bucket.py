"""As much of the protocol of S3 as a client needs to read: HEAD and GET of objects, and lists of a bucket."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

MODIFIED = "Mon, 01 Jan 2024 00:00:00 GMT"


@dataclass
class Bucket:
    """The one bucket of a server.

    Attributes:
        name: its name.
        endpoint: the address of the server.
        objects: by key.
        requests: what was asked for, as method and key.
    """

    name: str
    endpoint: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def listing(self, prefix: str, delimiter: str) -> str:
        """ListObjectsV2 as XML."""
        contents, folders = [], set()
        for key in sorted(key for key in self.objects if key.startswith(prefix)):
            rest, found, _ = key[len(prefix) :].partition(delimiter)
            if found:
                folders.add(prefix + rest + delimiter)
            else:
                size = len(self.objects[key])
                contents.append(
                    f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size>"
                    "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
                )
        common = [f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(folders)]
        count = f"<KeyCount>{len(contents) + len(common)}</KeyCount><IsTruncated>false</IsTruncated>"
        return f"<ListBucketResult><Name>{self.name}</Name>{count}{''.join(contents + common)}</ListBucketResult>"


@contextmanager
def serving(name: str) -> Iterator[Bucket]:
    """A server with an empty bucket on a free port of this machine, until the block ends."""
    bucket = Bucket(name)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._object()

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            if "list-type" in query and parts.path.strip("/") == bucket.name:
                bucket.requests.append(("LIST", query["prefix"][0]))
                delimiter = query.get("delimiter", ["\0"])[0]
                self._send(200, bucket.listing(query["prefix"][0], delimiter).encode(), {})
            else:
                self._object()

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _object(self) -> None:
            owner, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
            bucket.requests.append((self.command, key))
            data = bucket.objects.get(key)
            if data is None or owner != bucket.name:
                code = "NoSuchKey" if owner == bucket.name else "NoSuchBucket"
                self._send(404, f"<Error><Code>{code}</Code></Error>".encode(), {})
                return
            headers = {"Last-Modified": MODIFIED, "ETag": f'"{md5(data).hexdigest()}"', "Accept-Ranges": "bytes"}
            span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
            if span:
                first, last = int(span[1]), min(int(span[2] or len(data)), len(data) - 1)
                headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
                self._send(206, data[first : last + 1], headers)
            else:
                self._send(200, data, headers)

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for header, value in headers.items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    bucket.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
