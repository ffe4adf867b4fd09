"""Speed and memory as a table: the server as the add-on talks to it, and the writing of curves in Blender.

    python3 build.py bench [--mesh MESH] [--repeats N] [--quick] [--long]

Each figure is the median of several runs of a warm server, with the minimum and the maximum; ten minutes of speech are
run half as often. This measures and tests nothing.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import bpy
import numpy as np
import soundfile
from numpy.typing import NDArray

import lsf_blender_addon
from lsf_blender_addon.animation import actions, fcurves, lines
from lsf_blender_addon.animation.composition import Composition
from lsf_blender_addon.client.process import ServerProcess
from lsf_blender_addon.prediction.store import Prediction
from lsf_blender_addon.scene.snapshots import Source
from server.arkit import CHANNELS
from server.face.head import load_head
from server.files.meshes import load

Message = tuple[dict[str, Any], dict[str, NDArray[Any]]]  # header and arrays

CANCELLED_AT = (0.02, 0.1, 0.5)  # moments of a job, in shares of its time
LINE = Path(__file__).resolve().parent.parent / "lsf_blender_addon" / "assets" / "demo_line.flac"


def row(name: str, seconds: list[float], note: str = "") -> None:
    """Print a row of the table: median, minimum and maximum."""
    print(f"{name:<44}{median(seconds):9.3f}{min(seconds):9.3f}{max(seconds):9.3f}   {note}", flush=True)


def timed(work: Callable[[int], object], repeats: int, warm_up: int = 1) -> list[float]:
    """Time some calls.

    Args:
        work: What is timed; it is given the number of the call, from 0 on.
        repeats: Number of calls that count.
        warm_up: Number of calls before them that do not count.

    Returns:
        Seconds of each call that counts.
    """
    seconds = []
    for i in range(warm_up + repeats):
        start = time.perf_counter()
        work(i)
        seconds.append(time.perf_counter() - start)
    return seconds[warm_up:]


class Server:
    """The server's process, without the client's threads."""

    def __init__(self, log: Path) -> None:
        start = time.perf_counter()
        self.process, self.jobs = ServerProcess(sys.executable, log), 0
        self.process.greet()
        self.greeted = time.perf_counter() - start
        self._wait({"ready"})
        self.ready = time.perf_counter() - start

    def _wait(self, kinds: set[str], told: list[tuple[float, float]] | None = None) -> Message:
        """The next message of one of these kinds. The progress before it goes to `told`: seconds, and fraction."""
        start = time.perf_counter()
        while True:
            header, arrays = self.process.receive()
            if told is not None and header["type"] == "progress":
                told.append((time.perf_counter() - start, header["fraction"]))
            if header["type"] == "error":
                sys.exit(f"The server reports an error: {header['message']}")
            if header["type"] in kinds:
                return header, arrays

    def ask(
        self,
        kind: str,
        header: dict[str, Any],
        arrays: dict[str, NDArray[Any]],
        told: list[tuple[float, float]] | None = None,
    ) -> Message:
        """Send a request and wait for its result, see docs/protocol.md; `told` as of `_wait`."""
        self.jobs += 1
        self.process.send({"type": kind, "job": str(self.jobs), **header}, arrays)
        return self._wait({"result"}, told)

    def cancelled(self, kind: str, header: dict[str, Any], after: float) -> float:
        """Cancel a request some seconds `after` it was sent. Returns how many seconds later it has stopped."""
        self.jobs += 1
        self.process.send({"type": kind, "job": str(self.jobs), **header}, {})
        time.sleep(after)
        start = time.perf_counter()
        self.process.send({"type": "cancel", "job": str(self.jobs)}, {})
        self._wait({"cancelled"})
        return time.perf_counter() - start

    def peak_megabytes(self) -> float | None:
        """The most memory that the process has held so far; None where the system does not tell (only Linux does)."""
        try:
            status = Path(f"/proc/{self.process._process.pid}/status").read_text()
        except OSError:
            return None
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


def subdivide(
    vertices: NDArray[np.floating], triangles: NDArray[np.integer]
) -> tuple[NDArray[np.floating], NDArray[np.int32]]:
    """Split each triangle in four at the midpoints of its edges: about four times as many vertices.

    Args:
        vertices: (V, 3).
        triangles: (T, 3) vertex indices.

    Returns:
        Vertices and triangles of the finer mesh.
    """
    sides = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1)
    edges, side_edge = np.unique(sides, axis=0, return_inverse=True)
    a, b, c = triangles.T
    ab, bc, ca = (len(vertices) + side_edge.reshape(-1, 3)).T
    split = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], 1).reshape(-1, 3)
    return np.concatenate([vertices, vertices[edges].mean(1)]), split.astype(np.int32)


def bench_start(folder: Path, repeats: int) -> None:
    """Time the start of the server and the import of torch in turn; the first, with cold file caches, do not count."""
    torch_alone, started = [], []
    for _ in range(repeats + 1):
        torch_alone.append(import_torch())
        started.append(Server(folder / "server.log"))
        started[-1].process.kill()
    ratios = [server.ready / alone for server, alone in zip(started[1:], torch_alone[1:], strict=True)]
    row("a Python that imports torch alone", torch_alone[1:])
    row("server: start to its first answer", [server.greeted for server in started[1:]])
    ready = [server.ready for server in started[1:]]
    row("server: start to ready, model loaded", ready, f"{median(ratios):.2f} x the import of torch")


def import_torch() -> float:
    """Seconds from the start of a Python until it has imported torch."""
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", "import torch; print(flush=True)"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return time.perf_counter() - start


def bench_speech(folder: Path, repeats: int, lengths: list[int]) -> None:
    """Time whole requests for speech of some lengths in seconds."""
    line, rate = soundfile.read(LINE, dtype="float32")
    server = Server(folder / "server.log")
    for length in lengths:
        audio = np.resize(line, length * rate)
        long = length > 100
        seconds = timed(
            lambda i, audio=audio: server.ask("generate", {"rate": rate}, {"audio": audio}),
            max(1, repeats // 2) if long else repeats,
            warm_up=0 if long else 1,
        )
        peak = server.peak_megabytes()
        memory = f", server's peak memory so far {peak:.0f} MB" if peak else ""
        row(f"{length} s of speech, whole request", seconds, f"{median(seconds) / length:.3f} x real time{memory}")
    server.process.kill()


def bench_long_speech(folder: Path) -> None:
    """Compare an hour of speech with ten minutes: memory, progress, and the time until a cancelled job stops."""
    line, rate = soundfile.read(LINE, dtype="float32")
    peaks = {}
    for minutes in (10, 60):
        sound = folder / "speech.wav"
        soundfile.write(sound, np.resize(line, minutes * 60 * rate), rate)
        server = Server(folder / "server.log")
        told: list[tuple[float, float]] = []
        request = {"audio_file": str(sound), "settings": {"layers": ["blinks", "gaze", "head"], "eye_variants": 8}}
        seconds = timed(lambda i: server.ask("generate", request, {}, told), 1, warm_up=0)  # noqa: B023
        untrue = max(abs(at / seconds[0] - fraction) for at, fraction in told)
        peaks[minutes] = server.peak_megabytes() or 0.0
        waits = [server.cancelled("generate", request, share * seconds[0]) for share in CANCELLED_AT]
        row(f"{minutes} minutes of speech from a file", seconds, f"progress differs by at most {100 * untrue:.0f} %")
        row("the same cancelled, until it stopped", waits, f"server's peak memory {peaks[minutes]:.0f} MB")
        server.process.kill()
    print(f"{'memory of an hour, relative to ten minutes':<44}{peaks[60] / max(peaks[10], 1):9.2f}")


def bench_fit(folder: Path, repeats: int, mesh: Path | None) -> None:
    """Time the fit of the face to a mesh, by default the project's own head subdivided, with and without the cache."""
    server, heads = Server(folder / "server.log"), []
    for i in range(repeats + 1):
        if mesh:
            given = load(mesh)
            vertices, triangles = given.vertices * (1 + 1e-4 * i), given.triangles  # another size: not in the cache
        else:
            head, person = load_head(), np.random.default_rng(i).standard_normal(10)
            vertices, triangles = subdivide(head.with_identity(person), head.triangles)
        heads.append({"vertices": vertices.astype(np.float32), "triangles": triangles.astype(np.int32)})
    count = f"{len(heads[0]['vertices'])} vertices"
    row(f"fit of a head of {count}, cold", timed(lambda i: server.ask("prepare_face", {}, heads[i]), repeats))
    row("the same from the cache", timed(lambda i: server.ask("prepare_face", {}, heads[-1]), repeats))
    if peak := server.peak_megabytes():
        print(f"{'server: peak memory with these heads':<44}{peak:9.0f} MB")
    server.process.kill()


def bench_curves(repeats: int) -> None:
    """Time the writing of F-curves for a new line, and for a moved slider of one of several lines."""
    motion = np.random.default_rng(0).random((18000, len(CHANNELS)), np.float32)
    lips = np.random.default_rng(0).normal(0, 5, (len(CHANNELS), 20, 3)).astype(np.float32)
    every_frame = Composition(list(CHANNELS), motion, 1, lips, 30.0, None, ())
    row(
        "write 52 curves x 18000 frames into Blender",
        timed(lambda i: fcurves.write(bpy.data.actions.new(f"line {i}"), every_frame), repeats),
    )
    lsf_blender_addon.register()
    for count, name in ((1, "a slider on a minute of 52 curves"), (10, "the same on a head with ten such lines")):
        head = bpy.data.objects.new("head", bpy.data.meshes.new("head"))
        for key in ("Basis", *CHANNELS):
            head.shape_key_add(name=key)
        for number in range(count):
            source = Source(str(number), "line", "Scene", "line.wav", 30.0, 1 + 2000 * number, 1800, 0.0, 1800.0)
            lines.write(head.data, *lines.put(head.data, "head", source, minute(number, lips)))
        action = actions.existing(head.data)
        row(name, timed(lambda i, action=action: setattr(action.lsf.lines[0].tweaks, "jaw", 1 + i / 10), repeats))
    lsf_blender_addon.unregister()


def minute(seed: int, lips: NDArray[np.float32]) -> Prediction:
    """A prediction of 1800 frames of smooth motion, for lips (K, 20, 3) in millimetres."""
    waves = np.arange(1800)[:, None] / 30 * np.random.default_rng(seed).uniform(1, 6, len(CHANNELS))
    motion, still = 0.5 + 0.4 * np.sin(waves).astype(np.float32), np.zeros((1800, len(CHANNELS)), np.float32)
    return Prediction(30.0, CHANNELS, motion, still, (), still[:, :0], 0.0, seed, lips)


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mesh", type=Path, help="fit this head instead of subdivided ones of the project")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="without the 10 minutes of speech")
    parser.add_argument(
        "--long", action="store_true", help="only ten minutes and an hour of speech, half an hour's work"
    )
    args = parser.parse_args()
    load_average = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"Blender {bpy.app.version_string}, {os.cpu_count()} cores{load_average}, {args.repeats} runs each")
    print(f"{'':<44}{'seconds':>9}{'least':>9}{'most':>9}")
    with tempfile.TemporaryDirectory() as folder:
        if args.long:
            bench_long_speech(Path(folder))
        else:
            bench_start(Path(folder), args.repeats)
            bench_speech(Path(folder), args.repeats, [10, 60] if args.quick else [10, 60, 600])
            bench_fit(Path(folder), args.repeats, args.mesh)
            bench_curves(args.repeats)


if __name__ == "__main__":
    main()
