"""What the server's private environment contains: packages, their exact versions, and their sizes on each system."""

import hashlib
import platform
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Packages that the server needs, the same as in pyproject.toml.
REQUIREMENTS = (
    "torch>=2.2",
    "safetensors>=0.4",
    "numpy>=1.26",
    "scipy>=1.11",
    "soundfile>=0.12",
    "threadpoolctl>=3.1",
)
MIN_PYTHON = (3, 11)  # pyproject.toml's requires-python
# Exact versions that are installed, those of LOCK with hashes. The head of LOCK says why torch has none.
LOCK = Path(__file__).with_name("requirements.lock")
TORCH = Path(__file__).with_name("requirements-torch.txt")
PIP = Path(__file__).with_name("requirements-pip.txt")  # where Blender's own pip cannot resume downloads
# The optional text encoder, see server/performance/emotion/text.py, and what it and some models need.
TEXT_ENCODER = Path(__file__).with_name("requirements-text.txt")
TRANSFORMERS = Path(__file__).with_name("requirements-transformers.lock")
TRANSCRIPTS = Path(__file__).with_name("requirements-transcripts.txt")  # see server/sounds/transcript.py


@dataclass(frozen=True)
class Size:
    """Size of packages in megabytes.

    Attributes:
        download: Of the files that are downloaded.
        stored: On disk, with the compiled Python files.
    """

    download: int
    stored: int

    def __add__(self, other: "Size") -> "Size":
        return Size(self.download + other.download, self.stored + other.stored)


@dataclass(frozen=True)
class TorchBuild:
    """A build of PyTorch that this system can install.

    Attributes:
        index: URL of the package index that has it, in addition to pip's own; None if pip's own has it.
        local: Local part of its version, for example "+cpu"; "" if it has none.
        size: Of torch with the packages of CUDA that it brings along, without those of LOCK.
    """

    index: str | None
    local: str
    size: Size


# The default build of each system comes first. PyPI's build for Linux brings CUDA, the one for Windows runs on the CPU
# alone, and the one for macOS can use Metal. `build.py wheels` says how large all packages of a system are: on Linux,
# the disk then had 12 % more than that, with the environment itself and the ends of its many small files.
TORCH_BUILDS = {
    "linux": {
        "CPU": TorchBuild("https://download.pytorch.org/whl/cpu", "+cpu", Size(190, 890)),
        "CUDA": TorchBuild(None, "", Size(2730, 5000)),
    },
    "win32": {"CPU": TorchBuild(None, "", Size(120, 620))},
    "darwin": {"CPU": TorchBuild(None, "", Size(90, 570))},
}
LOCKED_SIZE = Size(70, 280)  # of the packages in LOCK, and of the environment with its pip
TEXT_ENCODER_SIZE = Size(115, 300)  # with the packages that it needs
TRANSFORMERS_SIZE = Size(25, 210)  # these packages alone
TRANSCRIPTS_SIZE = Size(10, 21)


def torch_builds(system: str = sys.platform) -> dict[str, TorchBuild]:
    """Return the builds of PyTorch for a system, the default one first; those of Linux for an unknown system."""
    return TORCH_BUILDS.get(system, TORCH_BUILDS["linux"])


def torch_pin() -> str:
    """Return the requirement of torch, with its one version."""
    return next(line for line in TORCH.read_text("utf-8").splitlines() if line.startswith("torch=="))


def python_tag() -> str:
    """Return a name for all Pythons that can share an environment with this one, for example "py311-x86_64"."""
    return f"py{sys.version_info.major}{sys.version_info.minor}-{platform.machine().lower()}"


@cache
def digest() -> str:
    """Return a text that changes whenever an environment has to be renewed: with the exact versions, or the Python."""
    lines = [line for path in (LOCK, TORCH) for line in path.read_text("utf-8").splitlines() if line[:1] != "#"]
    return hashlib.sha256("\n".join([sys.platform, python_tag(), *lines]).encode()).hexdigest()


def name(requirement: str) -> str:
    """Return the name of the package in a requirement."""
    return re.split(r"[<>=]", requirement, maxsplit=1)[0]


def satisfies(version: str, requirement: str) -> bool:
    """Return whether a version is within the bounds of a requirement. Of PEP 440, only >= and < are supported."""

    def numbers(text: str) -> list[int]:
        match = re.match(r"[\d.]*\d", text)
        return [int(number) for number in match[0].split(".")] if match else []

    for sign, bound in re.findall(r"(>=|<)([\d.]+)", requirement):
        if (numbers(version) >= numbers(bound)) != (sign == ">="):
            return False
    return True
