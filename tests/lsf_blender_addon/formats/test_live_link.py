"""Live Link Face .csv: timecodes of every kind, damaged files, and what is written comes back."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from lsf_blender_addon.errors import UserError
from lsf_blender_addon.formats import live_link
from lsf_blender_addon.formats.curves import Curves
from server.arkit import CHANNELS

ROOT = Path(__file__).resolve().parents[3]

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
        ("JawOpen\n1\n1e30\n", "holds numbers that no face has"),
        ("JawOpen\n1\n-1e300\n", "holds no animation"),
        ("JawOpen,HeadYaw\n1,0\n1,1e9\n", "holds numbers that no face has"),
        ("Timecode,JawOpen\n00:00:00:00,1\n999:59:59:00,1\n", "longer than 4 hours"),
        ("Timecode,JawOpen\n00:00:00:00,1\n06:00:00:00,1\n", "longer than 4 hours"),
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
    (tmp_path / "line.csv").write_text(HEADER + "\n" + "0," * 1_000_000)
    (tmp_path / "folder.csv").mkdir()
    for name in ("x.csv", "quoted.csv", "missing.csv", "folder.csv"):
        with pytest.raises(UserError, match=r'^"[a-z]+\.csv" cannot be read: pick a \.csv of Live Link Face$'):
            live_link.read(tmp_path / name)
    with pytest.raises(UserError):
        live_link.read(tmp_path / "line.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has none")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(UserError, match="cannot be read"):
        live_link.read(tmp_path / "pipe.csv")


def test_what_is_not_a_timecode_is_not_counted(tmp_path):
    """Numbers that no clock shows: the rows have equal distances then."""
    path = tmp_path / "a.csv"
    for code in ("9" * 400 + ":00:00:00", "00:00:00:" + "9" * 400, "00:00:00:-1", "1e9:0:0:0"):
        path.write_text(f"Timecode,JawOpen\n{code},0.5\n00:00:00:00,1\n{code},0.5\n")
        np.testing.assert_allclose(live_link.read(path).shapes.seconds, np.arange(3) / 60)


READ_IN_LITTLE_MEMORY = """
import resource, sys
import numpy
from lsf_blender_addon.errors import UserError
from lsf_blender_addon.formats import live_link
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
live_link.MAX_ROWS = 50_000
for path in sys.argv[1:]:
    try:
        print(len(live_link.read(path).shapes.seconds))
    except UserError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no limit of memory on other systems")
def test_large_files_need_little_memory(tmp_path):
    """A file of 2 GB, which takes no space on the disk; one without an end of a line; one with too many rows."""
    with (tmp_path / "zeros.csv").open("wb") as file:
        file.truncate(2 << 30)
    with (tmp_path / "one_line.csv").open("wb") as file:
        file.truncate(500 << 20)
    (tmp_path / "rows.csv").write_text("JawOpen\n" + "0.5\n" * 60_000)
    (tmp_path / "ten_minutes.csv").write_text(HEADER + "\n" + ("00:00:00:00,61," + "0.12345678," * 61 + "\n") * 36_000)
    names = ["zeros.csv", "one_line.csv", "rows.csv", "ten_minutes.csv"]
    done = subprocess.run(
        [sys.executable, "-c", READ_IN_LITTLE_MEMORY, *(tmp_path / name for name in names)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=100,
    )
    assert not done.stderr
    zeros, one_line, rows, ten_minutes = done.stdout.splitlines()
    assert zeros == '"zeros.csv" is larger than 1024 MB: export it in parts'
    assert one_line.startswith('"one_line.csv" ')
    assert rows == '"rows.csv" has more than 50000 rows: export it in parts'
    assert ten_minutes == "36000"


CELL = st.one_of(
    st.floats(-2, 2).map(str),
    st.sampled_from(["", "0.5", "-1", "nan", "inf", "1e39", "0,5", '"', "\x00", "1_0", "00:00:01:12", "00:59:59;29"]),
    st.text(max_size=5),
    st.tuples(*[st.integers(0, 99)] * 4).map(lambda code: "{:02}:{:02}:{:02}:{:02}".format(*code)),
)
TITLES = st.lists(st.sampled_from(["Timecode", "JawOpen", "mouthclose", "HeadYaw", "EyeBlinkLeft", "x"]), max_size=5)


@hypothesis.given(TITLES, st.lists(st.lists(CELL, max_size=5), max_size=6), st.sampled_from([0.0, 24.0, 59.94]))
@hypothesis.settings(max_examples=60)
def test_a_table_of_any_kind_is_refused_or_a_recording(tmp_path_factory, titles, rows, rate):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text("\n".join(",".join(row) for row in [titles, *rows]), "utf-8", "surrogatepass")
    with contextlib.suppress(UserError):
        found = live_link.read(path, rate)
        for curves in (found.shapes, found.angles):
            assert np.isfinite(curves.values).all() and curves.values.shape == (len(curves.seconds), len(curves.names))
            assert np.isfinite(curves.seconds).all() and (np.diff(curves.seconds) > 0).all()
            assert len(curves.resampled(30.0)) <= 4 * 3600 * 30 + 1


@hypothesis.given(st.binary(max_size=300))
@hypothesis.settings(max_examples=40)
def test_bytes_of_any_kind_are_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(HEADER.encode() + b"\n" + data)
    with contextlib.suppress(UserError):
        live_link.read(path)


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
