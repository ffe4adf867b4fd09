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
    monkeypatch.setattr(audio, "_audaspace", lambda: None)
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


def test_channels_are_averaged(aud, wav, tmp_path):
    rate = 22050
    ramp = np.arange(5 * rate) % 30000
    wav[0](tmp_path / "ramp.wav", np.stack([ramp, 0 * ramp], 1), rate)
    samples, found = audio.decode(aud, str(tmp_path / "ramp.wav"), 0.7, 4.0)
    first = round(0.7 * rate)
    assert found == rate
    np.testing.assert_allclose(samples * 32768, ramp[first : first + 4 * rate] / 2, atol=1)


def test_a_start_behind_the_end_is_refused(aud, wav, tmp_path):
    wav[0](tmp_path / "short.wav", np.ones(8000), 8000)
    with pytest.raises(UserError, match="ends before the strip begins"):
        audio.decode(aud, str(tmp_path / "short.wav"), 5.0, 1.0)


def test_a_file_without_sound_is_refused(aud, tmp_path):
    path = tmp_path / "text.m4a"
    path.write_text("no sound")
    with pytest.raises(UserError, match="finds no sound"):
        audio.request(line(path), str(tmp_path))
