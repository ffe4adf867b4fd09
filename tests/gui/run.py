"""Runs a session in a Blender with a window on a display of its own, makes its pictures, and reports the results."""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SIZE = (1600, 900)


def main() -> int:
    """Run Blender until the session ends; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blender", default="blender", help="command that starts Blender")
    parser.add_argument("--python", required=True, help="a Python with the server's packages")
    parser.add_argument("--out", default=ROOT / "out" / "gui", type=Path)
    parser.add_argument("--audio", default=ROOT / "lsf_blender_addon" / "assets" / "demo_line.flac", type=Path)
    parser.add_argument(
        "--session",
        default="session",
        choices=[
            "session",
            "keys",
            "lines",
            "strips",
            "face",
            "tweaks",
            "scene",
            "exchange",
            "pictures",
            "languages",
            "first_half_hour",
            "check",
            "health",
            "sounds",
        ],
        help="which of the files here",
    )
    parser.add_argument("--display", default=":97")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    (out / "docs").mkdir(parents=True)
    request = out / "convert.json"
    product = max((ROOT / "dist").glob("lsf_animation-*.zip"), key=os.path.getmtime)
    screen = subprocess.Popen(
        [
            "Xvfb",
            arguments.display,
            "-screen",
            "0",
            "{}x{}x24".format(*SIZE),
            "+extension",
            "GLX",
            "+render",
            "-noreset",
        ],
        stderr=subprocess.DEVNULL,
    )
    time.sleep(1)
    # `env` is inside the command, because a chroot may start with an environment of its own. The face cache is empty:
    # a face that an earlier run fitted would be found at once, and nothing could happen during its fit.
    environment = {
        "DISPLAY": arguments.display,
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "BLENDER_USER_RESOURCES": out / "user",
        "LSF_CACHE_DIR": out / "faces",
        "LSF_SERVER_PYTHON": Path(arguments.python).absolute(),
        "LSF_GUI_OUT": out,
        "LSF_GUI_ZIP": product,
        "LSF_GUI_AUDIO": arguments.audio.resolve(),
    }
    prefix, program = shlex.split(arguments.blender)[:-1], shlex.split(arguments.blender)[-1]
    command = [
        *prefix,
        "env",
        *(f"{name}={value}" for name, value in environment.items()),
        program,
        "--factory-startup",
        "--no-window-focus",
        "--enable-event-simulate",
        "--window-geometry",
        "0",
        "0",
        *map(str, SIZE),
        "-P",
        HERE / f"{arguments.session}.py",
    ]
    with (out / "blender.log").open("w") as log:
        blender = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 600
        while blender.poll() is None and time.monotonic() < deadline:
            if request.exists():
                subprocess.run(
                    ["convert", *json.loads(request.read_text())],
                    cwd=out,
                    env={**os.environ, "DISPLAY": arguments.display},
                )
                request.unlink()
            time.sleep(0.05)
    finally:
        blender.kill()
        screen.terminate()
    return report(out)


def report(out: Path) -> int:
    """Print measurements and failures; returns the exit code."""
    try:
        results = json.loads((out / "results.json").read_text())
    except OSError:
        print((out / "blender.log").read_text()[-4000:], "\nBlender ended before the session did.")
        return 1
    for name, value in results["measured"].items():
        print(f"{name:<58}{value}")
    for sentence in results["failures"]:
        print("FAILED:", sentence)
    print("Pictures:", *sorted(str(path.relative_to(out)) for path in [*out.glob("*.png"), *out.glob("docs/*")]))
    return 1 if results["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
