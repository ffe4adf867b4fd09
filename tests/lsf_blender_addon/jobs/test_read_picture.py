"""Add to Bank from Picture: from a file to an entry of the head's bank."""

import bpy
import numpy as np
import pytest

from lsf_blender_addon.client.jobs import Job, State
from lsf_blender_addon.scene import expression_bank, pictures
from server.arkit import CHANNELS
from tests.lsf_blender_addon.fake_client import Client, use


class Reader(Client):
    def __init__(self, state=State.DONE, **weights):
        super().__init__(state)
        self.sent = []
        self.weights = np.array([weights.get(name, 0) for name in CHANNELS], np.float32)

    def submit(self, kind, request, arrays):
        assert kind == "read_picture"
        self.sent.append(set(arrays))
        job = Job("1", kind, request, arrays, self.state)
        job.header, job.arrays = {"channels": list(CHANNELS), "error": 1.0}, {"weights": self.weights}
        job.error = "There are 2 faces in the picture: crop it to one face."
        self.jobs.append(job)
        return job


@pytest.fixture
def picture(tmp_path):
    image = bpy.data.images.new("picture", 40, 32, alpha=True)
    pixels = np.ones((32, 40, 4), np.float32)
    pixels[-1, 0] = (1, 0, 0, 1)  # Blender's first row is the lowest: this pixel is at the top left
    pixels[0, 0] = (0, 0, 0, 0)
    image.pixels.foreach_set(pixels.ravel())
    image.filepath_raw, image.file_format = str(tmp_path / "Wry smile.png"), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return str(tmp_path / "Wry smile.png")


@pytest.fixture
def head(addon):
    bpy.ops.lsf.add_head()
    return bpy.context.object


def test_a_picture_is_read_from_its_top_row_and_on_white(addon, picture):
    before = len(bpy.data.images)
    pixels = pictures.load(picture)
    assert pixels.shape == (32, 40, 3) and pixels.dtype == np.uint8
    assert pixels[0, 0].tolist() == [255, 0, 0] and pixels[-1, 0].tolist() == [255, 255, 255]
    assert len(bpy.data.images) == before


def test_large_pictures_are_sent_smaller_and_linear_ones_as_in_a_file():
    pixels = np.zeros((10, 4100, 4), np.float32)
    pixels[..., :3], pixels[..., 3] = 0.2140411, 1  # middle grey: 0.5 in sRGB
    sent = pictures.to_bytes(pixels, is_linear=True)
    assert sent.shape == (3, 1366, 3) and set(np.unique(sent)) == {128}


def test_the_expression_is_added_under_the_name_of_the_file_or_the_one_given(addon, monkeypatch, head, picture):
    client = use(addon, monkeypatch, Reader(mouthSmileLeft=0.8, browDownRight=0.4))
    assert bpy.ops.lsf.add_from_picture(filepath=picture) == {"FINISHED"}
    assert client.sent == [{"picture"}]
    assert bpy.ops.lsf.add_from_picture(filepath=picture, neutral=picture, name="Half") == {"FINISHED"}
    assert client.sent[1] == {"picture", "neutral"}
    entries = [entry.expression for entry in expression_bank.entries(head)]
    assert [entry.name for entry in entries] == ["Wry smile", "Half"]
    assert entries[0].weights == {"mouthSmileLeft": 0.8, "browDownRight": 0.4}
    assert addon.session.message == '"Half" was added: mouthSmileLeft 80%, browDownRight 40%'


@pytest.mark.parametrize(
    ("client", "sentence"),
    [
        (Reader(State.FAILED), "There are 2 faces"),
        (Reader(), "is neutral: nothing was added"),
        (Reader(jawOpen=np.nan), "answer is damaged"),
        (Reader(jawOpen=2), "answer is damaged"),
    ],
)
def test_without_an_expression_nothing_is_added(addon, monkeypatch, head, picture, client, sentence):
    use(addon, monkeypatch, client)
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.lsf.add_from_picture(filepath=picture)
    assert not expression_bank.entries(head)


def test_a_file_that_is_no_picture_is_refused_with_its_name(addon, monkeypatch, head, tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    client = use(addon, monkeypatch, Reader())
    before = len(bpy.data.images)
    with pytest.raises(RuntimeError, match=r'"notes.png" is no picture'):
        bpy.ops.lsf.add_from_picture(filepath=str(tmp_path / "notes.png"))
    assert not client.jobs and len(bpy.data.images) == before
