"""The frozen part of the paper's encoders, computed once for every clip and kept on disk.

Training reads the cache and fills it where something is missing. `python -m server.training.cache_features` has the
work done before, on another machine, or by several processes.

CACHE/KIND-WEIGHTS/SOUND.safetensors holds the features (T, C0) of one encoder for one sound. WEIGHTS is a digest of all
weights and settings on which they depend, SOUND one of the bytes of the file. The metadata has a digest of the content:
an entry that is damaged, or belongs elsewhere, is computed again. Files are written beside and renamed, so that several
processes may share a folder.

Entries are in half precision where that changes them by less than MAX_ROUNDING, else in single precision.
docs/paper.md tells what the rounding does to the result.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import safetensors.torch
import soundfile
import torch
from safetensors import SafetensorError
from torch import Tensor

from ...errors import LSFError
from ...files import atomic
from ...files.audio import load_16k
from ...model import LSF
from ...model.config import FEATURE_RATE
from ...model.waveform import WaveformBackbone

FORMAT = 1  # raised when the features of the same weights and sound change
MAX_ROUNDING = 5e-4  # relative to the features' size; the rounding of half precision where nothing is out of its range
DIGEST_BYTES = 16  # of the names of entries
REPORT_SECONDS = 10.0  # between lines of progress


class Sound(Protocol):
    """A clip with the path of its sound."""

    @property
    def audio(self) -> Path:
        """The sound file."""


class BackboneCache:
    """Cached features of one encoder."""

    def __init__(self, folder: Path, backbone: WaveformBackbone, layout: str, half: bool):
        """Prepare the cache.

        Args:
            folder: Folder of all encoders.
            backbone: The encoder, with its weights.
            layout: What beside the encoder decides how many frames a sound has.
            half: Whether half precision may be used.
        """
        self.backbone = backbone
        self.key = f"{_digest_of(backbone)} {layout}"
        self.folder = folder / f"{backbone.config.kind}-{_digest(self.key.encode())}"
        self.half = half
        self.bytes_per_frame = backbone.feature_size * (2 if half else 4)

    def path(self, sound: str) -> Path:
        """Return the file of the features of a sound, by its digest."""
        return self.folder / f"{sound}.safetensors"

    def read(self, sound: str) -> Tensor | None:
        """Return the features (T, C0) of a sound, by its digest; None if there are none, or the file is damaged."""
        try:
            with self.path(sound).open("rb") as file:
                content = file.read()
            size = int.from_bytes(content[:8], "little")
            told = json.loads(content[8 : 8 + size])["__metadata__"]
            if told != self._metadata(sound, content[8 + size :]):
                return None
            features = safetensors.torch.load(content)["features"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError):
            return None
        if features.dim() != 2 or features.shape[1] != self.backbone.feature_size or not features.is_floating_point():
            return None
        return features.float()

    def _metadata(self, sound: str, numbers: bytes) -> dict[str, str]:
        return {"key": self.key, "sound": sound, "content": _digest(numbers)}

    def write(self, sound: str, features: Tensor) -> None:
        """Keep the features (T, C0) of a sound.

        Raises:
            LSFError: "bad_cache" if they cannot be written.
        """
        rounded = features.half()
        error = (rounded.float() - features).norm()
        stored = {"features": rounded if self.half and error < MAX_ROUNDING * features.norm() else features}
        plain = safetensors.torch.save(stored)
        numbers = plain[8 + int.from_bytes(plain[:8], "little") :]
        content = safetensors.torch.save(stored, self._metadata(sound, numbers))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(self.path(sound), content)
        except OSError as error:
            raise LSFError("bad_cache", f"The features cannot be kept in {self.folder}: {error.strerror}.") from error


class FeatureCache:
    """Cached features of a model's encoders."""

    def __init__(self, folder: str | Path, model: LSF, half: bool = True):
        """Prepare the cache; nothing is read or computed.

        Args:
            folder: Folder of the cache; it is made when the first features are written.
            model: A model with encoders that hear the waveform, with their weights.
            half: Whether half precision may be used.

        Raises:
            ValueError: An encoder does not hear the waveform.
        """
        self.model, self.folder = model, Path(folder)
        backbones = [model.motion_backbone]
        if model.emotion_backbone is not None:
            backbones.append(model.emotion_backbone)
        layout = f"{model.config.frame_stack} {model.max_frames}"
        self._caches = []
        for backbone in backbones:
            if not isinstance(backbone, WaveformBackbone):
                raise ValueError("only encoders that hear the waveform have a cache")
            self._caches.append(BackboneCache(self.folder, backbone, layout, half))
        self._sounds: dict[tuple[str, int, int], str] = {}  # digests by path, size and time of change

    def _sound(self, path: Path) -> str:
        """Digest of the bytes of a sound file."""
        try:
            status = path.stat()
            known = str(path), status.st_size, status.st_mtime_ns
            if known not in self._sounds:
                with path.open("rb") as file:
                    self._sounds[known] = hashlib.file_digest(file, _hash).hexdigest()
        except OSError as error:
            raise LSFError("no_file", f'The sound file "{path}" cannot be read: {error.strerror}.') from error
        return self._sounds[known]

    def of(self, clip: Sound) -> tuple[Tensor, Tensor]:
        """Return the features of a clip, computed if they are not there.

        Args:
            clip: The clip; a sound longer than the model's longest window is cut there.

        Returns:
            Frozen features of the motion backbone (T, C0) and of the emotion backbone (T, C0'), in single precision on
            the CPU. T is `frame_stack` times the motion frames of the sound. Without an emotion backbone, the second
            are those of the motion backbone, too.

        Raises:
            LSFError: "no_file" or "bad_audio" if the sound cannot be read; "bad_cache" if nothing can be written.
        """
        sound = self._sound(clip.audio)
        found = [cache.read(sound) for cache in self._caches]
        if any(features is None for features in found):
            audio = torch.from_numpy(load_16k(clip.audio))
            for number, cache in enumerate(self._caches):
                if found[number] is None:
                    found[number] = features = self._compute(cache.backbone, audio)
                    cache.write(sound, features)
                    found[number] = cache.read(sound)  # what every later epoch gets
        motion, emotion = found[0], found[-1]
        assert motion is not None and emotion is not None
        return motion, emotion

    def _compute(self, backbone: WaveformBackbone, audio: Tensor) -> Tensor:
        """Features (T, C0) of a sound (N,)."""
        audio = audio.to(next(backbone.parameters()).device)
        frames = min(self.model.frame_count(len(audio)), self.model.max_frames)
        level = backbone.clip_statistics(audio)
        features = backbone.frozen_features(audio, level, 0, self.model.config.frame_stack * frames)
        return features.float().cpu().contiguous()

    def fill(self, clips: Sequence[Sound], report: Callable[[str], object] = lambda line: None) -> None:
        """Compute what is missing of some clips.

        Args:
            clips: The clips.
            report: Called with a line about the space that is needed, then every REPORT_SECONDS about progress.

        Raises:
            LSFError: As `of`; "disk_full" if there is not enough space, before anything is computed.
        """
        missing = [clip for clip in clips if not self.has(clip)]
        if not missing:
            return
        seconds = sum(sound_seconds(clip.audio) for clip in missing)
        needed, free = self.size_of(seconds), free_space(self.folder)
        space = f"{needed / 1e9:.2f} GB in {self.folder}, where {free / 1e9:.1f} GB are free"
        report(f"features of {len(missing)} clips, {seconds / 3600:.1f} h of sound: {space}")
        if needed > free:
            raise LSFError(
                "disk_full",
                f"The features need {needed / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free in {self.folder}: "
                "choose a folder on another disk.",
            )
        start = told = time.monotonic()
        heard = 0.0
        for number, clip in enumerate(missing, 1):
            self.of(clip)
            heard += sound_seconds(clip.audio)
            now = time.monotonic()
            if now - told > REPORT_SECONDS:
                told = now
                left = (now - start) * (seconds - heard) / max(heard, 1.0)
                report(f"features: {number} of {len(missing)} clips, {left / 60:.0f} min left")

    def has(self, clip: Sound) -> bool:
        """Return whether the features of a clip are there; they are not read for it."""
        sound = self._sound(clip.audio)
        return all(cache.path(sound).is_file() for cache in self._caches)

    def size_of(self, seconds: float) -> int:
        """Return the bytes that the features of so much sound take, on disk."""
        return round(seconds * FEATURE_RATE * sum(cache.bytes_per_frame for cache in self._caches))


def sound_seconds(path: Path) -> float:
    """Return the duration of a sound file, by its header.

    Raises:
        LSFError: "bad_audio" if it has none.
    """
    try:
        return float(soundfile.info(path).duration)
    except (OSError, soundfile.SoundFileError) as error:
        raise LSFError("bad_audio", f'The sound file "{path}" cannot be read: is it damaged?') from error


def free_space(folder: Path) -> int:
    """Return the free bytes of the disk where a folder is or would be made."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _hash(content: bytes = b"") -> "hashlib.blake2b":
    """A new hash of the kind that names entries and proves their content."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES)


def _digest(content: bytes) -> str:
    """Digest of some bytes, as text."""
    return _hash(content).hexdigest()


def _digest_of(backbone: WaveformBackbone) -> str:
    """Digest of all that decides what the frozen features of an encoder are.

    Of the weights as half precision has them: so a checkpoint that was exported, with frozen weights in half precision,
    finds what was computed from the published ones.
    """
    digest = _hash(f"{FORMAT} {backbone.config.kind} {backbone.config.heads} {backbone.layout}".encode())
    for number, module in enumerate(backbone.cached):
        for name, value in sorted(module.state_dict().items()):
            digest.update(f"{number} {name} {tuple(value.shape)}".encode())
            digest.update(value.detach().half().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
