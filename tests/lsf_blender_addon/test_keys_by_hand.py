"""The artist's keys on a head with two lines: keyed anywhere, before and after everything that writes curves again.

What is compared are the values that Blender evaluates. `tests/gui/keys.py` does the same with I in a window.
"""

import math
from dataclasses import dataclass, field

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.animation import actions, fcurves, lines
from lsf_blender_addon.animation.key_reduction import ErrorBound
from lsf_blender_addon.jobs import lines as line_jobs
from lsf_blender_addon.prediction import takes
from lsf_blender_addon.scene.own_properties import lines_of
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import Client, use

FIRST, SECOND, LENGTH = 25, 200, 96  # frames at which two lines of four seconds begin
END = 420
SAME = 1e-3  # of a shape key's value: what is not near a key of the artist may differ by no more
REDUCED = 2 * ErrorBound().value  # by how much reduced keys may differ, if others are chosen
REACH = math.ceil(fcurves.TRANSITION * 24) + 1  # frames from a key of the artist to generated motion
BESIDE = 16  # frames from it within which the generated keys may be others, within the bound of their error
PLACES = {"before": 5, "line 1": 70, "end of 1": FIRST + LENGTH, "between": 150, "line 2": 240, "after": 380}


class SmoothClient(Client):
    """Answers with smooth curves, which differ by take, so that keys are as few as those of speech."""

    def submit(self, kind, request, arrays):
        job = super().submit(kind, request, arrays)
        rng = np.random.default_rng(request["settings"]["seed"])
        t = np.arange(len(job.arrays["motion"]))[:, None] / request["settings"]["fps"]
        waves = [np.sin(2 * np.pi * rate * t + rng.uniform(0, 6, len(CHANNELS))) for rate in (0.4, 0.9, 1.7)]
        job.arrays["motion"] = np.clip(0.4 + 0.1 * sum(waves), 0, 1).astype(np.float32)
        job.arrays["motion"][:, CHANNELS.index("tongueOut")] = 0
        return job


@dataclass
class Stage:
    """A head with two lines, and the keys that the artist has set on it."""

    head: bpy.types.Object
    places: list[tuple[bpy.types.Scene, "bpy.types.Strip"]]
    own: dict[tuple[str, int], float] = field(default_factory=dict)
    beside: dict[str, set[int]] = field(default_factory=dict)  # frames that Blender itself has changed

    @property
    def keys(self) -> bpy.types.Key:
        return self.head.data.shape_keys

    @property
    def action(self) -> bpy.types.Action:
        return actions.existing(self.head.data)

    def record(self, number: int):
        """The line of a strip, by its number."""
        return lines.find(self.action, self.places[number][1]["lsf_line"])

    def generate(self, number: int, take: int = 0, as_take: bool = False) -> None:
        scene, strip = self.places[number]
        generation = line_jobs.start_generation(
            bpy.context.scene.lsf, self.head, {}, scene, strip, temperature=0.2 if take else 0.0, seed=take
        )
        generation._reader.join()
        generation.poll()
        line_jobs.apply_result(generation, as_take=as_take)

    def curve(self, name: str) -> bpy.types.FCurve:
        return next(c for c in compat.fcurves_of(self.action) if c.data_path == fcurves.value_path(name))

    def between_keys(self, name: str, frame: int) -> set[int]:
        """The frames from the key before a frame to the key after it: Blender changes them when one is set there."""
        frames = sorted(point.co[0] for point in self.curve(name).keyframe_points)
        left = max((f for f in frames if f < frame), default=0)
        right = min((f for f in frames if f > frame), default=END)
        return set(range(math.floor(left), math.ceil(right) + 1))

    def key(self, name: str, frame: int, value: float) -> None:
        """Set a slider and press I over it."""
        self.beside.setdefault(name, set()).update(self.between_keys(name, frame))
        bpy.context.scene.frame_set(frame)
        block = self.keys.key_blocks[name]
        block.value = value
        assert block.keyframe_insert("value")
        self.own[name, frame] = value

    def values(self) -> dict[str, np.ndarray]:
        """The values (END,) that Blender evaluates, by shape key."""
        scene, names = bpy.context.scene, [key.name for key in self.keys.key_blocks][1:]
        found = np.empty((END, len(names)))
        for frame in range(1, END + 1):
            scene.frame_set(frame)
            evaluated = self.keys.evaluated_get(bpy.context.evaluated_depsgraph_get()).key_blocks
            found[frame - 1] = [evaluated[name].value for name in names]
        return dict(zip(names, found.T, strict=True))

    def check_own(self, now: dict[str, np.ndarray]) -> None:
        """Every key of the artist is there, with its value."""
        points = {
            fcurves.key_name(curve.data_path): {tuple(point.co) for point in curve.keyframe_points}
            for curve in compat.fcurves_of(self.action)
        }
        for (name, frame), value in self.own.items():
            assert any(abs(f - frame) < 1e-3 and abs(v - value) < 1e-6 for f, v in points[name]), (name, frame)
            assert now[name][frame - 1] == pytest.approx(value, abs=1e-5), (name, frame)

    def check(
        self, before: dict[str, np.ndarray], allowed: dict[str, set[int]] | None = None, elsewhere: float = SAME
    ) -> None:
        """The artist's keys are there, and nothing else has changed.

        Args:
            before: Values without the artist's keys.
            allowed: Frames at which a shape key may differ besides the neighbourhood of the artist's keys.
            elsewhere: Largest difference at all other frames.
        """
        now = self.values()
        self.check_own(now)
        frames = np.arange(1, END + 1)
        for name, values in before.items():
            own = [frame for key, frame in self.own if key == name]
            distance = np.min([np.full(END, END), *(np.abs(frames - frame) for frame in own)], 0)
            tolerance = np.where(distance <= BESIDE, REDUCED, elsewhere)
            tolerance[distance <= REACH] = 1
            tolerance[np.isin(frames, [*self.beside.get(name, ()), *(allowed or {}).get(name, ())])] = 1
            too_far = np.abs(now[name] - values) - tolerance
            assert too_far.max() <= 0, (name, frames[too_far.argmax()], now[name][too_far.argmax()])


@pytest.fixture
def stage(addon, add_strip, clicks, monkeypatch) -> Stage:
    """Two lines on one head. In 4.2, whose wheel makes no strips, each has a scene of its own."""
    use(addon, monkeypatch, SmoothClient())
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head, places = bpy.context.object, []
    for name, frame in (("first", FIRST), ("second", SECOND)):
        strip = add_strip(clicks, name, frame)
        places.append((strip.id_data, strip))
        scene = bpy.context.scene
        if head.name not in scene.objects:
            scene.collection.objects.link(head)
        scene.lsf.layers.blinks = scene.lsf.layers.gaze = False
    made = Stage(head, places)
    made.generate(0)
    made.generate(1)
    return made


def test_the_action_is_active_and_channels_are_plain(stage):
    assert stage.keys.animation_data.action == stage.action and not stage.keys.animation_data.nla_tracks
    assert len(lines_of(stage.action)) == 2 and len(bpy.data.actions) == 1
    values = stage.values()
    assert values["jawOpen"][70 - 1] > 0.1 and values["jawOpen"][240 - 1] > 0.1
    assert np.abs(values["jawOpen"][[5 - 1, 150 - 1, 380 - 1]]).max() == 0


@pytest.mark.parametrize("place", PLACES)
def test_a_key_anywhere_leaves_the_rest_alone(stage, place):
    before = stage.values()
    stage.key("jawOpen", PLACES[place], 0.8)
    assert stage.keys.animation_data.action == stage.action and len(bpy.data.actions) == 1
    stage.check(before)
    in_lines = set(range(FIRST - 4, FIRST + LENGTH + 4)) | set(range(SECOND - 4, SECOND + LENGTH + 4))
    near = set(range(PLACES[place] - 12, PLACES[place] + 13))
    assert stage.beside["jawOpen"] & in_lines <= near, "a key outside of the lines does not reach into them"


WRITES = {
    "nothing": lambda stage: None,
    "generate the first again": lambda stage: stage.generate(0),
    "generate the second again": lambda stage: stage.generate(1),
    "generate both again": lambda stage: (stage.generate(1), stage.generate(0)),
    "slider of the first and back": lambda stage: slide(stage, 0),
    "slider of the second and back": lambda stage: slide(stage, 1),
    "density of the first": lambda stage: setattr(stage.record(0).tweaks, "density", 0.5),
    "takes of the first": lambda stage: step_takes(stage, 0),
}


def slide(stage, number):
    for value in (0.3, 1.0):
        stage.record(number).tweaks.jaw = value
        stage.check_own(stage.values())


def step_takes(stage, number):
    stage.generate(number, 3, as_take=True)
    stage.check_own(stage.values())
    uid = stage.record(number).uid
    assert takes.count(stage.action, uid) == 2
    for index in (1, 0):
        takes.play(stage.action, uid, index)
        lines.refresh(stage.action, stage.record(number))
        stage.check_own(stage.values())


@pytest.mark.parametrize("write", WRITES)
def test_keys_everywhere_survive_what_writes_curves_again(stage, write):
    before = stage.values()
    for place, frame in PLACES.items():
        stage.key("jawOpen", frame, 0.2 + 0.1 * len(place) / 2)
    stage.key("mouthSmileLeft", 100, 0.9)
    stage.key("mouthSmileLeft", 215, 0.0)
    WRITES[write](stage)
    stage.check(before)


def test_other_lines_do_not_change_with_a_slider(stage):
    before = stage.values()
    stage.key("jawOpen", 240, 0.9)
    stage.record(0).tweaks.jaw = 0.2
    now = stage.values()
    stage.check_own(now)
    for name, values in before.items():
        second = [f for f in range(SECOND - 4, END) if name != "jawOpen" or abs(f - 240) > BESIDE]
        np.testing.assert_allclose(now[name][np.array(second) - 1], values[np.array(second) - 1], atol=SAME)


@pytest.mark.parametrize("place", ["line 1", "line 2"])
def test_a_key_that_is_moved_in_the_graph_editor(stage, place):
    before, frame = stage.values(), PLACES[place]
    stage.key("jawOpen", frame, 0.8)
    curve = next(c for c in compat.fcurves_of(stage.action) if "jawOpen" in c.data_path)
    point = next(point for point in curve.keyframe_points if point.co[0] == frame)
    point.co_ui = frame + 3, 0.6  # with its handles, as the Graph Editor moves it
    curve.update()
    del stage.own["jawOpen", frame]
    stage.own["jawOpen", frame + 3] = 0.6
    slide(stage, 0)
    slide(stage, 1)
    stage.generate(0)
    stage.generate(1)
    stage.check(before, {"jawOpen": set(range(frame - REACH, frame + 4 + REACH))})


def test_a_generated_key_that_is_moved(stage):
    """The largest key of a line is set lower; the same key of the other line stays."""
    before = stage.values()
    curve = next(c for c in compat.fcurves_of(stage.action) if "jawOpen" in c.data_path)
    point = max((p for p in curve.keyframe_points if p.co[0] < 150), key=lambda p: p.co[1])
    frame = int(point.co[0])
    point.co_ui = frame, 0.05
    curve.update()
    stage.own["jawOpen", frame] = 0.05
    neighbours = sorted((p.co[0] for p in curve.keyframe_points), key=lambda f: abs(f - frame))[1:3]
    reach = {"jawOpen": set(range(int(min(neighbours)), int(max(neighbours)) + 1))}
    stage.check(before, reach)
    slide(stage, 0)
    stage.generate(1)
    stage.check(before, reach)


@pytest.mark.parametrize("number", [0, 1])
def test_clear_my_keys_is_for_one_line(stage, number):
    before = stage.values()
    stage.key("jawOpen", PLACES["line 1"], 0.8)
    stage.key("jawOpen", PLACES["line 2"], 0.8)
    lines.refresh(stage.action, stage.record(number), keep=False)
    del stage.own["jawOpen", PLACES["line 1" if number == 0 else "line 2"]]
    stage.check(before)


def test_a_key_set_before_the_first_line_of_a_head(stage):
    """A new head: the artist has an Action of their own, and the lines play below it."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    head.shape_key_add(name="Basis")
    own = head.shape_key_add(name="mine", from_mix=False)
    own.value = 0.7
    own.keyframe_insert("value", frame=70)
    theirs = head.data.shape_keys.animation_data.action
    other = Stage(head, stage.places)
    other.generate(0)
    other.generate(1)
    assert head.data.shape_keys.animation_data.action == theirs, "theirs stays the active one"
    values = other.values()
    assert values["mine"] == pytest.approx(np.full(END, 0.7))
    first = stage.values()
    for name in ("jawOpen", "mouthSmileLeft"):
        np.testing.assert_allclose(values[name], first[name], atol=1e-5)


@pytest.mark.parametrize("on_track", [False, True])
def test_a_key_on_a_layer_above_stays_in_its_line(stage, on_track):
    """It is added to its line, and the other line and the rest between them do not change."""
    if on_track:
        stage = beside_own_animation(stage, on_track)
    before = stage.values()
    layer = lines.add_layer(stage.head.data)
    assert stage.keys.animation_data.action == layer
    np.testing.assert_allclose(stage.values()["jawOpen"], before["jawOpen"], atol=1e-5)
    bpy.context.scene.frame_set(60)
    block = stage.keys.key_blocks["jawOpen"]
    block.value += 0.25
    assert block.keyframe_insert("value")
    curve = next(c for c in compat.fcurves_of(layer) if "jawOpen" in c.data_path)
    kept = [tuple(point.co) for point in curve.keyframe_points]
    assert (60.0, pytest.approx(0.25, abs=1e-5)) in kept
    for write in (lambda: None, lambda: slide_alone(stage, 1), lambda: stage.generate(0)):
        write()
        now = stage.values()
        assert now["jawOpen"][60 - 1] == pytest.approx(before["jawOpen"][60 - 1] + 0.25, abs=SAME)
        others = np.r_[0 : FIRST - 6, FIRST + LENGTH + 4 : END]
        np.testing.assert_allclose(now["jawOpen"][others], before["jawOpen"][others], atol=SAME)
        for name in before.keys() - {"jawOpen"}:
            np.testing.assert_allclose(now[name], before[name], atol=SAME)
        assert [tuple(point.co) for point in curve.keyframe_points] == kept, "the artist's curve"


def slide_alone(stage, number) -> None:
    for value in (0.3, 1.0):
        stage.record(number).tweaks.jaw = value


def test_a_layer_above_follows_lines_where_it_is_not_keyed(stage):
    layer = lines.add_layer(stage.head.data)

    def frames(name: str) -> list[float]:
        curve = next(c for c in compat.fcurves_of(layer) if f'"{name}"' in c.data_path)
        assert all(point.co[1] == 0 for point in curve.keyframe_points if point.co[0] != 60)
        return [point.co[0] for point in curve.keyframe_points]

    first, last = FIRST - 5, FIRST + LENGTH + 4
    assert frames("jawOpen") == [first, last, SECOND - 5, SECOND + LENGTH + 4]
    curve = next(c for c in compat.fcurves_of(layer) if "jawOpen" in c.data_path)
    curve.keyframe_points.insert(60, 0.25)
    values = [curve.evaluate(frame) for frame in range(1, END)]
    stage.places[1][1].frame_start += 30
    stage.generate(1)
    assert frames("mouthSmileLeft") == [first, last, SECOND + 25, SECOND + LENGTH + 34]
    ends = [SECOND - 5, SECOND + 25, SECOND + LENGTH + 4, SECOND + LENGTH + 34]
    assert frames("jawOpen") == [first, 60, last, *ends], "the artist's curve gets keys where it rests"
    assert [curve.evaluate(frame) for frame in range(1, END)] == pytest.approx(values, abs=1e-6)
    lines.remove(stage.head.data, stage.action, stage.record(1))
    assert frames("mouthSmileLeft") == [first, last]
    lines.remove(stage.head.data, stage.action, stage.record(0))
    assert [c.data_path for c in compat.fcurves_of(layer)] == [fcurves.value_path("jawOpen")], "the artist's"
    assert stage.action is None and stage.keys.animation_data.action == layer


@pytest.mark.parametrize("frame", [70.4, *(FIRST + f for f in (-6, -5, -4, 0, LENGTH - 1, LENGTH + 3, LENGTH + 4))])
def test_a_key_at_the_ends_of_a_line_or_between_frames(stage, frame):
    before = stage.values()
    whole = round(frame)
    stage.beside["jawOpen"] = stage.between_keys("jawOpen", whole)
    curve = stage.curve("jawOpen")
    curve.keyframe_points.insert(frame, 0.55)
    for number in (0, 1):
        slide(stage, number)
        stage.generate(number)
    points = [tuple(point.co) for point in stage.curve("jawOpen").keyframe_points]
    assert any(abs(f - frame) < 1e-3 and abs(v - 0.55) < 1e-6 for f, v in points)
    near = set(range(whole - BESIDE, whole + BESIDE + 1))
    stage.check(before, {"jawOpen": near})


def test_a_key_of_a_channel_that_no_line_moves(stage):
    """I makes a curve of the artist in the generated Action."""
    before = stage.values()
    key = stage.head.shape_key_add(name="wink", from_mix=False)
    key.value = 0.0
    bpy.context.scene.frame_set(60)
    key.value = 0.6
    assert key.keyframe_insert("value")
    for number in (0, 1):
        slide(stage, number)
        stage.generate(number)
        assert [tuple(p.co) for p in stage.curve("wink").keyframe_points] == [(60.0, pytest.approx(0.6))]
    now = stage.values()
    assert now["wink"] == pytest.approx(np.full(END, 0.6))
    for name, values in before.items():
        np.testing.assert_allclose(now[name], values, atol=SAME)
    for _line in range(2):
        lines.remove(stage.head.data, stage.action, lines_of(stage.action)[0])
    assert [c.data_path for c in compat.fcurves_of(stage.action)] == [fcurves.value_path("wink")]


def test_a_line_that_is_removed_takes_nothing_of_the_artists(stage):
    before = stage.values()
    stage.key("jawOpen", 70, 0.8)
    stage.key("jawOpen", 240, 0.7)
    stage.key("mouthSmileLeft", 150, 0.6)
    lines.remove(stage.head.data, stage.action, stage.record(0))
    now = stage.values()
    stage.check_own(now)
    for name, values in before.items():
        rows = np.arange(SECOND - 5, END) if name == "jawOpen" else np.arange(SECOND - 1, END)
        rows = rows[(np.abs(rows + 1 - 240) > BESIDE) | (name != "jawOpen")]
        np.testing.assert_allclose(now[name][rows], values[rows], atol=SAME, err_msg=name)
    at_rest = [now[name][FIRST - 5 : 140] for name in before if name not in ("jawOpen", "mouthSmileLeft")]
    assert np.abs(at_rest).max() < SAME
    stage.generate(0)
    stage.check(before)


def test_keys_move_with_their_line(stage):
    """The strip is moved after the artist has keyed, and the line is generated again."""
    before = stage.values()
    stage.key("jawOpen", 70, 0.8)
    stage.key("jawOpen", 240, 0.7)
    stage.places[0][1].frame_start += 20
    stage.generate(0)
    stage.own = {("jawOpen", 90): 0.8, ("jawOpen", 240): 0.7}
    stage.beside["jawOpen"] = {f + 20 if f < 150 else f for f in stage.beside["jawOpen"]}
    moved = {name: values.copy() for name, values in before.items()}
    for values in moved.values():
        values[:180] = np.r_[np.zeros(20), values[:160]]
    stage.check(moved)


def test_a_new_line_between_two_keeps_keys_that_were_there(stage, add_strip, clicks):
    """The artist had keyed the rest between the lines; a third line is put there later."""
    before = stage.values()
    stage.key("jawOpen", 150, 0.9)
    stage.key("mouthSmileLeft", 160, 0.5)
    stage.places[0][1].frame_start -= 20
    strip = add_strip(clicks, "third", 104)
    scene = bpy.context.scene
    if stage.head.name not in scene.objects:
        scene.collection.objects.link(stage.head)
    scene.lsf.layers.blinks = scene.lsf.layers.gaze = False
    strip.frame_offset_end = 20
    stage.places.append((scene, strip))
    stage.generate(0)
    stage.generate(2)
    for number in (0, 1, 2):
        slide(stage, number)
    stage.check_own(stage.values())
    now = stage.values()
    later = np.arange(SECOND + 8, END)
    for name, values in before.items():
        np.testing.assert_allclose(now[name][later], values[later], atol=SAME)
    assert np.abs(now["browInnerUp"][110:170]).max() > 0.2, "the third line is there"


def test_keys_where_lines_overlap(stage):
    """The second strip is moved onto the end of the first; keys in both, and where they overlap."""
    stage.places[1][1].frame_start -= 100
    stage.generate(1)
    before = stage.values()
    for frame, value in ((60, 0.8), (108, 0.9), (115, 0.1), (170, 0.7)):
        stage.key("jawOpen", frame, value)
    for number in (0, 1, 0):
        slide(stage, number)
        stage.check(before, elsewhere=REDUCED)  # either line has keys at the ends of its window
    for number in (1, 0):
        stage.generate(number)
        stage.check(before, elsewhere=REDUCED)


@pytest.mark.parametrize("density", [0.1, 0.5])
def test_tools_of_the_graph_editor(stage, density):
    """Keys of a range scaled, deleted and made constant: what the artist has left there stays."""
    for number in (0, 1):
        stage.record(number).tweaks.density = density
    before = stage.values()
    curve = stage.curve("jawOpen")
    for point in curve.keyframe_points:
        if 60 <= point.co[0] <= 80:
            point.co_ui = point.co[0], 0.2 * point.co[1]
    curve.update()
    smile = stage.curve("mouthSmileLeft")
    for point in reversed([p for p in smile.keyframe_points if 230 <= p.co[0] <= 250]):
        smile.keyframe_points.remove(point)
    for point in stage.curve("browInnerUp").keyframe_points:
        if 90 <= point.co[0] <= 110:
            point.interpolation = "CONSTANT"
    edited = stage.values()
    for number in (0, 1):
        slide(stage, number)
        stage.generate(number)
    now = stage.values()
    for name, first, last in (("jawOpen", 60, 80), ("mouthSmileLeft", 230, 250), ("browInnerUp", 90, 110)):
        inside = np.arange(first + 6, last - 5)  # keys of the range, without the transitions at its ends
        np.testing.assert_allclose(now[name][inside], edited[name][inside], atol=SAME, err_msg=name)
        assert np.abs(edited[name][inside] - before[name][inside]).max() > 0.005, name
        outside = np.setdiff1d(np.arange(END), np.arange(first - BESIDE - 6, last + BESIDE + 6))
        np.testing.assert_allclose(now[name][outside], before[name][outside], atol=SAME, err_msg=name)


def test_a_curve_of_one_channel_that_is_deleted(stage):
    """It stays away while sliders move, and Generate brings it back; keys of the artist on other channels stay."""
    before = stage.values()
    stage.key("mouthSmileLeft", 100, 0.9)
    compat.key_fcurves(stage.action).remove(stage.curve("jawOpen"))
    slide(stage, 0)
    slide(stage, 1)
    assert not [c for c in compat.fcurves_of(stage.action) if "jawOpen" in c.data_path]
    stage.generate(0)
    stage.generate(1)
    stage.check(before)


def beside_own_animation(stage, on_track: bool) -> Stage:
    """Another head with the same lines, which has an Action or an NLA track of the artist."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6)
    head = bpy.context.object
    head.shape_key_add(name="Basis")
    own = head.shape_key_add(name="mine", from_mix=False)
    own.value = 0.7
    own.keyframe_insert("value", frame=70)
    data = head.data.shape_keys.animation_data
    if on_track:
        strip = data.nla_tracks.new().strips.new("mine", 70, data.action)
        compat.assign_slot(strip, data.action)
        data.action = None
    other = Stage(head, stage.places)
    other.generate(0)
    other.generate(1)
    return other


def strips_of(stage) -> list:
    tracks = stage.keys.animation_data.nla_tracks
    return [(strip.name, strip.frame_start, strip.frame_end) for track in tracks for strip in track.strips]


@pytest.mark.parametrize("on_track", [False, True])
def test_keys_in_lines_that_play_beside_own_animation(stage, on_track):
    """Key in the Lines opens the generated Action for I: else a key goes into the artist's, and replaces the line."""
    other = beside_own_animation(stage, on_track)
    data, before, placed = other.keys.animation_data, other.values(), strips_of(other)
    theirs = data.action
    for frame, value in ((80, 0.8), (240, 0.7)):
        bpy.context.scene.frame_set(frame)
        assert bpy.ops.lsf.key_lines() == {"FINISHED"}
        assert data.use_tweak_mode and data.action == other.action
        other.key("jawOpen", frame, value)
        other.record(0).tweaks.jaw = 0.5
        other.record(0).tweaks.jaw = 1.0
        assert bpy.ops.lsf.key_lines() == {"FINISHED"}
        assert not data.use_tweak_mode and data.action == theirs and strips_of(other) == placed
        other.check(before)
    other.generate(0)
    other.check(before)
    assert other.values()["mine"] == pytest.approx(before["mine"])


def test_keys_in_the_lines_needs_lines_on_a_track(stage):
    bpy.context.view_layer.objects.active = stage.head
    assert not bpy.ops.lsf.key_lines.poll(), "the generated Action is the active one"


@pytest.mark.parametrize("on_track", [False, True])
def test_all_lines_are_removed_while_they_are_keyed(stage, on_track):
    other = beside_own_animation(stage, on_track)
    data = other.keys.animation_data
    theirs = data.action
    bpy.ops.lsf.key_lines()
    action = other.action
    for _line in range(2):
        lines.remove(other.head.data, action, lines_of(action)[0])
    assert other.action is None and data.action == theirs and not data.use_tweak_mode
    assert [track.name for track in data.nla_tracks] == (["NlaTrack"] if on_track else [])
    assert other.values()["mine"][69] == pytest.approx(0.7)
