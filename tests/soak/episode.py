"""One episode of the soak, in its own Blender: steps by random numbers, each with its checks. See run.py.

What a step does follows from the seed and the number of the step alone, so that it can be run again. When a fault hits
the server depends on the machine, too.
"""

import contextlib
import io
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import bpy
import numpy as np

import lsf_blender_addon
from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions
from lsf_blender_addon.jobs import environment, session
from tests.soak.stage import BALL, HEADS, STRIP_FRAMES, Stage, memory, own_work, servers

FULL = 4096  # bytes that a process may write to a file when the disk stands for full
SLIDERS = {
    "jaw": (0.5, 2),
    "lips": (0.5, 2),
    "brows": (0, 2),
    "smile": (-0.5, 0.5),
    "smoothing": (0, 4),
    "offset": (-6, 6),
}
FORGERIES: tuple[object, ...] = (
    5,
    -1.5,
    "x",
    "",
    [1, 2, 3],
    [],
    {},
    {"a": 1},
    {"a": {"bytes": b"x" * 99}},
    b"\xff\x00",
    True,
)
GROWTH = 1.4  # of memory from the first third of an episode to the last
GROWTH_FROM = 200 << 20  # bytes; less is not looked at

# What can be done to a generated shape key: name, and function of the object and the key.
EDITS: dict[str, Callable[[bpy.types.Object, bpy.types.ShapeKey], object]] = {
    "delete key": lambda obj, key: obj.shape_key_remove(key),
    "rename key": lambda _obj, key: setattr(key, "name", "anders Ω"),
    "mute key": lambda _obj, key: setattr(key, "mute", True),
    "set value": lambda _obj, key: key.keyframe_insert("value", frame=30),
    "short slider": lambda _obj, key: setattr(key, "slider_max", 0.01),
    "clear keys": lambda obj, _key: obj.shape_key_clear(),
    "delete curve": lambda _obj, key: key.driver_remove("value") or delete_curve(key),
}

Step = Callable[[Stage], str]
STEPS: dict[str, tuple[int, bool, Step]] = {}  # kind: (how often, whether it is quick, what it does)


def step(kind: str, often: int = 2, quick: bool = True) -> Callable[[Step], Step]:
    """Register a kind of step.

    Args:
        kind: Its name in the table.
        often: How often it comes, relative to others.
        quick: Whether it takes no longer than a second or two.
    """

    def register(function: Step) -> Step:
        STEPS[kind] = often, quick, function
        return function

    return register


# Ordinary work


@step("Generate", 8)
def generate(stage: Stage) -> str:
    """A line on a head, with random settings."""
    settings, rng = bpy.context.scene.lsf, stage.rng
    settings.take, settings.variation = rng.choice([0, 0, 1, 7]), rng.uniform(0, 0.5)
    settings.layers.blinks, settings.layers.gaze = rng.random() < 0.8, rng.random() < 0.8
    obj = stage.head()
    settings.only_range = rng.random() < 0.3 and stage.line(obj) is not None
    text = stage.generate(obj)
    settings.only_range = False
    return text


@step("Generate on what is no head", 1, quick=False)
def no_head(stage: Stage) -> str:
    """A sphere is refused with a sentence."""
    stage.head(BALL)
    stage.strip()
    done, text = stage.press("generate")
    if done:
        stage.wrong.append("a sphere got a face")
    return text[:110]


@step("Generate Takes")
def takes(stage: Stage) -> str:
    """Two takes of a line."""
    bpy.context.scene.lsf.takes.count, bpy.context.scene.lsf.take = 2, stage.rng.choice([0, 3])
    obj = stage.head()
    stage.strip()
    return f"{obj.name}: {stage.press('generate_takes')[1][:110]}"


@step("Generate All", 1)
def generate_all(stage: Stage) -> str:
    """Three lines on random heads."""
    table = bpy.context.scene.lsf.batch.lines
    table.clear()
    for number in range(len(compat.all_strips(bpy.context.scene.sequence_editor))):
        row = table.add()
        row.strip, row.head = stage.strip(number).name, stage.head()
    done, text = stage.press("generate_all")
    table.clear()
    return f"{done}: {text[:110]}"


@step("Cancel", 3)
def cancel(stage: Stage) -> str:
    """Cancel in the middle of a job; nothing changes, and the next one works."""
    obj = stage.head()
    return stage.generate(obj, lambda: bpy.ops.lsf.cancel())


@step("Slider", 5)
def slider(stage: Stage) -> str:
    """A slider of a line."""
    obj = stage.head()
    record = stage.line(obj)
    if record is None:
        return "no line"
    name = stage.rng.choice(list(SLIDERS))
    value = stage.rng.uniform(*SLIDERS[name])
    setattr(record.tweaks, name, round(value) if name == "offset" else value)
    setattr(record.tweaks, name, record.tweaks.bl_rna.properties[name].default)
    return f"{obj.name}: {name}"


@step("Take")
def step_take(stage: Stage) -> str:
    """Another take of a line."""
    obj = stage.head()
    stage.strip()
    return f"{obj.name}: {stage.press('step_take', step=stage.rng.choice([-1, 1]))[1][:80]}"


@step("Remove")
def remove(stage: Stage) -> str:
    """Remove a line, or all."""
    obj = stage.head()
    stage.strip()
    return f"{obj.name}: {stage.press(stage.rng.choice(['remove_line', 'remove_line', 'remove_all_lines']))[1][:80]}"


@step("Undo", 3)
def undo(stage: Stage) -> str:
    """Undo some steps."""
    return f"{stage.undo(stage.rng.randint(1, 3))} undone"


@step("Save and reopen", 1)
def reopen(stage: Stage) -> str:
    """Save the file, open it, and find the same lines."""
    path = str(stage.folder / "Szene ä.blend")
    before = line_names()
    bpy.ops.wm.save_as_mainfile(filepath=path, check_existing=False)
    work = own_work()
    stage.reopen(path)
    if line_names() != before or own_work() != work:
        stage.wrong.append(f"lines before {before}, after {line_names()}")
    return f"{sum(map(len, before.values()))} lines"


@step("Find the face", 1, quick=False)
def find_face(stage: Stage) -> str:
    """Search the landmarks of a head."""
    obj = stage.head()
    done, text = stage.press("find_landmarks")
    return f"{obj.name}, {done}: {text[:80]}"


# The artist works on while a job runs


@step("Vertices sorted in a job", 2, quick=False)
def sort_vertices(stage: Stage) -> str:
    """The same number of vertices in another order: the result must not be written."""
    obj = stage.head(HEADS[1])

    def sort() -> None:
        import bmesh  # it is found once bpy is imported

        mesh = bmesh.new()
        mesh.from_mesh(obj.data)
        order = list(range(len(mesh.verts)))
        random.Random(1).shuffle(order)
        for vertex, place in zip(mesh.verts, order, strict=True):
            vertex.index = place
        mesh.verts.sort()
        mesh.to_mesh(obj.data)
        mesh.free()
        stage.changed()

    return refused_if_changed(stage, stage.generate(obj, sort))


@step("Mesh edited in a job", 2, quick=False)
def edit_mesh(stage: Stage) -> str:
    """Vertices deleted, moved, or the mesh replaced."""
    obj, how = stage.head(stage.rng.choice(HEADS[1:])), stage.rng.choice(["delete", "move", "replace"])

    def edit() -> None:
        if how == "replace":
            other = obj.data.copy()
            other.transform(((1, 0, 0, 0), (0, 1.05, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)), shape_keys=True)
            obj.data = other
        elif how == "move":
            points = np.empty(3 * len(obj.data.vertices), np.float32)
            layer = obj.data.shape_keys.key_blocks[0].data if obj.data.shape_keys else obj.data.vertices
            layer.foreach_get("co", points)
            layer.foreach_set("co", points * np.float32(1.01))
            obj.data.vertices.foreach_set("co", points * np.float32(1.01))
        else:
            import bmesh

            mesh = bmesh.new()
            mesh.from_mesh(obj.data)
            mesh.verts.ensure_lookup_table()
            bmesh.ops.delete(mesh, geom=[mesh.verts[-1]], context="VERTS")
            mesh.to_mesh(obj.data)
            mesh.free()
        stage.changed()

    return f"{how}: {refused_if_changed(stage, stage.generate(obj, edit))}"


def refused_if_changed(stage: Stage, text: str) -> str:
    """Check that a result is not written on a mesh that has changed since; returns the text."""
    if stage.hooked and ", done" in text:
        stage.wrong.append("a result is written on another mesh than it was made for")
    return text


@step("Deleted in a job", 2)
def delete(stage: Stage) -> str:
    """The head or the strip is deleted; then both come back from a file."""
    path, what = stage.saved(), stage.rng.choice(["head", "strip"])
    obj, strip = stage.head(), stage.strip()

    def gone() -> None:
        if what == "head":
            bpy.data.objects.remove(obj)
        else:
            bpy.context.scene.sequence_editor.strips.remove(strip)
        stage.changed()

    name = obj.name
    done, text = stage.press("generate", gone)
    stage.check()
    stage.reopen(path)
    return f"{what} of {name}, {done}: {text[:80]}"


@step("Renamed or moved in a job", 3)
def rename(stage: Stage) -> str:
    """Names, frames and the frame rate change: the result lands where it belongs, or is refused."""
    obj, strip, scene = stage.head(), stage.strip(), bpy.context.scene
    what = stage.rng.choice(["head", "strip", "frame", "rate", "edit mode", "key"])
    name = obj.name

    def change() -> None:
        if what == "head":
            obj.name = "renamed"
        elif what == "strip":
            strip.name = "umbenannt Ω"
        elif what == "frame":
            strip.frame_start += 3
        elif what == "rate":
            scene.render.fps = 25
        elif what == "key":
            obj.shape_key_add(name="another", from_mix=False)
        else:
            bpy.ops.object.mode_set(mode="EDIT")
        stage.changed()

    done, text = stage.press("generate", change)
    stage.check()
    if what == "edit mode" and bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    obj.name, scene.render.fps = name, 24
    if key := obj.data.shape_keys and obj.data.shape_keys.key_blocks.get("another"):
        obj.shape_key_remove(key)
    stage.changed()
    return f"{what}, {name}, {'done' if done else 'refused'}: {text[:80]}"


@step("Edited by the artist", 6)
def edited(stage: Stage) -> str:
    """What Blender's own editors can do to what was generated. Nothing raises; then the file is as it was before."""
    path, obj, strip, scene = stage.saved(), stage.head(), stage.strip(), bpy.context.scene
    speaker, keys, action = obj.name, obj.data.shape_keys, actions.existing(obj.data)
    how = stage.rng.choice([*EDITS, "delete action", "unlink action", "copy head", "share mesh", "frame rate", "speed"])
    if how in EDITS and keys is not None and len(keys.key_blocks) > 6:
        EDITS[how](obj, stage.rng.choice(keys.key_blocks[1:]))
    elif how == "delete action" and action is not None:
        bpy.data.actions.remove(action)
    elif how == "unlink action" and keys is not None and keys.animation_data:
        keys.animation_data.action = None
    elif how in ("copy head", "share mesh"):
        other = obj.copy()
        if how == "copy head":
            other.data = obj.data.copy()
            if action is not None and other.data.shape_keys.animation_data:
                other.data.shape_keys.animation_data.action = action.copy()
        other.location.x -= 3
        scene.collection.objects.link(other)
        bpy.context.view_layer.objects.active = other if stage.rng.random() < 0.5 else obj
    elif how == "frame rate":
        scene.render.fps = stage.rng.choice([12, 25, 60])
    elif how == "speed":
        strip.frame_final_duration = stage.rng.choice([1, 20, 300])
        strip.mute = stage.rng.random() < 0.3
    stage.changed()
    stage.check()
    done, text = stage.press("generate")
    if done:
        target = bpy.context.view_layer.objects.active
        stage.check_motion(target, int(strip.frame_final_start), min(STRIP_FRAMES, strip.frame_final_duration), text)
    for other_button in stage.rng.sample(["step_take", "remove_line", "check_character", "key_lines"], 2):
        stage.press(other_button)
    stage.changed("key ")  # an edit may have made keys the artist's own, and Generate none of them
    stage.check()
    stage.reopen(path)
    return f"{how}, {speaker}, {'done' if done else 'refused'}: {text[:100]}"


# Faults


@step("Server killed in a job", 2, quick=False)
def kill_in_job(stage: Stage) -> str:
    """Said with a sentence; the next one works."""
    text = stage.generate(stage.head(), lambda: signal_servers(signal.SIGKILL))
    stage.works_again()
    return text


@step("Server killed between jobs", 1, quick=False)
def kill_between(stage: Stage) -> str:
    """The next job starts another one."""
    pids = signal_servers(signal.SIGKILL)
    time.sleep(stage.rng.uniform(0, 0.3))
    stage.works_again()
    return f"{len(pids)} killed"


@step("Server stopped in a job", 1, quick=False)
def stop_in_job(stage: Stage) -> str:
    """A process that hangs is noticed, and the next Generate works."""
    text = stage.generate(stage.head(), lambda: signal_servers(signal.SIGSTOP))
    stage.works_again()
    for pid in servers():
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGCONT)
    return text


@step("Disk full for the server", 1)
def disk_full(stage: Stage) -> str:
    """The server can write no file: a face is not kept, the line is made all the same."""
    import resource

    for pid in servers():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL, resource.RLIM_INFINITY))
    text = stage.generate(stage.head(), must_work=True)
    for pid in servers():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    stage.works_again()
    return text


@step("Cache folder unusable", 1, quick=False)
def no_cache(stage: Stage) -> str:
    """A file lies where the folder of faces should be, and a new server meets it."""
    folder, aside = Path(os.environ["LSF_CACHE_DIR"]), stage.folder / "faces aside"
    if folder.exists():
        folder.rename(aside)
    folder.write_text("not a folder")
    session.stop()
    text = stage.generate(stage.head(HEADS[0]), must_work=True)
    folder.unlink()
    if aside.exists():
        aside.rename(folder)
    stage.works_again()
    return text


@step("Cache files broken", 2, quick=False)
def broken_cache(stage: Stage) -> str:
    """Bits, halves or whole files are damaged, and a new server meets them."""
    files = [path for path in Path(os.environ["LSF_CACHE_DIR"]).rglob("*") if path.is_file()]
    how = stage.rng.choice(["zeros", "bit", "cut", "noise", "empty"])
    for path in files:
        data = bytearray(path.read_bytes())
        if how == "zeros":
            data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
        elif how == "bit" and data:
            data[stage.rng.randrange(len(data))] ^= 1 << stage.rng.randrange(8)
        elif how == "cut":
            del data[stage.rng.randrange(len(data) + 1) :]
        else:
            data[:] = stage.rng.randbytes(len(data)) if how == "noise" else b""
        path.write_bytes(data)
    session.stop()
    obj = stage.head(HEADS[0])
    shapes = generated_shapes(obj)
    text = stage.generate(obj, must_work=True)
    for name, points in generated_shapes(obj).items():
        if name in shapes and np.abs(points - shapes[name]).max() > 1e-5:
            stage.wrong.append(f"the shape key {name} differs by {np.abs(points - shapes[name]).max():.6f}")
            break
    stage.works_again()
    return f"{how} in {len(files)}: {text}"


@step("Sound broken", 2)
def broken_sound(stage: Stage) -> str:
    """The file is gone, empty, noise or cut; then it is back."""
    whole, how = stage.sound.read_bytes(), stage.rng.choice(["gone", "empty", "noise", "cut", "folder"])
    stage.sound.unlink()
    if how == "folder":
        stage.sound.mkdir()
    elif how != "gone":
        stage.sound.write_bytes(
            {"empty": b"", "noise": stage.rng.randbytes(5000), "cut": whole[: len(whole) // 2]}[how]
        )
    obj = stage.head()
    stage.strip()
    done, text = stage.press("generate")
    stage.sound.rmdir() if how == "folder" else stage.sound.unlink(missing_ok=True)
    stage.sound.write_bytes(whole)
    stage.works_again()
    return f"{how}, {obj.name}, {'done' if done else 'refused'}: {text[:110]}"


@step("Log unusable", 1, quick=False)
def no_log(stage: Stage) -> str:
    """A folder lies where the log should be."""
    log = environment.server_log()
    session.stop()
    aside = log.with_name("log aside")
    if log.exists():
        log.rename(aside)
    log.mkdir(parents=True)
    text = stage.generate(stage.head())
    session.stop()
    log.rmdir()
    if aside.exists():
        aside.rename(log)
    stage.works_again()
    return text


@step("Properties forged", 5)
def forge(stage: Stage) -> str:
    """Our custom properties get other types and values. Nothing raises; then the file is as it was before."""
    path, obj, strip = stage.saved(), stage.head(), stage.strip()
    action, keys = actions.existing(obj.data), obj.data.shape_keys
    owners = [(obj, "lsf_layer"), (strip, "lsf_line"), (bpy.context.scene, "lsf_overrides")]
    if keys is not None:
        owners += [(keys, name) for name in ("lsf_generated", "lsf_renamed", "lsf_action")]
    if action is not None:
        names = "lsf_predictions lsf_takes lsf_curves lsf_speech lsf_rest lsf_blend lsf_bones lsf_layer_rest".split()
        owners += [(action, name) for name in names]
    owner, name = stage.rng.choice(owners)
    speaker = obj.name
    value = stage.rng.choice(FORGERIES)
    if stage.rng.random() < 0.3 and hasattr(owner.get(name), "keys") and owner[name].keys():
        inner = stage.rng.choice(sorted(owner[name].keys()))
        owner[name][inner] = value
        name += f" › {inner[:12]}"
    else:
        owner[name] = value
    if action is not None and action.lsf.lines and stage.rng.random() < 0.3:
        record = action.lsf.lines[0]
        record.first_frame, record.frames = stage.rng.choice([(2**31 - 1, 2**31 - 1), (-(2**31), 1), (1, 0)])
        record.window = stage.rng.choice([(5, -5), (-(2**31), 2**31 - 1), (0, 0)])
    stage.changed()
    stage.check()
    done, text = stage.press("generate")
    if done:
        stage.check_motion(obj, int(strip.frame_final_start), STRIP_FRAMES, text)
    for other in stage.rng.sample(["step_take", "remove_line", "check_character", "generate_takes"], 2):
        stage.press(other)
    stage.check()
    stage.reopen(path)
    return f"{name} = {str(value)[:20]!r}, {speaker}, {'done' if done else 'refused'}: {text[:80]}"


def delete_curve(key: bpy.types.ShapeKey) -> None:
    """Delete the F-curve of a shape key."""
    animation = key.id_data.animation_data
    if animation is not None and animation.action is not None:
        path = f'key_blocks["{bpy.utils.escape_identifier(key.name)}"].value'
        curves = compat.fcurves_of(animation.action)
        for curve in [curve for curve in curves if curve.data_path == path]:
            curves.remove(curve)


def signal_servers(number: int) -> list[int]:
    """Send a signal to all servers of this Blender; returns their process ids."""
    pids = servers()
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)
    return pids


def line_names() -> dict[str, list[str]]:
    """The lines of every generated Action."""
    return {
        action.name: [line.uid for line in action.lsf.lines] for action in bpy.data.actions if len(action.lsf.lines)
    }


def generated_shapes(obj: bpy.types.Object) -> dict[str, np.ndarray]:
    """Coordinates of all shape keys of a head."""
    found = {}
    for key in obj.data.shape_keys.key_blocks if obj.data.shape_keys else ():
        points = np.empty(3 * len(key.data), np.float32)
        key.data.foreach_get("co", points)
        found[key.name] = points
    return found


def growth(stage: Stage, name: str, sizes: list[int]) -> str:
    """Check that a process does not grow from the first third of an episode to the last; say how much it used.

    Args:
        stage: Where it is noted if it does.
        name: Of the process.
        sizes: Bytes of memory after each step.
    """
    third = len(sizes) // 3
    if not third:
        return f"{name} ended too early to tell"
    first, last = max(sizes[:third]), max(sizes[-third:])
    text = f"{name} {first >> 20} to {last >> 20} MB"
    if last - first > max(GROWTH_FROM, (GROWTH - 1) * first):
        stage.wrong.append(f"memory grows: {text}")
    return text


def main(seed: int, steps: int, seconds: float, folder: Path, which: str) -> None:
    """Run an episode, and write what happens to report.jsonl in its folder."""
    end = time.monotonic() + seconds
    with (folder / "report.jsonl").open("a", encoding="utf-8", buffering=1) as report:

        def tell(**line: object) -> None:
            report.write(json.dumps(line) + "\n")

        tell(step=0, kind="start")
        began = time.monotonic()
        lsf_blender_addon.register()
        stage = Stage(folder)
        tell(step=0, kind="start", what="scene", wrong=stage.wrong, seconds=round(time.monotonic() - began, 1))
        kinds = {
            kind: often
            for kind, (often, is_quick, _do) in STEPS.items()
            if (is_quick if which == "quick" else which in kind)
        }
        blender: list[int] = []  # bytes of memory after each step
        engines: dict[int, list[int]] = {}  # the same for each server process
        for number in range(1, steps + 1):
            if time.monotonic() > end:
                break
            began, stage.wrong, stage.rng = time.monotonic(), [], random.Random(f"{seed} {number}")
            kind = "Generate" if number == 1 else stage.rng.choices(list(kinds), list(kinds.values()))[0]
            tell(step=number, kind=kind)
            print(f"==== step {number}: {kind}", flush=True)
            errors = io.StringIO()
            try:
                with contextlib.redirect_stderr(errors):
                    what = STEPS[kind][2](stage)
                    stage.check()
            except Exception:
                what, error = "raised", traceback.format_exc()
                print(error, flush=True)
                stage.wrong.append(" | ".join(error.splitlines()[-4:]))
            if number == 1:
                stage.measure_patience()
            print(errors.getvalue(), flush=True)
            if "Traceback" in (shown := errors.getvalue()):
                stage.wrong.append("Blender printed an error: " + " | ".join(shown.strip().splitlines()[-3:]))
            if kind not in ("Undo", "Save and reopen", "Deleted in a job", "Properties forged", "Edited by the artist"):
                stage.push_undo(kind)
            blender.append(memory(os.getpid()))
            for pid in servers():
                engines.setdefault(pid, []).append(memory(pid))
            tell(step=number, kind=kind, what=what, wrong=stage.wrong, seconds=round(time.monotonic() - began, 1))
        tell(step=steps + 1, kind="end")
        began, stage.wrong = time.monotonic(), []
        lsf_blender_addon.unregister()
        time.sleep(0.5)
        if left := servers():
            stage.wrong.append(f"{len(left)} servers are left")
        longest = max(engines.values(), key=len, default=[])
        text = f"{growth(stage, 'Blender', blender)}; {growth(stage, 'server', longest)} in {len(longest)} steps"
        tell(
            step=steps + 1,
            kind="end",
            what=text,
            wrong=stage.wrong,
            seconds=round(time.monotonic() - began, 1),
        )
        tell(ended=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]), sys.argv[5])
    sys.stdout.flush()
    os._exit(0)  # at its end, Python would free what Blender has freed
