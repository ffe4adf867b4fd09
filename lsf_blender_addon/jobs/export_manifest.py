"""Writes lines of the scene as a manifest of `python -m server batch`, with characters and sounds."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import bpy
import numpy as np

from ..animation import actions, lines
from ..client.wire import EMOTIONS, expressions_text
from ..errors import UserError
from ..formats.batch_results import name_of, plain
from ..scene import (
    audio,
    character,
    emotion_control,
    expression_bank,
    expression_keys,
    meshes,
    strip_identity,
    strips,
    style_cards,
)
from ..scene.access import mesh_of
from ..scene.emotion_control import Samples
from ..scene.own_properties import choice, number, settings_of
from ..scene.snapshots import Line
from . import hear_sounds

COLUMNS = (
    "sound", "id", "start", "end", "character", "emotion", "strength", "mix", "take", "temperature", "fps", "voice",
    "bank", "style", "transcript", "sounds",
)  # fmt: skip
KEY_FRAMES = 5  # frames from one key of an emotion to the next: a transition takes several times as many
SAME_STRENGTH = 0.005  # keys that differ less from their neighbours are left out
UNHEARD = "neutral"  # what keys name where nothing but the audio decides: their mix is 0 then

Key = tuple[int, str | None, float, float, float]
"""Frame, choice (None: the place on the circle), strength, and valence and arousal of the place."""


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
        bank, settings = expression_keys.entries(self.settings, head), settings_of(self.settings)
        request = settings.take_request(settings.take)
        action = actions.existing(mesh_of(head))
        heard = hear_sounds.wanted(lines.find(action, line.id) if action else None, settings.sounds.with_generate)
        self.rows.append(
            {
                "sound": self._sound(line),
                "id": name_of(strip.name, identity),
                "start": round(line.start + max(line.t0, 0.0), 6),
                "end": round(line.start + line.duration, 6),
                "character": self._character(head),
                **_emotion(self.settings, line, bank),
                "take": request["seed"],
                "temperature": request["temperature"],
                "fps": round(line.fps, 6),
                "voice": head.name,
                "bank": self._bank(bank, head),
                "style": " + ".join(self._style(style) for style in style_cards.styles(head)),
                "transcript": heard.get("transcript", ""),
                "sounds": "yes" if heard else "",
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

    def _bank(self, bank: Sequence[expression_bank.Entry], head: bpy.types.Object) -> str:
        """The file of a head's expressions, relative to the folder; "" if it has none."""
        if not bank:
            return ""
        content = expressions_text([entry.expression for entry in bank])
        return self._file("cast", f"{head.name} expressions", ".json", content.encode())

    def _style(self, style: style_cards.Style) -> str:
        """The file of a style card, relative to the folder, and its amount."""
        content = json.dumps(style.card.to_fields(), ensure_ascii=False, indent=1).encode()
        name = (style.card.name or "style").replace("+", "_")  # which stands between two cards
        return f"{self._file('cast', name, '.json', content)} {round(style.amount, 4):g}"

    def _file(self, folder: str, name: str, suffix: str, data: bytes) -> str:
        """Write a file unless it is there; its name has a part of its digest, so that it takes no other one's place."""
        relative = f"{folder}/{plain(name)}-{hashlib.sha256(data).hexdigest()[:8]}{suffix}"
        target = self.folder / relative
        if not target.is_file() or target.stat().st_size != len(data):
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(data)
        return relative


def _emotion(scene: bpy.types.Scene, line: Line, bank: Sequence[expression_bank.Entry]) -> dict[str, object]:
    """The columns of an emotion: a name, or keys over time with how they pass."""
    emotion, values = settings_of(scene).emotion, emotion_control.sampled(scene, line.first_frame, line.frames)
    names: dict[int, str | None] = dict(enumerate(EMOTIONS, 1))
    names |= {choice_: entry.expression.name for entry in bank for choice_ in entry.choices}
    names[emotion_control.FREE] = None
    chosen = np.rint(values.chosen).astype(int).tolist()
    keyed, over_time = emotion_control.is_keyed(scene), emotion_control.changes_over_time(scene)
    options: dict[str, object] = {}
    if emotion.follow_sentence:
        options["follow_sentence"] = True
    if words := number(emotion, "follow_words"):
        options["follow_words"] = round(words, 4)
    known = [number in names for number in chosen]
    if not (keyed or options or chosen[0] == emotion_control.FREE):
        name = names.get(chosen[0])
        mix = round(float(values.mix[0]), 4) if name else ""
        return {"emotion": name or "", "strength": round(float(values.strength[0]), 4), "mix": mix}
    if all(known) or not any(known):
        texts = [names[number] for number in chosen] if all(known) else [UNHEARD] * len(chosen)
        keys, mix = _kept(texts, values, holds=over_time), float(values.mix.mean()) if all(known) else 0.0
        if all(known) and (over_time or None in texts):  # the place moves on the circle without changes of the choice
            options["transition"] = round(number(emotion, "transition"), 4)
            options["passing"] = choice(emotion, "passing")
    else:
        keys, mix = _strongest(scene, line, bank, [name for name in names.values() if name is not None])
    if options:
        options.setdefault("passing", emotion_control.DIRECT)
    first = min(line.t0, 0.0)  # the sound begins after the first frame
    cell = [
        [
            round(frame / line.fps + first, 4),
            [round(valence, 4), round(arousal, 4)] if name is None else name,
            round(strength, 4),
        ]
        for frame, name, strength, valence, arousal in keys
        if frame / line.fps + first >= 0
    ]
    text = json.dumps({"keys": cell, **options} if options else cell, ensure_ascii=False)
    return {"emotion": text, "strength": 1, "mix": round(mix, 4)}


def _strongest(
    scene: bpy.types.Scene, line: Line, bank: Sequence[expression_bank.Entry], names: list[str]
) -> tuple[list[Key], float]:
    """Keys and mix of a line in which the audio decides for a time: at each, the emotion that is the strongest then."""
    entries = emotion_control.placed(bank)
    rows = emotion_control.control(scene, line.first_frame, line.frames, line.fps, entries).rows
    texts = [names[column] for column in rows[:, 2:].argmax(1)]
    strength = (rows[:, 0] * rows[:, 2:].max(1)).astype(float)
    values = Samples(np.zeros(len(rows)), strength, np.zeros(len(rows)), np.zeros((len(rows), 2)))
    return _kept(texts, values, holds=False), float(rows[:, 1].mean())


def _kept(texts: Sequence[str | None], values: Samples, holds: bool) -> list[Key]:
    """Keys for frames, without those after which nothing changes.

    Args:
        texts: (F,) the choice in each frame; None: the place on the circle.
        values: Strengths and places of the frames.
        holds: Whether a choice stays until the next one; else it needs a key before the next one, too.
    """
    changes = [i for i in range(1, len(texts)) if texts[i] != texts[i - 1]]
    before = [] if holds else [i - 1 for i in changes]
    frames = sorted({*range(0, len(texts), KEY_FRAMES), *changes, *before, len(texts) - 1})
    table = np.column_stack([values.strength, values.places]).clip([0, -1, -1], 1)
    table[[i for i, text in enumerate(texts) if text is not None], 1:] = 0
    keys = [(frame, texts[frame], *table[frame].tolist()) for frame in frames]
    kept = keys[:1]
    for key, following in pairwise(keys[1:]):
        near = [np.abs(np.subtract(one[2:], kept[-1][2:])).max() <= SAME_STRENGTH for one in (key, following)]
        leaves = following[1] != key[1] and not holds
        if leaves or key[1] != kept[-1][1] or not all(near):
            kept.append(key)
    return kept + keys[1:][-1:]
