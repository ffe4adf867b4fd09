"""From a picture to weights, with the networks that ship and rendered pictures of the project's head."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from server.arkit import CHANNELS
from server.errors import LSFError
from server.face.head import load_head
from server.picture import faces, fit, network, reading
from server.picture.build import render, scenes
from server.picture.crops import Pyramid, Square

PIXELS = 192  # side of the pictures: the detector looks at twelve squares of one


@cache
def rendered(**weights):
    """A picture (192, 192, 3) of the head, from the front, and the scene."""
    head = load_head()
    values = np.array([weights.get(name, 0.0) for name in CHANNELS])
    scene = scenes.random_scene(np.random.default_rng(4), head, values)
    camera = replace(scene.camera, scale=scene.camera.scale / 2, place=scene.camera.place / 2)
    scene = replace(scene, identity=np.zeros(50), camera=camera)
    picture = render.render(head, scene.vertices(head), camera, PIXELS, scene.light, scene.look).picture
    return np.round(255 * picture).astype(np.uint8), scene


@cache
def upright():
    """The landmarks (478, 2) of the neutral picture."""
    return reading.find_landmarks(rendered()[0], "the picture")


def test_the_landmarks_lie_on_the_face():
    _, scene = rendered()
    head = load_head()
    # Nose tip and corners of the mouth, in MediaPipe's numbers and those of 300-W.
    true = scene.camera.project(scene.vertices(head)[head.landmark_vertices[[30, 48, 54]]])
    assert np.linalg.norm(upright()[[1, 61, 291]] - true, axis=1).max() < 4


@pytest.mark.parametrize("turns", [1, 3])
def test_a_picture_that_lies_on_its_side_is_read(turns):
    picture, _ = rendered()
    turned = reading.find_landmarks(np.ascontiguousarray(np.rot90(picture, turns)), "the picture")
    assert np.ptp(turned, axis=0) == pytest.approx(np.roll(np.ptp(upright(), axis=0), turns), abs=4)


def test_small_faces_and_faces_that_fill_the_picture_are_found():
    picture, _ = rendered()
    small = np.full((700, 700, 3), 90, np.uint8)
    small[300:492, 100:292] = picture
    at = reading.find_landmarks(small, "the picture")
    expected = upright()
    assert np.abs(at - expected - [100, 300]).max() < 4
    low, high = expected.min(0).astype(int), expected.max(0).astype(int)
    filled = np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]])
    assert np.abs(reading.find_landmarks(filled, "the picture") + low - expected).mean() < 4


def test_no_face_and_several_faces_are_said_in_one_sentence():
    noise = np.random.default_rng(0).integers(0, 255, (70, 100, 3), np.uint8)
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


def test_a_neutral_picture_is_at_rest_and_a_clear_expression_leads():
    neutral = rendered()[0]
    assert not reading.settled(fit.fit(upright()).weights).any()
    found = reading.read(rendered(jawOpen=0.8)[0], neutral)
    assert next(iter(found.channels)) == "jawOpen" and found.channels["jawOpen"] > 0.4 and found.has_neutral


def test_weights_below_the_noise_are_none_and_the_others_stay_whole():
    fitted = np.array([0.0, 0.1999, 0.2, 0.4, 0.9])
    assert reading.settled(fitted, noise=0.2, gain=1.5) == pytest.approx([0, 0, 0.3, 0.6, 1])


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
