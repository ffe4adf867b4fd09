"""The command line: the message loop, or one of `generate`, `batch`, `sounds`, `style`, `picture` and `fit`."""

import argparse
import contextlib
import io
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from . import batch, liveness
from .engine import KEYS, Engine, ReadSound, Result, Settings, frame_count, prepare_face
from .errors import LSFError, explain
from .face import cache as face_cache
from .files import audio, meshes
from .performance import style_choice
from .performance.emotion import choice, text
from .performance.emotion.bank import Bank
from .performance.layers import EYES, LAYERS
from .picture import command as picture_command
from .protocol import server as message_loop
from .protocol.emotions import EMOTIONS
from .protocol.wire import HUNG, LINE_SECONDS, MAX_OTHER_LINES
from .sounds import formats as sound_files
from .sounds.hearing import Sounds
from .style import command as style_command

NO_EMOTIONS = (
    "this model has no emotions to choose from, as it hears the emotion in the voice: --emotion, --emotion-strength "
    "and --emotion-mix have no effect."
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        "python -m server",
        description="Speech to face. Without a command: the message loop "
        "on stdin and stdout that docs/protocol.md describes.",
    )
    common = argparse.ArgumentParser(add_help=False)
    for p in (top, common):  # the options are accepted before and after the command
        _add_common(p)
    top.add_argument(
        "--parent", type=int, metavar="PID", help="of the message loop: end when this process, which started it, ends"
    )
    commands = top.add_subparsers(dest="command")
    _add_generate(commands.add_parser("generate", parents=[common], help="animate a head: one .npz per sound file"))
    batch.add_options(commands.add_parser("batch", parents=[common], help="animate the lines of a manifest"))
    heard = commands.add_parser("sounds", parents=[common], help="only what is said: sounds with their times")
    heard.add_argument("audio", type=Path, help="a sound file: anything libsndfile reads")
    heard.add_argument("--out", type=Path, required=True, metavar="FILE", help=".json, .TextGrid or .lab")
    _add_speech(heard)
    style_command.add_options(
        commands.add_parser("style", parents=[common], help="a style card from a sound and a recording of the face")
    )
    picture_command.add_options(
        commands.add_parser("picture", parents=[common], help="an expression of a bank from a picture of a face")
    )
    fit = commands.add_parser("fit", parents=[common], help="only the face space of a mesh: basis, landmarks, report")
    fit.add_argument("mesh", type=Path, help=".obj, .ply or .npz, Z up, facing -Y")
    fit.add_argument("--out", type=Path, required=True, metavar="FILE.npz")
    return top


def _add_common(p: argparse.ArgumentParser) -> None:
    """Add the options of all commands. Default SUPPRESS: a command must not reset an option that precedes it."""
    p.add_argument(
        "--checkpoint", metavar="FOLDER", default=argparse.SUPPRESS, help="the model (default: the one that ships)"
    )
    p.add_argument(
        "--device",
        default=argparse.SUPPRESS,
        help="auto (a GPU if one works, else the CPU), cpu, gpu, or a torch device such as cuda:1 (default: cpu)",
    )
    p.add_argument(
        "--cache",
        metavar="FOLDER",
        default=argparse.SUPPRESS,
        help='where fitted faces are kept; "off" keeps none (default: the user\'s cache folder, or LSF_CACHE_DIR)',
    )


def _add_speech(p: argparse.ArgumentParser) -> None:
    """Add the options that say what is spoken."""
    p.add_argument(
        "--transcript",
        default="",
        metavar="TEXT|FILE.txt",
        help="what is said: it pins the sounds and gives the times of the words (needs espeakng-loader)",
    )
    p.add_argument("--language", default="", metavar="CODE", help="of the speech: en, de, fr … (default: unknown)")


def _add_generate(p: argparse.ArgumentParser) -> None:
    """Add the options of `generate`."""
    p.add_argument("audio", nargs="+", type=Path, help="sound files: anything libsndfile reads")
    p.add_argument("--mesh", type=Path, help=".obj, .ply or .npz, Z up, facing -Y (default: the project's own head)")
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="the results are DIR/<stem>.npz")
    p.add_argument("--fps", type=float, help="frames per second of the curves (default: the model's)")
    p.add_argument(
        "--keys",
        choices=KEYS,
        default="named",
        help="channels of a FLAME model: named (default), the 52 ARKit ones, or flame, its own shapes: 50 expressions, "
        "and keys of the jaw at several angles",
    )
    p.add_argument(
        "--whole",
        action=argparse.BooleanOptionalAction,
        help="give the network the whole clip at once, or windows of it (default: the whole clip where the result "
        "depends on it, as with the paper's model, and the clip is not longer than those in training)",
    )
    p.add_argument(
        "--window",
        type=float,
        metavar="SECONDS",
        help="length of the windows (default: that of the longest clip in training, or 10)",
    )
    p.add_argument("--temperature", type=float, default=0.0, help="0 (default): always the same take")
    p.add_argument("--seed", type=int, default=0, help="which take, at a temperature above 0, and which layers")
    p.add_argument(
        "--emotion",
        "--direction",
        default="",
        metavar="EMOTION",
        help=f"instead of the emotion detected in the voice: {', '.join(EMOTIONS)}, the name of an entry of the bank, "
        "the .json file of keys over time (docs/pipeline.md), or words (docs/directions.md)",
    )
    p.add_argument("--bank", type=Path, metavar="FILE.json", help="expressions that can be shown as emotions are")
    p.add_argument("--emotion-strength", type=float, default=1.0, help="0 (no emotion at all) to 1 (default)")
    p.add_argument("--emotion-mix", type=float, help="0 (detected in the voice) to 1 (as chosen, the default)")
    style_choice.add_options(p)
    p.add_argument(
        "--sounds", type=Path, metavar="FILE", help="of one sound file: what is said, as of the command sounds"
    )
    _add_speech(p)
    p.add_argument(
        "--one-voice",
        action="store_true",
        help="the files are lines of one speaker: the emotion of each is heard against the average of all, if "
        "there are three or more with speech of 2 s or longer",
    )
    p.add_argument(
        "--layers",
        nargs="+",
        default=[],
        choices=list(LAYERS),
        metavar="LAYER",
        help=f"what the person does besides speaking, as arrays of their own: {', '.join(LAYERS)}",
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Without a command it becomes the message loop and does not return.

    Args:
        arguments: The arguments; None takes those of the process.

    Returns:
        The exit code: 0, 2 if anything failed (of `batch`: 1 if lines failed), 130 if it was interrupted. Every failure
        is one sentence on stderr.
        If the work hangs, the process ends with the exit code wire.HUNG.
    """
    args = parser().parse_args(arguments)
    checkpoint, device = getattr(args, "checkpoint", None), getattr(args, "device", "cpu")
    cache = getattr(args, "cache", None)
    cache_folder = None if cache == "off" else Path(cache) if cache else face_cache.default_folder()
    if args.command is None:
        message_loop.main(checkpoint, device, cache_folder, args.parent)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a path may have bytes that are not text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        commands = {
            "generate": _generate,
            "batch": batch.run,
            "fit": _fit,
            "picture": picture_command.run,
            "sounds": _sounds,
            "style": style_command.run,
        }
        run = commands[args.command]
        waits = batch.waits_for_others(args)
        with contextlib.nullcontext() if waits else liveness.HangWatch(_end_hung).work():
            return run(args, checkpoint, device, cache_folder)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return _fail(error)


def _generate(args: argparse.Namespace, checkpoint: str | None, device: str, cache_folder: Path | None) -> int:
    """Animate each sound file. Returns the exit code; a file that fails does not stop the others."""
    outputs = [args.out / f"{path.stem}.npz" for path in args.audio]
    if len(set(outputs)) < len(outputs):
        raise LSFError("bad_request", "Two sound files have the same name: their results would overwrite each other.")
    if args.sounds is not None:
        if len(args.audio) > 1:
            raise LSFError(
                "bad_request", "--sounds writes one file: give one sound, or use the command sounds for each."
            )
        sound_files.check_name(args.sounds)
    elif args.transcript or args.language:
        raise LSFError("bad_request", "--transcript and --language need a --sounds FILE: they change no curve.")
    bank = Bank.load(args.bank) if args.bank else Bank()
    emotion = choice.parse(args.emotion.strip(), Path(), bank)
    if emotion.words:
        print(text.read(emotion.words, bank).explained())
    settings = Settings(
        args.fps,
        temperature=args.temperature,
        seed=args.seed,
        emotion=emotion.name,
        emotion_strength=args.emotion_strength,
        emotion_mix=args.emotion_mix,
        layers=tuple(dict.fromkeys(args.layers)),  # each once
        keys=args.keys,
        whole=args.whole,
        window=args.window,
        bank=bank,
        following=emotion.following(bank),
        styles=style_choice.from_options(args.style, args.style_amount),
        sounds=args.sounds is not None,
        transcript=sound_files.transcript_of(args.transcript),
        language=args.language,
    )
    mesh = meshes.load(args.mesh) if args.mesh else None
    engine = Engine(checkpoint, device, cache_folder)
    if engine.device_note:
        print(engine.device_note, file=sys.stderr)
    args.out.mkdir(parents=True, exist_ok=True)
    code = 0
    for number, (path, output) in enumerate(zip(args.audio, outputs, strict=True)):
        others = _other_lines(args.audio, number) if args.one_voice else []
        try:
            samples, rate = audio.load(path)
            fps = settings.fps or engine.model.config.fps
            frames = frame_count(len(samples) / rate, fps, settings.t0)
            direction = emotion.direction(settings.emotion_strength, settings.emotion_mix, bank, fps, frames)
            result = engine.generate(samples, rate, mesh, settings, direction=direction, other_lines=others)
            save(output, result)
            if args.sounds is not None:
                _write_sounds(args.sounds, result.sounds or _raise(result.no_sounds), len(samples) / rate)
            seconds = f"{len(result.motion)} frames at {result.fps:g} fps, {sum(result.seconds.values()):.2f} s"
            heard = f", heard against {result.heard_lines} lines" if result.heard_lines > 1 else ""
            if args.one_voice and not heard:
                heard = ", heard on its own"
            print(f"{output}  {seconds}{heard}{_error(result)}")
            if result.ignores_emotion:
                print(f"{path.name}: {NO_EMOTIONS}", file=sys.stderr)
        except Exception as error:
            code = _fail(error, path.name)
    return code


def _sounds(args: argparse.Namespace, checkpoint: str | None, device: str, cache_folder: Path | None) -> int:
    """Find the sounds of a file and write them. Returns the exit code."""
    sound_files.check_name(args.out)
    transcript = sound_files.transcript_of(args.transcript)
    samples, rate = audio.load(args.audio)
    engine = Engine(checkpoint, device, cache_folder)
    if engine.device_note:
        print(engine.device_note, file=sys.stderr)
    _write_sounds(args.out, engine.hear(samples, rate, transcript, args.language), len(samples) / rate)
    return 0


def _write_sounds(path: Path, sounds: Sounds, seconds: float) -> None:
    """Write sounds, and print how many there are and what is said of the transcript."""
    sound_files.write(path, sounds, seconds)
    words = f", {len(sounds.words)} words" if sounds.words else ""
    print(f"{path}  {len(sounds.symbols)} sounds{words} in {seconds:.1f} s")
    if sounds.note:
        print(sounds.note, file=sys.stderr)


def _raise(error: Exception | None) -> NoReturn:
    """Raise an error that says why something is missing."""
    assert error is not None
    raise error


def _error(result: Result) -> str:
    """How far the curves of a FLAME model are from FLAME's own motion; empty for another model."""
    if (error := result.motion_error) is None:
        return ""
    return (
        f", {error['lips_mean']:.2f} mm from FLAME's motion on the lips (at most {error['lips_greatest']:.2f}), "
        f"{error['face_mean']:.2f} mm on the face (at most {error['face_greatest']:.2f})"
    )


def _other_lines(paths: list[Path], number: int) -> list[ReadSound]:
    """What reads the other sound files than the one of this number, the next and the previous ones first."""
    others = sorted((i for i in range(len(paths)) if i != number), key=lambda i: abs(i - number))
    return [partial(audio.load, paths[i], 0.0, LINE_SECONDS) for i in others[:MAX_OTHER_LINES]]


def _fit(args: argparse.Namespace, checkpoint: str | None, device: str, cache_folder: Path | None) -> int:
    """Fit a face and write it. Returns the exit code."""
    mesh = meshes.load(args.mesh)
    face = prepare_face(mesh, face_cache.FaceCache(cache_folder))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        args.out,
        channels=np.array(face.channels),
        basis=face.basis,
        vertices=mesh.vertices,  # these two make the file a mesh file, and a character of `batch`
        faces=mesh.faces,
        landmarks68=face.landmarks68,
        report=np.array(json.dumps(face.report)),
    )
    print(f"{args.out}  {len(face.channels)} channels on {len(mesh.vertices)} vertices")
    return 0


def save(path: Path, result: Result) -> None:
    """Write a result as .npz. Other programs read these files: keep the names of the arrays.

    Args:
        path: The file to write.
        result: The result. Each of its layers is an array; "landmarks68" are vertex indices (68,); "seconds", "model"
            and "motion_error", which a FLAME model has, are JSON text.
    """
    assert result.face is not None  # this program asks for no line without a face
    arrays: dict[str, Any] = {  # whatever np.savez converts to arrays
        **{name: curve[0] if name in EYES else curve for name, curve in result.layers.items()},  # of the only variant
        "fps": result.fps,
        "t0": result.t0,
        "channels": np.array(result.face.channels),
        "motion": result.motion,
        "expression": result.expression,
        "emotions": np.array(EMOTIONS if result.emotion.shape[1] else (), dtype=str),
        "emotion": result.emotion,
        "basis": result.face.basis,
        "vertices": result.mesh.vertices,
        "faces": result.mesh.faces,
        "landmarks68": result.face.landmark_vertices,
        "seconds": np.array(json.dumps(result.seconds)),
        "model": np.array(json.dumps({"name": result.model, "digest": result.model_digest, "whole": result.whole})),
    }
    if result.motion_error is not None:
        arrays["motion_error"] = np.array(json.dumps(result.motion_error))
    np.savez(path, **arrays)


def _fail(error: Exception, file_name: str = "") -> int:
    """Print an error's sentence on stderr, after the name of the file that it concerns. Returns the exit code."""
    _, sentence = explain(error)
    print(f"{file_name}: {sentence}" if file_name else sentence, file=sys.stderr)
    return 2


def _end_hung() -> NoReturn:
    """Say that the work hangs, and end the process."""
    seconds = liveness.HANG_TICK * liveness.HANG_TICKS
    print(
        f"Nothing has happened for {seconds:.0f} s: check that all drives and the graphics card work, then try again.",
        file=sys.stderr,
        flush=True,
    )
    os._exit(HUNG)
