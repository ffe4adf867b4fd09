"""Heads with welded lips, with the real server and its model: said, kept together, cut, and then parted."""

import importlib.util
from pathlib import Path

import bpy
import numpy as np
import pytest

from lsf_blender_addon import compat
from lsf_blender_addon.client.jobs import Client
from lsf_blender_addon.jobs import checkup
from lsf_blender_addon.scene import meshes, mouth_seam
from tests import welded_heads
from tests.lsf_blender_addon import welded_head

LINE = Path(compat.__file__).parent / "assets" / "demo_line.flac"
FRAMES = range(25, 125, 2)
SENTENCE = "the lips are one surface: they stay together, and the jaw opens by "

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="the server answers every Blender alike: its faces are fitted once, where its packages are",
)


@pytest.fixture
def session(addon, add_strip, monkeypatch, tmp_path, server_python):
    client = Client(server_python, tmp_path / "server.log", [])
    monkeypatch.setattr(addon.session, "client", lambda: client)
    monkeypatch.setattr("lsf_blender_addon.ui.operators.check_character.server_python", lambda: server_python)
    monkeypatch.setenv("LSF_CACHE_DIR", str(tmp_path / "faces"))
    add_strip(LINE)
    yield addon.session
    client.stop()


@pytest.mark.parametrize("make", [welded_heads.scanned, welded_heads.merged, welded_heads.painted])
def test_welded_lips_are_said_kept_together_cut_and_part(session, make):
    head = welded_head.add(*make())
    head.scale = (2, 2, 2)
    bpy.context.view_layer.update()
    assert not bpy.ops.lsf.cut_mouth.poll()
    assert bpy.ops.lsf.check_character() == {"FINISHED"}
    (finding,) = (finding for finding in checkup.shown(head) if finding.cure == "lsf.cut_mouth")
    assert finding.level == "FAULT" and finding.text.startswith("The lips are one surface")

    assert bpy.ops.lsf.generate() == {"FINISHED"}
    assert SENTENCE in session.message and "press Cut the Mouth" in session.message
    seam = mouth_seam.read(head)
    keys = set(head.data.shape_keys.key_blocks.keys())
    before = len(head.data.vertices)
    assert widest(head, around_mouth(head)) < 6, "no skin is stretched over an open mouth"
    action = head.data.shape_keys.animation_data.action

    assert bpy.ops.lsf.cut_mouth() == {"FINISHED"}
    assert mouth_seam.read(head) is None and not bpy.ops.lsf.cut_mouth.poll()
    assert set(head.data.shape_keys.key_blocks.keys()) == keys
    assert head.data.shape_keys.animation_data.action == action and len(action.lsf.lines) == 1
    pairs = lips(head, before, seam)

    assert bpy.ops.lsf.generate() == {"FINISHED"}
    assert "one surface" not in session.message
    assert apart(head, pairs) > 0.005 * 2, "metres, on a head of double size"
    bpy.ops.lsf.check_character()
    assert not [finding for finding in checkup.shown(head) if finding.cure == "lsf.cut_mouth"]


def around_mouth(head):
    """Edges (E, 2) around the mouth, at rest."""
    places = meshes.base_vertices(head.data)
    edges = np.array([edge.vertices for edge in head.data.edges])
    near = np.linalg.norm(places - [0, -0.112, -0.034], axis=1) < 0.02
    long = np.linalg.norm(places[edges[:, 0]] - places[edges[:, 1]], axis=1) > 1e-3
    return edges[near[edges].all(1) & long]


def posed(head):
    """World positions (V, 3) in each of FRAMES, as evaluated."""
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        yield meshes.evaluated_vertices(head)


def widest(head, edges):
    """The greatest factor by which an edge grows."""
    rest = (meshes.base_vertices(head.data) * 2).astype(float)

    def length(places):
        return np.linalg.norm(places[edges[:, 0]] - places[edges[:, 1]], axis=1)

    return max((length(places) / length(rest)).max() for places in posed(head))


def lips(head, count, seam):
    """Pairs of a vertex of the upper and of the lower lip: those at one place, of which one is new."""
    places = meshes.base_vertices(head.data)
    new = np.arange(count, len(places))
    pairs = []
    for vertex in {point[0] for point in seam.points if point[0] == point[1]}:
        gap = np.linalg.norm(places[new] - places[vertex], axis=1)
        if gap.min() < 1e-4:
            pairs.append((vertex, int(new[gap.argmin()])))
    return np.array(pairs)


def apart(head, pairs):
    """The greatest distance between two lips' vertices."""
    return max(np.linalg.norm(p[pairs[:, 0]] - p[pairs[:, 1]], axis=1).max() for p in posed(head))
