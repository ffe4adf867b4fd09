"""The request `read_picture`: messages have no bytes, so pictures travel as whole numbers."""

import numpy as np
import pytest

from server.errors import LSFError
from server.picture import reading
from server.protocol import requests


def test_whole_numbers_become_the_bytes_that_are_read(monkeypatch):
    seen = []

    def read(picture, neutral):
        seen.extend([picture.dtype, neutral])
        return reading.Reading(np.zeros(52), np.zeros((478, 2)), 1.0, False)

    monkeypatch.setattr(reading, "read", read)
    run = requests.read_picture({}, {"picture": np.full((40, 40, 3), 255, np.int32)})
    fields, arrays = run(None, lambda *_: None, lambda: False)
    assert seen == [np.uint8, None] and len(fields["channels"]) == 52
    assert arrays["weights"].shape == (52,) and arrays["landmarks"].shape == (478, 2)


@pytest.mark.parametrize("value", [np.int32(256), np.int32(-1), np.float32(1)])
def test_other_numbers_are_refused(value):
    with pytest.raises(LSFError, match="whole numbers from 0 to 255"):
        requests.read_picture({}, {"picture": np.full((40, 40, 3), value)})
