"""`python3 build.py soak`: random jobs, faults and edits in Blender, from a seed, with a table at the end.

    python3 build.py soak                       an hour
    python3 build.py soak --minutes 5 --seed 7
    python3 build.py soak --seed 9 --steps 40   episode 9 again, which a failure has named
    python3 build.py soak --only forged         only steps of which the name contains this

An episode is one Blender with a new scene, and some dozens of steps. Episodes have consecutive seeds. Each runs in a
process of its own, so that a crash or a hang ends one episode and is counted. It writes a line of JSON before and after
every step.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

STEPS = 40  # of an episode
HUNG_SECONDS = 420  # without a word from an episode; a step may wait for several servers in turn
POLL_SECONDS = 0.2
LOG_LINES = 25  # of an episode's output that are shown after a failure
EPISODE = Path(__file__).with_name("episode.py")


@dataclass
class Table:
    """What was tried, and what became of it, for each kind of step.

    Attributes:
        tried: Steps of each kind.
        failed: Steps of each kind after which something was wrong.
        failures: Sentences on these, with seed and step.
    """

    tried: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, kind: str, where: str, wrong: list[str]) -> None:
        """Count a step.

        Args:
            kind: What was done.
            where: Seed and step.
            wrong: What was wrong after it.
        """
        self.tried[kind] += 1
        self.failed[kind] += bool(wrong)
        self.failures += [f"{where}, {kind}: {sentence}" for sentence in wrong]

    def __str__(self) -> str:
        """The table as text."""
        rows = [(kind, self.tried[kind], self.failed[kind]) for kind in sorted(self.tried)]
        rows.append(("all", sum(self.tried.values()), sum(self.failed.values())))
        wide = max(len(kind) for kind, _tried, _failed in rows)
        lines = [f"{'':{wide}}  tried  survived  failed"]
        lines += [f"{kind:{wide}}  {tried:5}  {tried - failed:8}  {failed:6}" for kind, tried, failed in rows]
        return "\n".join(lines)


def run_episode(seed: int, steps: int, deadline: float, which: str, table: Table) -> None:
    """Run an episode in a process of its own, and count its steps.

    Args:
        seed: Of its random numbers.
        steps: How many steps it has.
        deadline: Time of time.monotonic() after which no further step begins.
        which: "quick" leaves out the steps that take many seconds; other text chooses those whose names contain it.
        table: Where the steps are counted.
    """
    with tempfile.TemporaryDirectory(prefix="soak ä ") as folder:
        report, log = Path(folder) / "report.jsonl", Path(folder) / "log.txt"
        report.touch()
        options = [str(seed), str(steps), str(max(1.0, deadline - time.monotonic())), folder, which]
        variables = {
            **os.environ,
            "LSF_CACHE_DIR": str(Path(folder) / "faces"),
            "TMPDIR": folder,
            "OMP_NUM_THREADS": "1",
        }
        variables |= {"BLENDER_USER_RESOURCES": str(Path(folder) / "blender")}
        with log.open("wb") as output, report.open("rb") as lines:
            process = subprocess.Popen([sys.executable, EPISODE, *options], env=variables, stdout=output, stderr=output)
            begun, heard, ended = None, time.monotonic(), False
            while True:
                line = lines.readline()
                if line.endswith(b"\n"):
                    heard, begun, ended = time.monotonic(), *_count(json.loads(line), seed, begun, table)
                elif process.poll() is not None:
                    break
                elif time.monotonic() - heard > HUNG_SECONDS:
                    process.kill()
                    process.wait()
                    break
                else:
                    time.sleep(POLL_SECONDS)
        if not ended:
            why = (
                "Blender hung"
                if time.monotonic() - heard > HUNG_SECONDS
                else f"Blender ended with {process.returncode}"
            )
            kind, where = begun or ("start", f"seed {seed}")
            table.add(kind, where, [why])
            print(f"  {where}, {kind}: {why}", flush=True)
            tail = log.read_text("utf-8", "replace").splitlines()[-LOG_LINES:]
            print("\n".join(f"    | {line[:200]}" for line in tail), flush=True)


def _count(
    line: dict[str, object], seed: int, begun: tuple[str, str] | None, table: Table
) -> tuple[tuple[str, str] | None, bool]:
    """Count what a line of an episode's report says; return the step that runs now, and whether this was the end."""
    if line.get("ended"):
        return None, True
    where = f"seed {seed} step {line['step']}"
    if "wrong" not in line:
        return (str(line["kind"]), where), False
    wrong = [str(sentence) for sentence in line["wrong"]]  # type: ignore[attr-defined]
    table.add(str(line["kind"]), where, wrong)
    print(
        f"  {where}: {line['kind']}: {line['what']} ({line['seconds']} s)" + "".join(f"\n    WRONG: {w}" for w in wrong)
    )
    sys.stdout.flush()
    return None, False


def main(arguments: list[str]) -> int:
    """Run the soak; returns 1 if anything failed."""
    parser = argparse.ArgumentParser(
        "build.py soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1, help="of the first episode")
    parser.add_argument("--steps", type=int, help="run one episode with so many steps")
    parser.add_argument("--quick", action="store_true", help="without the steps that take many seconds")
    parser.add_argument("--only", default="", metavar="NAME", help="only steps of which the name contains this")
    options = parser.parse_args(arguments)
    table, start = Table(), time.monotonic()
    deadline, seed = start + 60 * options.minutes, options.seed
    while time.monotonic() < deadline:
        print(f"Episode {seed}", flush=True)
        run_episode(seed, options.steps or STEPS, deadline, "quick" if options.quick else options.only, table)
        seed += 1
        if options.steps:
            break
    print(f"\n{table}\n\n{(time.monotonic() - start) / 60:.1f} minutes, {seed - options.seed} episodes")
    for failure in table.failures:
        print(f"FAILED  {failure}")
    return 1 if table.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
