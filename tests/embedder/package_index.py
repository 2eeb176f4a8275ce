"""A package index on loopback, and a place of files, that can do what real ones and real networks do."""

import io
import json
import tarfile
import zipfile
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from embedder.fetching.sources import Archive, Member


class PackageIndex(ThreadingHTTPServer):
    """Serves `files` by name, of one project, "faces"."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.as_html = False
        self.cuts: list[int] = []  # bytes after which the next answers break off
        self.failures: list[int] = []  # statuses of the next answers
        self.takes_ranges = True
        self.login: str | None = None  # the Authorization it wants
        self.asked: list[tuple[str, str | None]] = []  # path and Range of each request for a file
        self.lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple/"

    def address(self, name: str, moved: bool = False) -> str:
        """Where one of `files` is; or was, before it moved to another host, as releases do."""
        return f"http://127.0.0.1:{self.server_port}/{'moved' if moved else 'files'}/{name}"


class _Handler(BaseHTTPRequestHandler):
    server: PackageIndex
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        index = self.server
        if index.failures:
            self._answer(index.failures.pop(0), b"")
        elif index.login and self.headers["Authorization"] != index.login:
            self._answer(401, b"")
        elif self.path == "/simple/faces/":
            self._list()
        elif self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header(
                "Location", f"http://localhost:{index.server_port}/files/{self.path[7:]}?signed=1"
            )
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif (name := self.path.partition("?")[0].removeprefix("/files/")) in index.files:
            self._send(index.files[name])
        else:
            self._answer(404, b"")

    def _list(self) -> None:
        names = self.server.files
        if self.server.as_html:
            links = "".join(f'<a href="../../files/{name}#sha256=0">{name}</a>' for name in names)
            self._answer(200, f"<html><body>{links}</body></html>".encode(), "text/html")
        else:
            listed = {"files": [{"filename": name, "url": f"/files/{name}", "hashes": {}} for name in names]}
            self._answer(200, json.dumps(listed).encode(), "application/vnd.pypi.simple.v1+json")

    def _send(self, content: bytes) -> None:
        index = self.server
        asked = self.headers["Range"]
        with index.lock:
            index.asked.append((self.path, asked))
            cut = index.cuts.pop(0) if index.cuts else None
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and index.takes_ranges else 0
        if start >= len(content):
            self._answer(416, b"")
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : start + cut] if cut else content[start:])
        self.close_connection = cut is not None

    def _answer(self, status: int, content: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def packed(name: str, members: dict[str, bytes]) -> tuple[Archive, list[Member], bytes]:
    """An archive called `name` of these members, how it is asked for, and its bytes."""
    file = io.BytesIO()
    if name.endswith((".whl", ".zip")):
        with zipfile.ZipFile(file, "w") as wheel:
            for path, content in members.items():
                wheel.writestr(path, content)
    else:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as sdist:
            for path, content in members.items():
                entry = tarfile.TarInfo(f"faces-1.0/{path}")
                entry.size = len(content)
                sdist.addfile(entry, io.BytesIO(content))
    data = file.getvalue()
    asked = [Member(path, sha256(content).hexdigest()) for path, content in members.items()]
    return Archive("Faces", "1.0", name, sha256(data).hexdigest()), asked, data
