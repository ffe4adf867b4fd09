"""Live Link Face .csv: timecodes of every kind, damaged files, and what is written comes back."""

import numpy as np
import pytest

from lsf_blender_addon.errors import UserError
from lsf_blender_addon.formats import live_link
from lsf_blender_addon.formats.curves import Curves
from server.arkit import CHANNELS

HEADER = ",".join(["Timecode", "BlendShapeCount", *live_link.SHAPES, *live_link.ANGLES])


@pytest.fixture
def recording(tmp_path):
    """A function: write a file with these timecodes, in which JawOpen counts the rows; return its path."""

    def write(timecodes, header=HEADER, encoding="utf-8"):
        titles = header.split(",")
        path = tmp_path / "take.csv"
        rows = [
            ",".join([code, "61"] + [f"{i / 1000:.8f}" if title == "JawOpen" else "0" for title in titles[2:]])
            for i, code in enumerate(timecodes)
        ]
        path.write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
        return path

    return write


def codes(count, rate, start=0, drop=0, separator=":"):
    """Timecodes of `count` frames in a row from label number `start` on; `drop` numbers are left out a minute."""
    for number in range(start, start + count):
        if drop:  # of each ten minutes, all but the first have `drop` fewer
            tens, rest = divmod(number, 600 * rate - 9 * drop)
            number += tens * 9 * drop + (max(0, rest - 60 * rate) // (60 * rate - drop) + (rest >= 60 * rate)) * drop
        whole, frame = divmod(number, rate)
        yield f"{whole // 3600 % 24:02}:{whole // 60 % 60:02}:{whole % 60:02}{separator}{frame:02}.207"


def test_it_has_the_columns_of_arkit():
    assert sorted(live_link.CHANNELS) == sorted(CHANNELS) and len(live_link.SHAPES + live_link.ANGLES) == 61
    assert live_link.SHAPES[0] == "EyeBlinkLeft" and live_link.SHAPES[-1] == "TongueOut"


@pytest.mark.parametrize("rate", [24, 25, 30, 48, 60])
def test_the_timecode_tells_its_rate(recording, rate):
    curves = live_link.read(recording(codes(5 * rate, rate, start=3 * rate + 7))).shapes
    assert curves.names == list(live_link.CHANNELS)
    np.testing.assert_allclose(curves.seconds, np.arange(5 * rate) / rate, atol=1e-9)
    np.testing.assert_allclose(curves.values[:, curves.names.index("jawOpen")], np.arange(5 * rate) / 1000, atol=1e-6)


@pytest.mark.parametrize(("rate", "drop"), [(60, 4), (30, 2)])
def test_drop_frame_keeps_to_the_clock(recording, rate, drop):
    """Twelve minutes from 0:08:30 on: numbers are left out at each full minute but at ten."""
    timecodes = list(codes(12 * 60 * rate, rate, start=510 * rate, drop=drop))
    assert f"00:09:00:{drop:02}.207" in timecodes and "00:09:00:00.207" not in timecodes
    assert "00:10:00:00.207" in timecodes
    curves = live_link.read(recording(timecodes)).shapes
    np.testing.assert_allclose(curves.seconds, np.arange(len(timecodes)) * 1.001 / rate, atol=1e-6)


def test_a_semicolon_tells_drop_frame(recording):
    curves = live_link.read(recording(codes(120, 60, separator=";"))).shapes
    assert curves.seconds[-1] == pytest.approx(119 * 1.001 / 60)


def test_a_full_minute_without_dropped_numbers(recording):
    curves = live_link.read(recording(codes(600, 60, start=60 * 60 * 9 - 300))).shapes
    assert curves.seconds[-1] == pytest.approx(599 / 60)


def test_past_midnight(recording):
    curves = live_link.read(recording(codes(600, 60, start=86400 * 60 - 300))).shapes
    np.testing.assert_allclose(curves.seconds, np.arange(600) / 60, atol=1e-6)


def test_a_rate_given_by_hand(recording):
    curves = live_link.read(recording(codes(600, 60)), rate=60 / 1.001).shapes
    assert curves.seconds[-1] == pytest.approx(599 * 1.001 / 60)


def test_every_second_frame_of_the_timecode(recording):
    curves = live_link.read(recording(list(codes(300, 60))[::2])).shapes
    np.testing.assert_allclose(curves.seconds, np.arange(150) / 30, atol=1e-9)


def test_a_short_take_is_taken_as_the_apps_rate(recording):
    assert live_link.read(recording(codes(20, 60))).shapes.seconds[-1] == pytest.approx(19 / 60)


@pytest.mark.parametrize("code", ["", "0", "00:00:00:00.000"])
def test_timecodes_that_do_not_count(recording, code):
    np.testing.assert_allclose(live_link.read(recording([code] * 90)).shapes.seconds, np.arange(90) / 60, atol=1e-9)


def test_lost_and_untracked_frames_are_bridged(recording, tmp_path):
    path = recording(codes(300, 60))
    lines = path.read_text().splitlines()
    lines[51:81] = [line[:15] + ",0" for line in lines[51:81]]  # no face: BlendShapeCount 0, no values
    del lines[201:221]  # lost
    path.write_text("\n".join(lines))
    curves = live_link.read(path).shapes
    assert len(curves.seconds) == 250
    jaw = curves.resampled(60)[:, curves.names.index("jawOpen")]
    np.testing.assert_allclose(jaw, np.arange(300) / 1000, atol=1e-6)


@pytest.mark.parametrize("rate", [24, 30, 60])
def test_over_midnight_with_a_gap_and_rows_twice(recording, rate):
    """From 23:59:59 on; a second is lost, and ten rows are there twice, as apps write them when they stall."""
    timecodes = list(codes(4 * rate, rate, start=86399 * rate))
    path = recording(timecodes)
    header, *rows = path.read_text().splitlines()
    kept = [*rows[: 2 * rate], *rows[3 * rate :]]
    kept = [row for k, row in enumerate(kept) for _ in range(2 if 30 <= k < 40 else 1)]
    path.write_text("\n".join([header, *kept]) + "\n")
    curves = live_link.read(path).shapes
    assert len(curves.seconds) == 3 * rate
    assert curves.seconds[-1] == pytest.approx((4 * rate - 1) / rate, abs=1e-6)
    jaw = curves.resampled(rate)[:, curves.names.index("jawOpen")]
    np.testing.assert_allclose(jaw, np.arange(4 * rate) / 1000, atol=1e-6)


def test_angles_are_read_beside_the_shapes(recording):
    """Radians, by name; an empty field is 0, and a file without these columns has none."""
    path = recording(codes(60, 30), "Timecode,BlendshapeCount,JawOpen,righteyeyaw,HeadPitch")
    header, *rows = path.read_text().splitlines()
    rows = [f"{row.rsplit(',', 2)[0]},{k / 100},{'' if k == 7 else -k / 50}" for k, row in enumerate(rows)]
    path.write_text("\n".join([header, *rows]) + "\n")
    angles = live_link.read(path).angles
    assert angles.names == ["HeadPitch", "RightEyeYaw"]
    np.testing.assert_allclose(angles.values[:, 1], np.arange(60) / 100, atol=1e-6)
    np.testing.assert_allclose(np.delete(angles.values[:, 0], 7), np.delete(-np.arange(60) / 50, 7), atol=1e-6)
    assert angles.values[7, 0] == 0
    none = live_link.read(recording(codes(60, 30), "Timecode,BlendShapeCount,JawOpen")).angles
    assert none.names == [] and none.values.shape == (60, 0)


def test_spellings_that_occur(recording):
    header = HEADER.replace("BlendShapeCount", "BlendshapeCount").replace("Timecode", "timecode")
    path = recording(codes(120, 60), header, encoding="utf-8-sig")
    first = live_link.read(path).shapes
    small = ",".join(title[0].lower() + title[1:] for title in HEADER.split(","))
    path.write_text(path.read_text("utf-8-sig").replace(header, small))
    second = live_link.read(path).shapes
    semicolons = "\n".join(
        line.replace(",", ";").replace("0.", "0,") if i else line.replace(",", ";")
        for i, line in enumerate(path.read_text().splitlines())
    )
    path.write_text(semicolons.replace(",207", ".207"))
    third = live_link.read(path).shapes
    for other in (second, third):
        assert other.names == first.names
        np.testing.assert_array_equal(other.values, first.values)
    np.testing.assert_allclose(second.seconds, first.seconds)


def test_columns_in_another_order_and_some_missing(recording):
    path = recording(codes(120, 60), "Timecode,BlendShapeCount,MouthClose,JawOpen,HeadYaw")
    curves = live_link.read(path).shapes
    assert curves.names == ["jawOpen", "mouthClose"]
    assert curves.values[50].tolist() == pytest.approx([0.05, 0])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no column of ARKit"),
        ("a,b\n1,2\n", "no column of ARKit"),
        (HEADER + "\n", "holds no animation"),
        ("JawOpen\n1\n", "holds no animation"),
        ("JawOpen\n1\nx\n", "Line 3"),
        ("JawOpen\n1\nnan\n", "holds no animation"),
    ],
)
def test_other_files_are_refused_with_a_sentence(tmp_path, text, sentence):
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=sentence):
        live_link.read(path)


def test_files_that_are_no_text(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x80")
    (tmp_path / "quoted.csv").write_text('"' + "x" * 200_000)  # longer than a field of the csv module may be
    for name in ("x.csv", "quoted.csv", "missing.csv"):
        with pytest.raises(UserError, match="cannot be read"):
            live_link.read(tmp_path / name)


@pytest.mark.parametrize("fps", [24, 24 / 1.001, 25, 30 / 1.001, 60, 60 / 1.001])
def test_what_is_written_comes_back(tmp_path, fps):
    """At the scene's rate, whatever the timecode makes of it: no frame is off by more than a thousandth of one."""
    seconds = 3600.5 + np.arange(500) / fps
    values = np.random.default_rng(0).random((500, 3)).astype(np.float32)
    curves = Curves(["jawOpen", "MouthClose", "mine"], seconds, values)
    assert live_link.write(tmp_path / "out.csv", curves, fps) == ["mine"]
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == HEADER
    back = live_link.read(tmp_path / "out.csv").shapes
    np.testing.assert_allclose(back.seconds, seconds - seconds[0], atol=1.1e-3 / fps)
    np.testing.assert_allclose(back.values[:, back.names.index("jawOpen")], values[:, 0], atol=1e-6)
    np.testing.assert_allclose(back.values[:, back.names.index("mouthClose")], values[:, 1], atol=1e-6)
    assert back.resampled(fps).shape == (500, 52)


def test_timecode():
    assert live_link.timecode(3723.5, 60) == "01:02:03:30.000"
    assert live_link.timecode(0.9999999, 24) == "00:00:01:00.000"
