"""The environment maker: a real venv and a real pip, from a folder of tiny wheels made here, so without network."""

import zipfile
from pathlib import Path

import pytest

from lsf_blender_addon.client import installation
from lsf_blender_addon.client.installation import EnvironmentFailed

PACKAGES = {
    "torch": "2.13.0",
    "transformers": "5.0.0",
    "safetensors": "0.8.0",
    "numpy": "2.0.0",
    "scipy": "1.17.0",
    "soundfile": "0.14.0",
}


def wheel(folder: Path, name: str, version: str, setup: str = "") -> None:
    """An empty but installable package."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}/__init__.py", setup)
        file.writestr(f"{name}/signal.py", "")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


@pytest.fixture
def wheels(tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, version in PACKAGES.items():
        wheel(folder, name, version)
    return folder


def test_a_failed_attempt_says_why_and_the_next_one_succeeds(tmp_path, wheels):
    steps, folder, log = [], tmp_path / "env", tmp_path / "install.log"

    def make():
        steps.clear()
        return installation.make(folder, log, lambda *step: steps.append(step), lambda: False, wheels=wheels)

    wheel(wheels, "torch", "2.13.0", "raise ImportError('DLL load failed while importing _C')")
    with pytest.raises(EnvironmentFailed, match="Visual C"):
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
