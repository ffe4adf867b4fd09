"""Writes lines of the scene as a manifest of `python -m server batch`, with characters and sounds."""

import csv
import hashlib
import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import bpy
import numpy as np

from ..animation import lines
from ..client.wire import EMOTIONS, Arrays, Header
from ..errors import UserError
from ..formats.batch_results import name_of, plain
from ..scene import audio, character, emotion_control, expression_bank, meshes, strip_identity, strips
from ..scene.own_properties import settings_of
from ..scene.snapshots import Line

COLUMNS = (
    "sound", "id", "start", "end", "character", "emotion", "strength", "mix", "take", "temperature", "fps", "voice",
    "bank",
)  # fmt: skip
KEY_FRAMES = 5  # frames from one key of an emotion to the next: a transition takes several times as many
SAME_STRENGTH = 0.005  # keys that differ less from their neighbours are left out


@dataclass
class Manifest:
    """What is written beside one manifest.

    Attributes:
        folder: Its folder.
        scene: The scene of the strips.
        settings: The scene of the settings.
        rows: Its rows.
    """

    folder: Path
    scene: bpy.types.Scene
    settings: bpy.types.Scene
    rows: list[dict[str, object]] = field(default_factory=list)
    _characters: dict[str, tuple[str, bool]] = field(default_factory=dict)
    _packed: dict[int, bytes] = field(default_factory=dict)

    def add(self, strip: "bpy.types.SoundStrip", head: bpy.types.Object) -> None:
        """Add a line. Files that it needs are written at once, a character once for all of its lines.

        Args:
            strip: Its strip.
            head: The head that speaks it.

        Raises:
            UserError: It cannot be exported.
            OSError: A file cannot be written.
        """
        identity = strip_identity.ensure_id(self.scene, strip, lines.all_sources())
        line = strips.read_line(self.scene, strip, self._packed)
        bank = expression_bank.entries(head)
        fields, arrays = emotion_control.read(self.settings, line.first_frame, line.frames, line.fps, line.t0, bank)
        request = settings_of(self.settings).take_request(settings_of(self.settings).take)
        shown = [str(entry["name"]) for entry in fields.get("bank", [])]
        self.rows.append(
            {
                "sound": self._sound(line),
                "id": name_of(strip.name, identity),
                "start": round(line.start + max(line.t0, 0.0), 6),
                "end": round(line.start + line.duration, 6),
                "character": self._character(head),
                **_emotion(fields, arrays, [*EMOTIONS, *shown], line.fps),
                "take": request["seed"],
                "temperature": request["temperature"],
                "fps": round(line.fps, 6),
                "voice": head.name,
                "bank": self._bank(fields, head),
            }
        )

    def write(self, path: Path) -> None:
        """Write the manifest. Raises OSError.

        Args:
            path: Its file, a .csv in its folder.
        """
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        path.write_text(text.getvalue(), encoding="utf-8", newline="")

    def _sound(self, line: Line) -> str:
        """The sound of a line, relative to the folder; a copy of it, if it lies elsewhere or in the .blend file."""
        if Path(line.path).suffix.lower() not in audio.SERVER_FORMATS:
            raise UserError(f'a batch cannot read "{Path(line.path).name}": convert the sound to .wav or .flac')
        if line.packed is None:
            inside = os.path.relpath(os.path.realpath(line.path), os.path.realpath(self.folder))
            if not inside.startswith("..") and not Path(inside).is_absolute():
                return inside.replace("\\", "/")
        data = Path(line.path).read_bytes() if line.packed is None else line.packed
        return self._file("sounds", Path(line.path).stem, Path(line.path).suffix, data)

    def _character(self, head: bpy.types.Object) -> str:
        """The file of a head and its parts, relative to the folder."""
        if head.name not in self._characters:
            meshes.check(head)
            rest = character.read(head, character.listed_parts(head))
            file = io.BytesIO()
            np.savez(file, vertices=rest.vertices, faces=rest.triangles)  # no time is in it: same mesh, same name
            self._characters[head.name] = self._file("cast", head.name, ".npz", file.getvalue()), bool(rest.solved)
        name, solved = self._characters[head.name]
        if solved:
            raise UserError(
                "the head's own keys need the speech engine: press Generate, or choose Add New Keys under Face > Own "
                "Shape Keys"
            )
        return name

    def _bank(self, fields: Header, head: bpy.types.Object) -> str:
        """The file of the expressions that a line shows, relative to the folder; "" if it shows none."""
        if not fields.get("bank"):
            return ""
        content = {"format": "lsf-expressions", "version": 1, "expressions": fields["bank"]}
        return self._file("cast", f"{head.name} expressions", ".json", json.dumps(content, indent=1).encode())

    def _file(self, folder: str, name: str, suffix: str, data: bytes) -> str:
        """Write a file unless it is there; its name has a part of its digest, so that it takes no other one's place."""
        relative = f"{folder}/{plain(name)}-{hashlib.sha256(data).hexdigest()[:8]}{suffix}"
        target = self.folder / relative
        if not target.is_file() or target.stat().st_size != len(data):
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(data)
        return relative


def _emotion(fields: Header, arrays: Arrays, names: list[str], fps: float) -> dict[str, object]:
    """The columns of an emotion: a name, or keys over time.

    Where several are mixed, keys have the strongest of them; between two keys of different names they are mixed again.
    """
    if "emotion_control" not in arrays:
        return {
            "emotion": fields["emotion"] or "",
            "strength": round(fields["emotion_strength"], 4),
            "mix": round(fields["emotion_mix"], 4) if fields["emotion"] else "",
        }
    rows = arrays["emotion_control"]
    weights, strengths = rows[:, 2:], rows[:, 0]
    strongest = weights.argmax(1)
    values = strengths * weights.max(1)
    changes = np.flatnonzero(np.diff(strongest))
    frames = sorted({*range(0, len(rows), KEY_FRAMES), *changes, *(changes + 1), len(rows) - 1})
    keys = [(frame, int(strongest[frame]), float(values[frame])) for frame in frames]
    kept = [
        key
        for i, key in enumerate(keys)
        if i in (0, len(keys) - 1)
        or {keys[i - 1][1], keys[i + 1][1]} != {key[1]}
        or max(abs(keys[i - 1][2] - key[2]), abs(keys[i + 1][2] - key[2])) > SAME_STRENGTH
    ]
    cell = [[round(frame / fps, 4), names[name], round(value, 4)] for frame, name, value in kept]
    return {"emotion": json.dumps(cell, ensure_ascii=False), "strength": 1, "mix": round(float(rows[:, 1].mean()), 4)}
