"""Speed and memory as a table: the server as the add-on talks to it, a batch, and the writing of curves in Blender.

    python3 build.py bench [--mesh MESH] [--repeats N] [--quick] [--long]

Each figure is the median of several runs of a warm server, with the minimum and the maximum; long speech and fits of a
head are run half as often. Beside a request and a batch stands what limits them: the model's speech encoder alone, with
as many threads, in turn with the requests. This measures and tests nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median
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
LENGTHS = (3, 10, 60)  # seconds of speech; the first is the length of the lines of a batch
LONG = 30  # seconds: longer speech is run half as often, as it takes long and its times vary less
BATCH_LINES, BATCH_PROCESSES = 40, 2
ENCODED_LINES = 5  # of these, by the encoder alone, before the batch and after it
ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # of each process of a batch
LOOK = 0.05  # seconds between two looks at the memory of a process


def row(name: str, seconds: Sequence[float], note: str = "") -> None:
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
        return peak_megabytes(self.process._process.pid)


def peak_megabytes(pid: int) -> float | None:
    """The most memory that a process has held so far; None if it has ended, or where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return None


class Encoder:
    """The speech encoder alone, in a process of its own.

    Args:
        **variables: Variables of its environment; without OMP_NUM_THREADS it has as many threads as the server.
    """

    def __init__(self, **variables: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("encoder_alone.py")],
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, sound: Path) -> None:
        """Let it encode a sound."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{sound}\n")
        self._process.stdin.flush()

    def end(self) -> tuple[float, float]:
        """Seconds that it took: for each second of the sound once, and for the windows of the server, which overlap."""
        assert self._process.stdout is not None
        once, overlapping = map(float, self._process.stdout.readline().split())
        return once, overlapping

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


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
    row("a Python that imports torch alone", torch_alone[1:])
    row("server: start to its first answer", [server.greeted for server in started[1:]])
    ready = [server.ready for server in started[1:]]
    row("server: start to ready, model loaded", ready, f"{ratio(ready, torch_alone[1:])} x the import of torch")


def import_torch() -> float:
    """Seconds from the start of a Python until it has imported torch."""
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", "import torch; print(flush=True)"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return time.perf_counter() - start


def bench_speech(folder: Path, repeats: int, lengths: Sequence[int]) -> None:
    """Time whole requests for speech, and the encoder alone in turn with them.

    Args:
        folder: Where files are written.
        repeats: Runs of each that count; of speech longer than LONG, `fewer`.
        lengths: Seconds of speech.
    """
    line, rate = soundfile.read(LINE, dtype="float32")
    server, encoder = Server(folder / "server.log"), Encoder()
    for length in lengths:
        audio, sound = np.resize(line, length * rate), folder / "speech.wav"
        soundfile.write(sound, audio, rate, "FLOAT")
        warm_up, runs = (0, fewer(repeats)) if length > LONG else (1, repeats)
        requests, alone = [], []
        for _ in range(warm_up + runs):
            requests += timed(lambda i, audio=audio: server.ask("generate", {"rate": rate}, {"audio": audio}), 1, 0)
            encoder.begin(sound)
            alone.append(encoder.end())
        requests, (once, overlapping) = requests[warm_up:], zip(*alone[warm_up:], strict=True)
        row(f"{length} s of speech, the encoder alone", once)
        note = f"{ratio(requests, once)} x the encoder alone"
        if overlapping != once:
            note += f" ({ratio(requests, overlapping)} x with the overlaps of the server's windows)"
        if peak := server.peak_megabytes():
            note += f", peak memory so far {peak:.0f} MB"
        row(f"{length} s of speech, whole request", requests, note)
    encoder.close()
    server.process.kill()


def fewer(repeats: int) -> int:
    """How often what takes seconds is run."""
    return max(2, repeats // 2)


def ratio(seconds: Sequence[float], others: Sequence[float]) -> str:
    """The median ratio of figures that were measured in turn, with two decimals."""
    return f"{median(a / b for a, b in zip(seconds, others, strict=True)):.2f}"


def bench_batch(folder: Path) -> None:
    """Time a batch in processes of one thread; before and after it the encoder alone, in as many processes at once."""
    line, rate = soundfile.read(LINE, dtype="float32")
    show, made = folder / "show", folder / "made"
    show.mkdir()
    for number in range(BATCH_LINES):  # each another part of the demo's line; these names make even parts
        part = np.roll(line, -number * len(line) // BATCH_LINES)[: LENGTHS[0] * rate]
        soundfile.write(show / f"{number:02}.wav", part, rate)
    sounds = sorted(show.glob("*.wav"))
    (show / "lines.csv").write_text("\n".join(["sound", *(sound.name for sound in sounds)]))
    encoders = [Encoder(**ONE_THREAD) for _ in range(BATCH_PROCESSES)]
    encoded_at_once(encoders, sounds[:1])
    alone = encoded_at_once(encoders, sounds[:ENCODED_LINES])
    seconds, peak = run_batch(show / "lines.csv", made)
    alone += encoded_at_once(encoders, sounds[-ENCODED_LINES:])
    for encoder in encoders:
        encoder.close()
    pace = sum(lines_a_second(report) for report in made.glob("report-*.jsonl"))
    bound = BATCH_PROCESSES / mean(alone)
    print(f"{f'batch: lines of {LENGTHS[0]} s a second, {BATCH_PROCESSES} processes':<44}{pace:9.2f}{'':21}", end="")
    print(f"{pace / bound:.0%} of the {bound:.2f} of the encoder alone; {BATCH_LINES / seconds:.2f} with the start")
    if peak:
        print(f"{'batch: most memory of a process':<44}{peak:9.0f} MB", flush=True)


def run_batch(manifest: Path, out: Path) -> tuple[float, float]:
    """Make a manifest in BATCH_PROCESSES parts at once. Returns the seconds, and most megabytes of a process or 0."""
    start, peak = time.perf_counter(), 0.0
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "server", "batch", manifest, "--out", out, "--shard", f"{number}/{BATCH_PROCESSES}"],
            env={**os.environ, **ONE_THREAD},
            stdout=subprocess.DEVNULL,
        )
        for number in range(1, BATCH_PROCESSES + 1)
    ]
    while None in [process.poll() for process in processes]:
        peak = max(peak, *(peak_megabytes(process.pid) or 0.0 for process in processes))
        time.sleep(LOOK)
    if any(process.returncode for process in processes):
        sys.exit("The batch has failed.")
    return time.perf_counter() - start, peak


def encoded_at_once(encoders: Sequence[Encoder], sounds: Sequence[Path]) -> list[float]:
    """Seconds that each encoder takes for each sound, while the others encode it, too."""
    seconds = []
    for sound in sounds:
        for encoder in encoders:
            encoder.begin(sound)
        seconds += [encoder.end()[0] for encoder in encoders]
    return seconds


def lines_a_second(report: Path) -> float:
    """The pace of a process of a batch by its report. Its first line does not count: it waits for the model."""
    seconds = [json.loads(row)["seconds"] for row in report.read_text("utf-8").splitlines()][1:]
    return len(seconds) / sum(seconds)


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
    parser.add_argument("--repeats", type=int, help="runs that count (default: 5; 3 with --quick)")
    parser.add_argument("--quick", action="store_true", help="without the 10 minutes of speech")
    parser.add_argument(
        "--long", action="store_true", help="only ten minutes and an hour of speech, half an hour's work"
    )
    args = parser.parse_args()
    repeats = args.repeats or (3 if args.quick else 5)
    load_average = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"Blender {bpy.app.version_string}, {os.cpu_count()} cores{load_average}, {repeats} runs each")
    print(f"{'':<44}{'seconds':>9}{'least':>9}{'most':>9}")
    with tempfile.TemporaryDirectory() as folder:
        if args.long:
            bench_long_speech(Path(folder))
        else:
            bench_start(Path(folder), repeats)
            bench_speech(Path(folder), repeats, LENGTHS if args.quick else (*LENGTHS, 600))
            bench_batch(Path(folder))
            bench_fit(Path(folder), fewer(repeats), args.mesh)
            bench_curves(repeats)


if __name__ == "__main__":
    main()
