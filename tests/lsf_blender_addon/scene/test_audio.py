"""The sound of a line, as the server gets it."""

from pathlib import Path

import bpy
import numpy as np
import pytest

from lsf_blender_addon.errors import UserError
from lsf_blender_addon.scene import audio
from lsf_blender_addon.scene.snapshots import Line


def line(path, start=0.0, duration=1.0, packed=None) -> Line:
    return Line("line", "Scene", str(path), packed, 24.0, 25, 24, start, duration, 0.0)


def test_the_server_reads_what_it_can(tmp_path):
    header, arrays = audio.request(line("/voice/line.FLAC", 0.5, 2.0), str(tmp_path))
    assert header == {"audio_file": "/voice/line.FLAC", "start": 0.5, "duration": 2.0} and arrays == {}


def test_a_packed_sound_is_unpacked_for_the_job(tmp_path):
    header, _arrays = audio.request(line("line.wav", packed=b"RIFF"), str(tmp_path))
    assert Path(header["audio_file"]).read_bytes() == b"RIFF" and header["audio_file"].startswith(str(tmp_path))


def test_without_audaspace_the_server_must_try(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "audaspace", lambda: None)
    header, arrays = audio.request(line("/voice/line.m4a"), str(tmp_path))
    assert header["audio_file"] == "/voice/line.m4a" and arrays == {}


@pytest.fixture
def aud():
    if not bpy.app.build_options.audaspace:
        pytest.skip("this bpy wheel is built without audio")
    import aud

    return aud


@pytest.mark.parametrize("codec", ["AAC", "PCM", "VORBIS"])
@pytest.mark.parametrize(("start", "duration"), [(0.0, 1.5), (12.3, 5.5), (31.123, 4.0)])
def test_chunks_are_what_one_piece_would_be(aud, tmp_path, codec, start, duration):
    """In Matroska, after which Audaspace's seeks are up to 70 ms off."""
    rate = 44100
    noise = np.random.default_rng(0).normal(0, 0.1, rate * 40)
    noise = np.convolve(noise, np.hanning(30) / 15, "same").astype(np.float32)
    path = tmp_path / "noise.mka"
    aud.Sound.buffer(noise[:, None], rate).write(
        str(path), rate, 1, aud.FORMAT_S16, aud.CONTAINER_MATROSKA, getattr(aud, f"CODEC_{codec}"), 192000, 4096
    )
    whole = aud.Sound(str(path)).data()[:, 0]
    header, arrays = audio.request(line(path, start, duration), str(tmp_path))
    samples, first = arrays["audio"], round(start * rate)
    assert header == {"rate": rate} and samples.dtype == np.float32 and len(samples) == round(duration * rate)
    wanted = whole[first : first + len(samples)]
    assert np.corrcoef(wanted, samples)[0, 1] > 0.999
    assert np.abs(wanted - samples).max() < 0.02


def test_a_long_part_goes_to_the_server_in_a_file(aud, wav, tmp_path, monkeypatch):
    write, _read = wav
    noise = np.random.default_rng(0).normal(0, 3000, 8000 * 30).astype(np.int16)
    write(tmp_path / "noise.wav", noise, 8000)
    monkeypatch.setattr(audio, "SERVER_FORMATS", {".au"})
    whole = audio.request(line(tmp_path / "noise.wav", 2.5, 20.0), str(tmp_path))[1]["audio"]
    monkeypatch.setattr(audio, "LONG", 19.0)
    header, arrays = audio.request(line(tmp_path / "noise.wav", 2.5, 20.0), str(tmp_path))
    assert header == {"audio_file": str(tmp_path / "decoded.au"), "start": 0.0, "duration": 20.0} and not arrays
    soundfile = pytest.importorskip("soundfile")  # as the server reads it
    samples, rate = soundfile.read(header["audio_file"], dtype="float32")
    assert rate == 8000
    np.testing.assert_array_equal(samples, whole)
    with pytest.raises(UserError, match="ends before the strip begins"):
        audio.request(line(tmp_path / "noise.wav", 31.0, 20.0), str(tmp_path))


def test_channels_are_averaged(aud, wav, tmp_path):
    rate = 22050
    ramp = np.arange(5 * rate) % 30000
    wav[0](tmp_path / "ramp.wav", np.stack([ramp, 0 * ramp], 1), rate)
    (samples,), found = audio.decode(aud, str(tmp_path / "ramp.wav"), [(0.7, 4.0)])
    first = round(0.7 * rate)
    assert found == rate
    np.testing.assert_allclose(samples * 32768, ramp[first : first + 4 * rate] / 2, atol=1)


def test_several_parts_are_decoded_in_one_pass(aud, wav, tmp_path):
    rate = 8000
    noise = np.random.default_rng(0).integers(-30000, 30000, 20 * rate)
    wav[0](tmp_path / "noise.wav", noise, rate)
    parts = [(12.5, 1.0), (0.0, 7.5), (5.0, 0.25), (19.5, 3.0), (30.0, 1.0)]
    pieces, _rate = audio.decode(aud, str(tmp_path / "noise.wav"), parts)
    assert [len(piece) for piece in pieces] == [rate, 7.5 * rate, 0.25 * rate, 0.5 * rate, 0]
    for (start, _duration), piece in zip(parts, pieces, strict=True):
        first = round(start * rate)
        np.testing.assert_allclose(piece * 32768, noise[first : first + len(piece)], atol=1)


def test_a_start_behind_the_end_is_refused(aud, wav, tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "SERVER_FORMATS", set())
    wav[0](tmp_path / "short.wav", np.ones(8000), 8000)
    with pytest.raises(UserError, match="ends before the strip begins"):
        audio.request(line(tmp_path / "short.wav", 5.0), str(tmp_path))


def test_a_file_without_sound_is_refused(aud, tmp_path):
    path = tmp_path / "text.m4a"
    path.write_text("no sound")
    with pytest.raises(UserError, match="finds no sound"):
        audio.request(line(path), str(tmp_path))


def test_other_lines_are_named_by_their_files(tmp_path):
    header, arrays = audio.request_others([line("/voice/b.wav", 3.0, 2.0), line("/voice/a.FLAC")], str(tmp_path))
    assert arrays == {} and header["other_lines"] == [
        {"audio_file": "/voice/b.wav", "start": 3.0, "duration": 2.0},
        {"audio_file": "/voice/a.FLAC", "start": 0.0, "duration": 1.0},
    ]
    assert audio.request_others([], str(tmp_path)) == ({}, {})


def test_lines_of_one_packed_sound_share_one_file(tmp_path):
    contents, same_name = b"RIFF one", b"RIFF two"
    packed = [line("a.wav", 0.0, packed=contents), line("a.wav", packed=same_name), line("a.wav", 5.0, packed=contents)]
    main, _arrays = audio.request(packed[0], str(tmp_path))
    header, _arrays = audio.request_others(packed, str(tmp_path))
    paths = [Path(entry["audio_file"]) for entry in header["other_lines"]]
    assert [path.read_bytes() for path in paths] == [contents, same_name, contents] and paths[0] == paths[2]
    assert Path(main["audio_file"]).read_bytes() == contents and len(list(tmp_path.iterdir())) == 3


def test_other_lines_that_the_server_cannot_read_are_decoded(aud, wav, tmp_path, monkeypatch, capsys):
    """Without one that ends before its part, one without sound, and one that begins far into its file."""
    monkeypatch.setattr(audio, "SERVER_FORMATS", {".wav"})
    rate = 8000
    ramp = np.arange(10 * rate) % 30000
    wav[0](tmp_path / "ramp.wav", ramp, rate)
    (tmp_path / "ramp.wav").rename(tmp_path / "ramp.m4a")
    (tmp_path / "text.m4a").write_text("no sound")
    ramps = [line(tmp_path / "ramp.m4a", start, 1.0) for start in (4.0, 20.0, 1.0, audio.FAR)]
    others = [line("/voice/a.wav"), *ramps, line(tmp_path / "text.m4a")]
    header, arrays = audio.request_others(others, str(tmp_path))
    assert [entry.get("array", entry.get("audio_file")) for entry in header["other_lines"]] == [
        "/voice/a.wav",
        "other_line_1",
        "other_line_3",
    ]
    assert header["other_lines"][1]["rate"] == rate and sorted(arrays) == ["other_line_1", "other_line_3"]
    np.testing.assert_allclose(arrays["other_line_3"] * 32768, ramp[rate : 2 * rate], atol=1)
    assert "text.m4a" in capsys.readouterr().out


def test_no_more_is_decoded_than_the_server_hears(aud, wav, tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "SERVER_FORMATS", set())
    wav[0](tmp_path / "long.wav", np.arange(80 * 1000) % 3000, 1000)
    others = [line(tmp_path / "long.wav", start, 70.0 - start) for start in range(10)]
    header, arrays = audio.request_others(others, str(tmp_path))
    assert len(header["other_lines"]) == audio.VOICE_SECONDS / audio.LINE_SECONDS
    assert {len(samples) for samples in arrays.values()} == {audio.LINE_SECONDS * 1000}
