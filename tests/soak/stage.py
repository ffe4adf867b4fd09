"""The scene of an episode: heads, strips and work of the artist, which must be the same after every step."""

import hashlib
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, lines
from lsf_blender_addon.jobs import health, session
from lsf_blender_addon.jobs.batch import Batch
from lsf_blender_addon.scene.shape_keys import MARK
from lsf_blender_addon.ui import registration
from tests.lsf_blender_addon.ui.panels.test_draw import draw

SOUND = Path(compat.__file__).parent / "assets" / "demo_line.flac"
HEADS = ("Anna", "Ben Ω", "Cem's head")  # the project's head; a copy, larger; a copy with own shape keys
BALL = "Ball"  # has no face
STRIP_STARTS, STRIP_FRAMES = (10, 90, 170), 60
OWN_KEYS = ("A", "I", "U", "my smile")  # of Cem
PATIENCE = 150.0  # seconds after which a job counts as hung, on a machine that is not busy
SLOWNESS = 8  # times the first job, which starts the server: on a busy machine, a job may take as long
MOVES = 1e-4  # of a head's size: less than this is no motion
MEGABYTE = 1 << 20
MEMORY = {"Blender": 2500 * MEGABYTE, "server": 3000 * MEGABYTE}  # bounds


class Hung(Exception):
    """A job did not end in time."""


class Stage:
    """The scene, what must not change in it, and the buttons.

    Attributes:
        folder: The episode's own folder.
        rng: Random numbers of the present step.
        wrong: What was wrong in the present step.
        hook: What happens in the middle of the next job, or None.
        hook_at: The progress of the job at which it happens.
        hooked: Whether it has happened in the last job.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rng = random.Random(0)
        self.wrong: list[str] = []
        self.hook: Callable[[], None] | None = None
        self.hook_at, self.hooked = 0.0, False
        self.sound = folder / "Töne" / "line of speech.flac"
        self._before: dict[str, str] = {}
        self._started, self._patience = 0.0, 2 * PATIENCE
        self._undo: list[dict[str, str]] = []
        self._watch_batches()
        self._build()
        self.changed()
        self.push_undo("scene")

    # The scene

    def _build(self) -> None:
        """Make the scene in an empty file."""
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        self.sound.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SOUND, self.sound)
        scene = bpy.context.scene
        bpy.ops.lsf.add_head()
        anna = bpy.context.object
        anna.name, anna["note"] = HEADS[0], "do not touch"
        for name, size, key_names in ((HEADS[1], 2.5, ()), (HEADS[2], 1.0, OWN_KEYS)):
            head = bpy.data.objects.new(name, anna.data.copy())
            scene.collection.objects.link(head)
            head.scale, head.location.x = (size,) * 3, 2 * size
            if key_names:
                head.shape_key_add(name="Basis")
            for number, key in enumerate(key_names, 1):
                points = np.array([vertex.co for vertex in head.data.vertices], np.float32)
                points[:, 2] -= 0.002 * number * (points[:, 2] < points[:, 2].mean())
                head.shape_key_add(name=key, from_mix=False).points.foreach_set("co", points.ravel())
        bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=3)
        bpy.context.object.name = BALL
        bpy.data.objects[HEADS[1]].modifiers.new("soft", "SUBSURF").levels = 0
        anna.location = 0, 0, 0
        anna.keyframe_insert("location", frame=1)
        anna.location = 0, 0.1, 0
        anna.keyframe_insert("location", frame=100)
        bpy.data.texts.new("notes").write("take two is better")
        editor = scene.sequence_editor_create()
        for number, start in enumerate(STRIP_STARTS):
            strip = editor.strips.new_sound(
                f"Zeile {number + 1}", str(self.sound), channel=1 + number, frame_start=start
            )
            strip.frame_final_duration = STRIP_FRAMES
        scene.frame_end = STRIP_STARTS[-1] + STRIP_FRAMES + 20

    def head(self, name: str = "") -> bpy.types.Object:
        """Choose a head, by random if no name is given, and make it the active object."""
        there = [name] if name else [head for head in HEADS if head in bpy.data.objects]
        obj = bpy.data.objects[self.rng.choice(there)]
        bpy.context.scene.lsf.head = None
        bpy.context.view_layer.objects.active = obj
        return obj

    def strip(self, number: int | None = None) -> "bpy.types.SoundStrip":
        """Choose a strip, by random if no number is given."""
        strips = sorted(compat.all_strips(bpy.context.scene.sequence_editor), key=lambda strip: strip.channel)
        strip = strips[self.rng.randrange(len(strips)) if number is None else number]
        bpy.context.scene.lsf.shown_strip = strip.name
        return strip

    def line(self, obj: bpy.types.Object) -> "lines.Any | None":
        """A random line of a head; None if it has none."""
        action = actions.existing(obj.data)
        records = list(action.lsf.lines) if action else []
        return self.rng.choice(records) if records else None

    # Buttons

    def press(self, name: str, during: Callable[[], None] | None = None, **options: object) -> tuple[bool, str]:
        """Press a button, and check its answer.

        Args:
            name: The operator.
            during: What happens in the middle of its job.
            options: The operator's.

        Returns:
            Whether it reports success, and what it says.
        """
        self.hook, self.hook_at, self.hooked = during, self.rng.uniform(0, 0.95), False
        self._started = time.monotonic()
        try:
            done = getattr(bpy.ops.lsf, name)(**options) == {"FINISHED"}
            text = session.message
        except Hung:
            raise
        except RuntimeError as error:
            done, text = False, str(error)
        self.hook = None
        if "Traceback" in text or "unexpected" in text.lower() or "Something went wrong" in text:
            self.wrong.append(f"{name} says: {' | '.join(text.splitlines())[-400:]}")
        if session.batch is not None:
            self.wrong.append(f"{name} leaves its batch running")
            session.batch = None
        return done, " ".join(text.split())

    def _watch_batches(self) -> None:
        """Let the hook run within a job, between two polls, as events of the artist would."""
        stage, poll = self, Batch.poll

        def watched(batch: Batch) -> None:
            poll(batch)
            if stage.hook is not None and batch.fraction >= stage.hook_at and not batch.ended:
                hook, stage.hook, stage.hooked = stage.hook, None, True
                hook()
            if time.monotonic() - stage._started > stage._patience and not batch.ended:
                stage.wrong.append(f"hung for {stage._patience:.0f} s: {batch.text}")
                for pid in servers():
                    os.kill(pid, signal.SIGKILL)
                batch.cancel()

        Batch.poll = watched  # type: ignore[method-assign]

    def generate(self, obj: bpy.types.Object, during: Callable[[], None] | None = None, must_work: bool = False) -> str:
        """Press Generate for a random line on a head, and check that the head moves if it says so.

        Args:
            obj: The head.
            during: What happens in the middle of the job.
            must_work: Whether a refusal is wrong.

        Returns:
            What became of it.
        """
        if must_work:
            bpy.context.scene.lsf.only_range = False  # it is refused for a line that was not generated yet
        name, strip = obj.name, self.strip()
        first, frames = int(strip.frame_final_start), STRIP_FRAMES
        done, text = self.press("generate", during)
        if done and name in bpy.data.objects:
            self.check_motion(bpy.data.objects[name], first, frames, text)
        if must_work and not done:
            self.wrong.append(f"Generate does not work: {text[:300]}")
        during_text = "" if during is None else " after the change" if self.hooked else " before the change"
        return f"{name}, {'done' if done else 'refused'}{during_text}: {text[:110]}"

    def reopen(self, path: str) -> None:
        """Open a file of the episode in place of the present one."""
        bpy.ops.wm.open_mainfile(filepath=path)
        self.changed()
        self._undo = [self._before]
        bpy.ops.ed.undo_push(message="opened")

    def saved(self) -> str:
        """Save a copy of the file; returns its path."""
        path = str(self.folder / "before.blend")
        bpy.ops.wm.save_as_mainfile(filepath=path, check_existing=False, copy=True)
        return path

    def measure_patience(self) -> None:
        """Note how slow this machine is, after the first job."""
        self._patience = max(PATIENCE, SLOWNESS * (time.monotonic() - self._started))

    def works_again(self) -> None:
        """After a fault is gone, the next Generate must work."""
        self.generate(self.head(), must_work=True)

    # What must hold

    def changed(self, kind: str = "") -> None:
        """Note that the soak itself has changed the artist's work.

        Args:
            kind: Beginning of the names in `own_work` of what may have changed.
        """
        now = own_work()
        kept = {name: digest for name, digest in self._before.items() if not name.startswith(kind)}
        self._before = kept | {name: digest for name, digest in now.items() if name.startswith(kind)}

    def check_motion(self, obj: bpy.types.Object, first: int, frames: int, text: str) -> None:
        """Check that the evaluated mesh moves within a line, and nowhere goes astray.

        Args:
            obj: The head.
            first: First frame of the line.
            frames: Its length.
            text: The result line, which may tell that curves of the artist decide.
        """
        scene, now = bpy.context.scene, bpy.context.scene.frame_current
        seen = []
        for frame in np.linspace(first, first + frames - 1, 6).astype(int):
            scene.frame_set(int(frame))
            evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
            points = np.empty(3 * len(evaluated.vertices), np.float32)
            evaluated.vertices.foreach_get("co", points)
            seen.append(points.reshape(-1, 3))
        scene.frame_set(now)
        size = float(np.ptp(seen[0], axis=0).max())
        way = float(max(np.abs(points - seen[0]).max() for points in seen))
        least = 0 if "your own curves decide" in text else MOVES * size
        if not least <= way < 0.2 * size:
            self.wrong.append(f"{obj.name} moves by {way / size:.6f} of its size after a success")

    def check(self) -> None:
        """Check all that must hold after a step."""
        now = own_work()
        lost = [name for name in self._before if self._before[name] != now.get(name)]
        if lost or now.keys() - self._before.keys():
            self.wrong.append(f"work of the artist is changed: {lost or sorted(now.keys() - self._before.keys())}")
            self._before = now
        try:
            draw([cls for cls in registration.CLASSES if issubclass(cls, bpy.types.Panel)])
            health.report_text(bpy.context)
        except Exception:
            self.wrong.append(f"panels or report: {' | '.join(traceback.format_exc().splitlines()[-3:])}")
        pids = servers()
        if len(pids) > 1:
            self.wrong.append(f"{len(pids)} servers run")
        for name, pid in [("Blender", os.getpid()), *(("server", pid) for pid in pids)]:
            if (size := memory(pid)) > MEMORY[name]:
                self.wrong.append(f"{name} uses {size // MEGABYTE} MB")
        if left := [path.name for path in self.folder.iterdir() if path.name.startswith("lsf_")]:
            self.wrong.append(f"temporary files are left: {left[:3]}")
            for name in left:
                shutil.rmtree(self.folder / name, ignore_errors=True)

    # Undo

    def push_undo(self, name: str) -> None:
        """Make an undo step, as Blender does after an operator in a window."""
        bpy.ops.ed.undo_push(message=name)
        self._undo.append(own_work())

    def undo(self, steps: int) -> int:
        """Undo steps, and expect the artist's work as it was then; returns how many were undone."""
        done = 0
        while done < steps and len(self._undo) > 1 and bpy.ops.ed.undo.poll():
            bpy.ops.ed.undo()
            self._undo.pop()
            done += 1
        if done:
            self._before = self._undo[-1]
        return done


def own_work() -> dict[str, str]:
    """Digests of what the artist made, by name: meshes, own shape keys, Actions, strips and more."""
    found: dict[str, str] = {}
    for obj in bpy.data.objects:
        if obj.type == "MESH":
            keys, mesh = obj.data.shape_keys, obj.data
            ours = set(keys.get(MARK, {}).keys()) if keys and hasattr(keys.get(MARK, {}), "keys") else set()
            corners = np.empty(len(mesh.loops), np.int32)
            mesh.loops.foreach_get("vertex_index", corners)
            own = [] if keys is None else [key for key in keys.key_blocks if key.name not in ours]
            found[f"mesh of {obj.name}"] = _digest(_points(mesh.vertices), corners)
            for key in own if len(own) > 1 else []:  # a Basis alone was made for generated keys
                found[f"key {key.name} of {obj.name}"] = _digest(_points(key.data))
        modifiers = [(modifier.name, modifier.type) for modifier in obj.modifiers]
        values = obj.scale[:], obj.rotation_euler[:], modifiers, obj.get("note"), obj.hide_viewport
        found[f"object {obj.name}"] = _digest(repr(values))
        action = obj.animation_data.action if obj.animation_data else None
        if action is not None:
            points = [[point.co[:] for point in curve.keyframe_points] for curve in compat.fcurves_of(action)]
            found[f"animation of {obj.name}"] = _digest(repr(points))
    for scene in bpy.data.scenes:
        found[f"scene {scene.name}"] = _digest(repr((scene.render.fps, scene.frame_start, scene.frame_end)))
        for strip in compat.all_strips(scene.sequence_editor) if scene.sequence_editor else ():
            place = strip.channel, strip.frame_final_start, strip.frame_final_end, strip.sound.filepath, strip.volume
            found[f"strip {strip.name}"] = _digest(repr(place))
    return found | {f"text {text.name}": _digest(text.as_string()) for text in bpy.data.texts}


def _points(collection: object) -> np.ndarray:
    points = np.empty(3 * len(collection), np.float32)  # type: ignore[arg-type]
    collection.foreach_get("co", points)  # type: ignore[attr-defined]
    return points


def _digest(*parts: "np.ndarray | str") -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part.tobytes())
    return digest.hexdigest()[:16]


# Processes; Linux alone tells about them without further packages.


def servers() -> list[int]:
    """Process ids of the servers that this Blender has started and that run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if int(parent) == os.getpid() and state != "Z" and command[1:3] == [b"-m", b"server"]:
            found.append(int(folder.name))
    return found


def memory(pid: int) -> int:
    """Bytes of memory that a process uses; 0 if unknown."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
