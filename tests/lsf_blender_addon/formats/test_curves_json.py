"""Curves as JSON: what is written is what another program reads, whatever the names and values are."""

import json

import hypothesis
import hypothesis.strategies as st
import numpy as np

from lsf_blender_addon.formats import curves_json
from lsf_blender_addon.formats.curves import Curves

NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=4)


@st.composite
def any_curves(draw):
    names, frames = draw(NAMES), draw(st.integers(0, 4))
    row = st.lists(st.floats(-1e6, 1e6, width=32), min_size=len(names), max_size=len(names))
    values = draw(st.lists(row, min_size=frames, max_size=frames))
    return Curves(names, np.arange(frames) / 24, np.float32(values).reshape(frames, len(names)))


@hypothesis.given(any_curves(), st.floats(1, 240), st.floats(-1e6, 1e6))
@hypothesis.settings(max_examples=40)
def test_what_is_written_is_what_is_read(tmp_path_factory, curves, fps, first_frame):
    path = tmp_path_factory.getbasetemp() / "any.json"
    curves_json.write(path, curves, fps, first_frame)
    found = json.loads(path.read_text("utf-8"))
    assert (found["format"], found["version"]) == ("lsf-curves", 1)
    assert (found["fps"], found["first_frame"], found["names"]) == (fps, first_frame, curves.names)
    np.testing.assert_allclose(np.reshape(found["values"], curves.values.shape), curves.values, atol=1e-6)
