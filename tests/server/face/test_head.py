"""The project's own head."""

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.face.head import ASSET, HeadPart, HeadRegion, load_head


@pytest.fixture(scope="module")
def head():
    return load_head()


def row(channel):
    return CHANNELS.index(channel)


def test_shapes_and_sizes(head):
    count = len(head.vertices)
    assert 3000 <= count <= 8000
    assert head.basis.shape == (52, count, 3) and head.identity_modes.shape == (50, count, 3)
    assert head.landmark_vertices.shape == (68,) and len(set(head.landmark_vertices.tolist())) == 68
    assert head.faces.min() == 0 and head.faces.max() == count - 1
    assert all(np.isfinite(a).all() for a in (head.vertices, head.basis, head.identity_modes))
    assert head.channels == CHANNELS
    assert ASSET.stat().st_size < 6e6


def test_orientation(head):
    """Metres, Z up, facing -Y, the character's left at +X."""
    assert 0.2 < np.ptp(head.vertices[:, 2]) < 0.4
    nose, chin, left_eye = head.landmarks68[30], head.landmarks68[8], head.landmarks68[45]
    assert nose[1] < head.landmarks68[:17, 1].min() and nose[2] > chin[2] and left_eye[0] > 0
    left = np.abs(head.basis[row("eyeBlinkLeft")]).sum(1)
    assert (head.vertices[left > 1e-4, 0] > 0).mean() > 0.95


def test_every_channel_moves_something(head):
    travel = np.linalg.norm(head.basis, axis=2).max(1)
    assert (travel > 0.001).all(), [c for c, t in zip(CHANNELS, travel, strict=True) if t <= 0.001]
    assert travel.max() < 0.06


def test_lips_are_apart_in_the_mesh_and_meet(head):
    """Open with jawOpen, closed again with mouthClose on top, not crossing; and no edge joins the lips."""
    upper, lower = head.landmark_vertices[[61, 62, 63]], head.landmark_vertices[[67, 66, 65]]
    rest = head.vertices[upper] - head.vertices[lower]
    opened = rest + head.basis[row("jawOpen")][upper] - head.basis[row("jawOpen")][lower]
    closed = opened + head.basis[row("mouthClose")][upper] - head.basis[row("mouthClose")][lower]
    assert (np.abs(rest[:, 2]) < 0.0005).all()
    assert (opened[:, 2] > 0.02).all()
    assert (np.abs(closed[:, 2]) < 0.002).all()
    side = head.mouth_side[head.faces]
    central = np.abs(head.vertices[head.faces][:, :, 0]).max(1) < 0.012
    assert not ((side.min(1) < 0) & (side.max(1) > 0) & central).any()


def test_identities_are_people(head):
    rng = np.random.default_rng(0)
    width = [np.ptp(head.with_identity(rng.normal(size=50))[head.landmark_vertices[[36, 45]], 0]) for _ in range(20)]
    assert min(width) > 0.07 and max(width) < 0.11 and np.std(width) > 0.001


def test_parts_follow_their_rules(head):
    jaw = np.linalg.norm(head.basis[row("jawOpen")], axis=1)
    assert jaw[head.part == HeadPart.TEETH_UPPER].max() < 1e-5
    assert jaw[head.part == HeadPart.TEETH_LOWER].min() > 0.01
    assert jaw[np.isin(head.part, (HeadPart.EYE_LEFT, HeadPart.EYE_RIGHT))].max() < 1e-5
    tongue = head.part == HeadPart.TONGUE
    assert head.basis[row("tongueOut")][tongue, 1].min() < -0.02
    assert np.abs(head.basis[row("tongueOut")][~tongue]).max() < 1e-6
    ball = head.part == HeadPart.EYE_LEFT
    radius = np.linalg.norm(head.vertices[ball] - head.eye_centres[0], axis=1)
    turned = head.vertices[ball] + head.basis[row("eyeLookUpLeft")][ball]
    np.testing.assert_allclose(np.linalg.norm(turned - head.eye_centres[0], axis=1), radius, atol=2e-4)
    assert turned[0, 2] > head.vertices[ball][0, 2] + 0.003  # the pupil goes up


def test_lips_roll_over_what_lines_the_mouth(head):
    lips = np.isin(head.region, (HeadRegion.LIP_UPPER, HeadRegion.LIP_LOWER))
    gap = np.linalg.norm(head.vertices[:, None] - head.vertices[lips][None, ::4], axis=2).min(1)
    deep = (head.region == HeadRegion.MOUTH_BAG) & (gap > 0.012)
    for channel in ("mouthRollLower", "mouthRollUpper"):
        travel = np.linalg.norm(head.basis[row(channel)], axis=1)
        assert travel[lips].max() > 0.004 and travel[deep].max() < 0.001


def test_blinks_close_up_and_down(head):
    for side in ("Left", "Right"):
        offset = np.abs(head.basis[row("eyeBlink" + side)])
        assert offset[:, 2].max() > 0.008 and offset[:, 0].max() < 0.0015


def test_lower_molars_are_no_higher_than_the_incisors(head):
    """Otherwise they are seen in the corners of an open mouth."""
    teeth = head.vertices[head.part == HeadPart.TEETH_LOWER]
    incisors, molars = teeth[np.abs(teeth[:, 0]) < 0.01], teeth[teeth[:, 1] > -0.078]
    assert molars[:, 2].max() < incisors[:, 2].max()


def test_a_smile_leaves_the_eyes_alone(head):
    travel = np.linalg.norm(head.basis[row("mouthSmileLeft")], axis=1)
    above = head.vertices[:, 2] > head.landmarks68[36:48, 2].min()
    assert travel[above].max() < 0.04 * travel.max()
