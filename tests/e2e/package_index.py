"""Small packages that stand in for the server's, and an index on this computer that offers them."""

import contextlib
import os
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

BLOCKS = 24  # in which a large file is sent


def wheel(folder: Path, name: str, version: str, setup: str = "", megabytes: float = 0) -> Path:
    """An empty but installable package.

    Args:
        folder: Where its file goes.
        name: Name of the package and of its module.
        version: Its version.
        setup: What its module does when it is imported.
        megabytes: Size of random data in it.
    """
    info = f"{name}-{version}.dist-info"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}/__init__.py", setup)
        file.writestr(f"{name}/signal.py", "")
        if megabytes:
            file.writestr(f"{name}/weights.bin", os.urandom(int(megabytes * 1e6)))
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return path


class Index(ThreadingHTTPServer):
    """An index of the packages in a folder, which is a proxy for any other address, too.

    Attributes:
        url: Its address.
        pause: Seconds after each block of a large file.
        breaks: Name of a package: how many more times its download breaks off half-way.
        sent: Name of a file: how many times it was asked for.
        proxied: Hosts that it was asked for as a proxy.
    """

    daemon_threads = True

    def __init__(self, folder: Path, pause: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.pause = folder, pause
        self.url = f"http://127.0.0.1:{self.server_address[1]}/simple"
        self.breaks: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.proxied: set[str] = set()


class _Handler(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        if self.path.startswith("http://"):
            self.server.proxied.add(self.path.split("/")[2])
        path = self.server.folder / unquote(self.path.rsplit("/", 1)[-1])
        if self.path.endswith("/"):
            name = self.path.strip("/").split("/")[-1]
            links = "".join(f'<a href="/{file.name}">{file.name}</a>' for file in self.server.folder.glob(f"{name}-*"))
            self.answer(f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html")
        elif path.is_file():
            self.server.sent[path.name] += 1
            name = path.name.split("-")[0]
            self.server.breaks[name] -= 1
            self.answer(path.read_bytes(), "application/octet-stream", self.server.breaks[name] >= 0)
        else:
            self.send_error(404)

    def answer(self, content: bytes, kind: str, breaks: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        size = max(1, len(content) // BLOCKS)
        with contextlib.suppress(OSError):  # pip was cancelled
            for start in range(0, len(content) // 2 if breaks else len(content), size):
                self.wfile.write(content[start : start + size])
                time.sleep(self.server.pause if len(content) > 1e6 else 0)
        self.close_connection = breaks

    def log_message(self, *_arguments: object) -> None:
        pass


@contextlib.contextmanager
def index(folder: Path, pause: float = 0.0) -> Iterator[Index]:
    """An index that runs meanwhile."""
    with Index(folder, pause) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
