"""The environment maker: a real venv and a real pip, from a folder of tiny wheels made here, so without network."""

import hashlib
import zipfile
from pathlib import Path

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
        installation.make(tmp_path / "env", tmp_path / "log", lambda *step: None, lambda: False, wheels=wheels)
    assert not installation.is_complete(tmp_path / "env")


def test_a_failed_attempt_says_why_and_the_next_one_succeeds(tmp_path, wheels):
    steps, folder, log = [], tmp_path / "env", tmp_path / "install.log"

    def make():
        steps.clear()
        return installation.make(folder, log, lambda *step: steps.append(step), lambda: False, wheels=wheels)

    wheel(wheels, "torch", "2.13.0", "raise ImportError('DLL load failed while importing _C')")
    with pytest.raises(InstallationError, match="Visual C"):
        make()
    assert not installation.is_complete(folder)

    wheel(wheels, "torch", "2.13.0")
    python = make()
    assert python == installation.python_of(folder) and installation.is_complete(folder)
    fractions = [fraction for fraction, _ in steps]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert any(text.startswith("Processing transformers") for _, text in steps)
    assert "Successfully installed" in log.read_text()

    assert installation.check(python) is None
    info = next(folder.rglob("transformers-*.dist-info"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: transformers\nVersion: 4.1.0\n")
    assert "transformers>=4.56,<6" in installation.check(python)
    info.rename(info.with_name("gone"))
    assert "lacks transformers" in installation.check(python)
