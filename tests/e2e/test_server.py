"""The server as the add-on talks to it, with the checkpoint that ships, and the same engine from a shell."""

import json
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lsf_blender_addon.client.jobs import Client, State
from server.arkit import CHANNELS
from server.face.head import load_head

ROOT = Path(__file__).resolve().parents[2]
LINE = ROOT / "lsf_blender_addon" / "assets" / "demo_line.flac"
PHONES = json.loads(LINE.with_suffix(".json").read_text("utf-8"))["phones"]
SPEECH = (PHONES[0][2] if PHONES[0][0] == "sil" else PHONES[0][1], PHONES[-1][1])  # seconds; the line ends in silence
CLOSURES = [(start, end) for sound, start, end in PHONES if sound in ("p", "b", "m")]
UPPER_LIP, LOWER_LIP = 62, 66
PATIENCE = 300  # seconds until a test gives up waiting


@pytest.fixture(scope="module")
def client(server_python, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    client = Client(server_python, folder / "server.log", ["--cache", str(folder / "faces")])
    yield client
    client.stop()


@pytest.fixture(scope="module")
def character():
    """Our own head as another character would be: wider, in centimetres, its vertices in another order."""
    head, order = load_head(), np.random.default_rng(0).permutation(len(load_head().vertices))
    vertices = (head.vertices[order] * (108, 100, 100)).astype(np.float32)
    return {"vertices": vertices, "triangles": np.argsort(order)[head.triangles].astype(np.int32)}


def finish(client, job, state=State.DONE):
    end = time.monotonic() + PATIENCE
    while not job.state.ended:
        assert time.monotonic() < end, (job.state, client.server, client.notice)
        client.drain()
        time.sleep(0.01)
    client.drain()
    assert job.state is state, job.error
    return job


def generate(client, mesh=None, state=State.DONE, **settings):
    job = client.submit("generate", {"audio_file": str(LINE), "settings": settings}, mesh or {})
    return finish(client, job, state)


def aperture(motion, basis, vertices, points):
    """(F,) distance of the inner lips' middles in the mesh's unit."""
    lips = np.array(points)[[UPPER_LIP, LOWER_LIP]]
    moving = vertices[lips] + np.tensordot(motion, basis[:, lips], 1)
    return np.linalg.norm(moving[:, 0] - moving[:, 1], axis=-1)


def of(job, vertices=None):
    arrays = job.arrays
    curve = aperture(
        arrays["motion"],
        arrays["basis"],
        arrays["vertices"] if vertices is None else vertices,
        arrays["landmark_vertices"],
    )
    return job.header["t0"] + np.arange(len(curve)) / job.header["fps"], curve


def widest_closure(times, curve):
    """The least closed of all p, b and m (± 40 ms), as a share of the aperture of the line's open vowels."""

    def at(start: float, end: float) -> np.ndarray:
        return np.interp(np.arange(start, end, 0.01), times, curve)

    return max(at(a - 0.04, b + 0.05).min() for a, b in CLOSURES) / np.percentile(at(*SPEECH), 95)


def test_the_line_on_our_own_head(client):
    job = generate(client)
    assert client.hello["models"][0]["motion_space"] == "arkit"
    assert tuple(job.header["channels"]) == CHANNELS
    assert np.isfinite(job.arrays["motion"]).all() and np.ptp(job.arrays["motion"][:, CHANNELS.index("jawOpen")]) > 0.1
    assert len(CLOSURES) == 10 and widest_closure(*of(job)) < 0.2


@pytest.mark.parametrize(("fps", "t0"), [(24, 0.0), (29.97, 0.01), (60, -0.5), (30, 1.0)])
def test_the_motion_lies_at_the_same_time_at_any_frame_rate(client, fps, t0):
    times, curve = of(generate(client))
    other_times, other = of(generate(client, fps=fps, t0=t0))
    duration = soundfile.info(LINE).duration
    assert other_times[0] == t0 and other_times[-1] <= duration + 1e-6 < other_times[-1] + 1 / fps + 2e-6
    inside = (other_times >= 0) & (other_times <= times[-1])
    expected = np.interp(other_times[inside], times, curve)
    assert np.corrcoef(expected, other[inside])[0, 1] > 0.99


def test_samples_and_a_file_give_the_same_motion(client):
    samples, rate = soundfile.read(LINE, dtype="float32")
    sent = finish(client, client.submit("generate", {"rate": rate}, {"audio": np.stack([samples, samples], 1)}))
    np.testing.assert_allclose(sent.arrays["motion"], generate(client).arrays["motion"], atol=1e-3)


def test_another_character_talks_in_its_own_units_and_order(client, character):
    job = generate(client, character)
    assert "vertices" not in job.arrays
    times, curve = of(job, character["vertices"])
    assert widest_closure(times, curve) < 0.25 and 0.5 < np.ptp(curve) < 5  # centimetres
    prepared = finish(client, client.submit("prepare_face", {}, character))
    np.testing.assert_array_equal(prepared.arrays["basis"], job.arrays["basis"])


def test_takes_above_temperature_zero_differ_and_still_close_the_lips(client):
    one, two = generate(client, temperature=0.7, seed=1), generate(client, temperature=0.7, seed=2)
    assert np.abs(one.arrays["motion"] - two.arrays["motion"]).max() > 0.01
    assert max(widest_closure(*of(one)), widest_closure(*of(two))) < 0.35


def test_a_cube_is_refused_with_a_sentence_and_the_server_lives(client):
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    job = generate(client, {"vertices": corners, "triangles": triangles}, State.FAILED)
    assert job.code in ("no_face", "too_coarse") and job.error.endswith(".")
    server = client._process
    generate(client)
    assert client._process is server


def test_cancel_of_a_long_line(client):
    samples, rate = soundfile.read(LINE, dtype="float32")
    job = client.submit("generate", {"rate": rate}, {"audio": np.tile(samples, 100)})
    while not job.text.startswith("Analysing the speech"):
        client.drain()
        time.sleep(0.01)
    client.cancel(job)
    finish(client, job, State.CANCELLED)
    assert job.arrays == {} and job.fraction < 1


def test_the_same_from_a_shell(client, character, server_python, tmp_path):
    np.savez(tmp_path / "character.npz", vertices=character["vertices"], faces=character["triangles"])
    done = subprocess.run(
        [
            server_python,
            "-m",
            "server",
            "--cache",
            "off",
            "generate",
            LINE,
            "--fps",
            "30",
            "--mesh",
            tmp_path / "character.npz",
            "--out",
            tmp_path,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    job = generate(client, character, fps=30)
    with np.load(tmp_path / "demo_line.npz", allow_pickle=False) as z:
        np.testing.assert_array_equal(z["vertices"], character["vertices"])
        np.testing.assert_array_equal(z["faces"], character["triangles"])
        np.testing.assert_allclose(z["motion"], job.arrays["motion"], atol=1e-4)
        np.testing.assert_array_equal(z["landmarks68"], job.arrays["landmark_vertices"])
