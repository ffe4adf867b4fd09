"""From a picture to weights, with the networks that ship and rendered pictures of the project's head."""

from functools import cache

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.errors import LSFError
from server.face.head import load_head
from server.picture import faces, network, reading
from server.picture.build import scenes
from server.picture.crops import Pyramid, Square


@cache
def rendered(**weights):
    """A picture (384, 384, 3) of the head, from the front, and the scene."""
    head = load_head()
    values = np.array([weights.get(name, 0.0) for name in CHANNELS])
    scene = scenes.random_scene(np.random.default_rng(4), head, values)
    scene = scenes.replace(scene, identity=np.zeros(50))
    return np.round(255 * scene.picture(head)).astype(np.uint8), scene


def test_the_landmarks_lie_on_the_face():
    picture, scene = rendered()
    head = load_head()
    found = reading.find_landmarks(picture, "the picture")
    # Nose tip and corners of the mouth, in MediaPipe's numbers and those of 300-W.
    true = scene.camera.project(scene.vertices(head)[head.landmark_vertices[[30, 48, 54]]])
    assert np.linalg.norm(found[[1, 61, 291]] - true, axis=1).max() < 8


@pytest.mark.parametrize("turns", [1, 3])
def test_a_picture_that_lies_on_its_side_is_read(turns):
    picture, _ = rendered()
    upright = reading.find_landmarks(picture, "the picture")
    turned = reading.find_landmarks(np.ascontiguousarray(np.rot90(picture, turns)), "the picture")
    assert np.ptp(turned, axis=0) == pytest.approx(np.roll(np.ptp(upright, axis=0), turns), abs=8)


def test_small_faces_and_faces_that_fill_the_picture_are_found():
    picture, _ = rendered()
    small = np.full((1500, 1500, 3), 90, np.uint8)
    small[700:1084, 200:584] = picture
    at = reading.find_landmarks(small, "the picture")
    expected = reading.find_landmarks(picture, "the picture")
    assert np.abs(at - expected - [200, 700]).max() < 8
    low, high = expected.min(0).astype(int), expected.max(0).astype(int)
    filled = np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]])
    assert np.abs(reading.find_landmarks(filled, "the picture") + low - expected).mean() < 8


def test_no_face_and_several_faces_are_said_in_one_sentence():
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    with pytest.raises(LSFError, match="No face was found in the picture: use one that") as caught:
        reading.read(noise)
    assert caught.value.code == "no_face_in_picture"
    picture, _ = rendered()
    with pytest.raises(LSFError, match="There are 2 faces in the neutral picture: crop it to one face") as caught:
        reading.read(picture, np.concatenate([picture, picture], 1))
    assert caught.value.code == "several_faces_in_picture"


@pytest.mark.parametrize("shape", [(31, 400, 3), (40, 40), (40, 40, 4), (0, 0, 3), (32, 100000, 3)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(LSFError, match="must have"):
        reading.read(np.zeros(shape, np.uint8))
    with pytest.raises(LSFError, match="8 bits"):
        reading.read(np.zeros((40, 40, 3), np.float32))


def test_a_neutral_picture_gives_next_to_nothing_with_itself():
    picture, _ = rendered()
    assert reading.read(picture, picture).weights.max() < 0.05


def test_a_clear_expression_leads_with_a_neutral_picture():
    picture, _ = rendered(jawOpen=0.8)
    found = reading.read(picture, rendered()[0])
    assert next(iter(found.channels)) == "jawOpen" and found.channels["jawOpen"] > 0.4


def test_squares_are_turned_as_seen():
    square = Square(np.array([10.0, 20.0]), 4.0, np.pi / 2)
    # The square's upper left corner is at the upper right after a quarter turn clockwise.
    assert square.to_picture(np.array([[0.0, 0.0], [1.0, 0.0]])) == pytest.approx(np.array([[12, 18], [12, 22]]))


def test_a_crop_shows_what_is_in_the_square():
    picture = np.zeros((40, 60, 3), np.float32)
    picture[10:20, 30:40, 0] = 1
    crop = Pyramid(picture).crop(Square(np.array([35.0, 15.0]), 10.0), 10)
    assert crop[0, 0].numpy() == pytest.approx(np.ones((10, 10))) and not crop[0, 1].any()
    small = Pyramid(picture).crop(Square(np.array([35.0, 15.0]), 20.0), 5)[0, 0].numpy()
    assert small[2, 2] == pytest.approx(1) and small.sum() == pytest.approx(25 / 4, rel=0.1)


def test_candidates_that_overlap_are_one_face():
    assert faces._overlap(np.array([0, 0, 10, 10.0]), np.array([5, 0, 15, 10.0])) == pytest.approx(1 / 3)
    assert faces._overlap(np.array([0, 0, 10, 10.0]), np.array([20, 0, 30, 10.0])) == 0


def test_the_crop_matrix_is_that_worked_by_hand():
    import torch

    # Corners one above the other: the crop is turned by a quarter. Box 4 wide (along the line) and 2 high, times 1.5.
    points = torch.tensor([[[10.0, 10, 0], [10, 14, 0], [9, 12, 0], [11, 12, 0]]])
    step = {"corners": [0, 1], "points": [0, 1, 2, 3], "scale": [1.5, 1.5], "size": [16, 16]}
    matrix = network._crop_matrix([points], step, {})[0].numpy()
    assert (matrix[:2, :2] @ [8, 8] + matrix[:2, 3]).tolist() == pytest.approx([10, 12])
    assert (matrix[:2, :2] @ [16, 0]).tolist() == pytest.approx([0, 6], abs=1e-5)
    assert (matrix[:2, :2] @ [0, 16]).tolist() == pytest.approx([-3, 0], abs=1e-5)
