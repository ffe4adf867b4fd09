"""The environment maker: a real venv and a real pip, from small wheels made here, so without another computer."""

import contextlib
import hashlib
import os
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from lsf_blender_addon.client import installation
from lsf_blender_addon.client.installation import InstallationError

PACKAGES = {
    "torch": "2.13.0",
    "transformers": "5.0.0",
    "safetensors": "0.8.0",
    "numpy": "2.0.0",
    "scipy": "1.17.0",
    "soundfile": "0.14.0",
}


def wheel(folder: Path, name: str, version: str, setup: str = "") -> Path:
    """An empty but installable package."""
    info = f"{name}-{version}.dist-info"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}/__init__.py", setup)
        file.writestr(f"{name}/signal.py", "")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder of wheels, and a lock file of their hashes in place of the one that ships."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    lock = tmp_path / "requirements.lock"
    with lock.open("w") as file:
        for name, version in PACKAGES.items():
            digest = hashlib.sha256(wheel(folder, name, version).read_bytes()).hexdigest()
            if name != "torch":
                file.write(f"{name}=={version} --hash=sha256:{digest}\n")
    monkeypatch.setattr(installation, "LOCK", lock)
    return folder


def test_a_wheel_that_is_not_the_locked_one_is_refused(tmp_path, wheels):
    wheel(wheels, "scipy", PACKAGES["scipy"], "print('not what was tested')")
    with pytest.raises(InstallationError, match="not the one that was tested"):
        installation.make(tmp_path / "env", tmp_path / "log", lambda step: None, lambda: False, wheels=wheels)
    assert not installation.is_complete(tmp_path / "env")


def test_a_failed_attempt_says_why_and_the_next_one_succeeds(tmp_path, wheels):
    steps, folder, log = [], tmp_path / "env", tmp_path / "install.log"

    def make():
        steps.clear()
        return installation.make(folder, log, steps.append, lambda: False, wheels=wheels)

    wheel(wheels, "torch", "2.13.0", "raise ImportError('DLL load failed while importing _C')")
    with pytest.raises(InstallationError, match="Visual C"):
        make()
    assert not installation.is_complete(folder)

    wheel(wheels, "torch", "2.13.0")
    python = make()
    assert python == installation.python_of(folder) and installation.is_complete(folder)
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert {"Reading the wheel folder", "Unpacking"} <= {step.step for step in steps}
    assert not (folder / installation.DOWNLOADS).exists()
    assert "Successfully installed" in log.read_text()

    assert installation.check(python) is None
    info = next(folder.rglob("transformers-*.dist-info"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: transformers\nVersion: 4.1.0\n")
    assert "transformers>=4.56,<6" in installation.check(python)
    info.rename(info.with_name("gone"))
    assert "lacks transformers" in installation.check(python)


LARGE = 6  # megabytes of the wheel that is downloaded slowly
BLOCKS = 24  # in which it is sent
PAUSE = 0.05  # seconds after each block


class SlowIndex(BaseHTTPRequestHandler):
    """A package index with one folder of wheels, which sends large files slowly."""

    folder: Path

    def do_GET(self) -> None:
        path = self.folder / unquote(self.path.rsplit("/", 1)[-1])
        if self.path.endswith("/"):
            name = self.path.strip("/").split("/")[-1]
            links = "".join(f'<a href="/{file.name}">{file.name}</a>' for file in self.folder.glob(f"{name}-*.whl"))
            self.answer(f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html")
        elif path.is_file():
            self.answer(path.read_bytes(), "application/octet-stream")
        else:
            self.send_error(404)

    def answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        size = max(1, len(content) // BLOCKS)
        with contextlib.suppress(OSError):  # pip was cancelled
            for start in range(0, len(content), size):
                self.wfile.write(content[start : start + size])
                time.sleep(PAUSE if len(content) > 1e6 else 0)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def slow_index(wheels, monkeypatch):
    """An index on this computer with the wheels of `wheels`, of which torch is large, as the only one that pip asks."""
    (wheels / f"torch-{PACKAGES['torch']}-py3-none-any.whl").unlink()
    wheel(wheels, "torch", f"{PACKAGES['torch']}+cpu")
    with zipfile.ZipFile(wheels / f"torch-{PACKAGES['torch']}+cpu-py3-none-any.whl", "a") as file:
        file.writestr("torch/weights.bin", os.urandom(LARGE * 1_000_000))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Index", (SlowIndex,), {"folder": wheels}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/simple"
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", url)
    build = installation.TorchBuild(url, "+cpu", LARGE, LARGE)
    monkeypatch.setattr(installation, "torch_builds", lambda: {"CPU": build})
    yield url
    server.shutdown()
    server.server_close()


def test_downloads_are_counted_in_megabytes_while_they_run(tmp_path, slow_index):
    steps = []
    installation.make(tmp_path / "env", tmp_path / "log", steps.append, lambda: False)
    loading = [step.megabytes for step in steps if step.step == "Downloading" and step.package == "torch"]
    assert loading == sorted(loading) and len(set(loading)) > 3, "it moves within one package"
    assert max(loading) in (LARGE, LARGE - 1) and {step.expected for step in steps if step.megabytes} == {LARGE}
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert "torch-2.13.0+cpu" in (tmp_path / "log").read_text() and not (tmp_path / "env" / "downloads").exists()


def test_a_build_that_the_index_does_not_have_is_said(tmp_path, slow_index, wheels):
    (wheels / f"torch-{PACKAGES['torch']}+cpu-py3-none-any.whl").unlink()
    wheel(wheels, "torch", PACKAGES["torch"])  # the build with CUDA, which is ten times as large
    with pytest.raises(InstallationError, match="has no build for this Python"):
        installation.make(tmp_path / "env", tmp_path / "log", lambda step: None, lambda: False)


def test_a_cancelled_download_ends_at_once_and_leaves_nothing_behind(tmp_path, slow_index):
    steps = []
    with pytest.raises(installation.Cancelled):
        installation.make(
            tmp_path / "env", tmp_path / "log", steps.append, lambda: bool(steps) and steps[-1].megabytes >= 2
        )
    assert not installation.is_complete(tmp_path / "env") and not (tmp_path / "env" / "downloads").exists()
