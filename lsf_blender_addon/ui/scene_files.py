"""`blender --command lsf_scenes`: generates the lines of many .blend files, or imports results of a batch into them."""

import argparse
import contextlib
import os
import traceback
from pathlib import Path

import bpy

from ..animation import actions, bone_actions
from ..client import causes
from ..errors import UserError, printable
from ..formats import batch_results
from ..jobs import session

COMMAND = "lsf_scenes"
MAX_LIST_BYTES = 1 << 24
DONE, SOME_FAILED, UNUSABLE = 0, 1, 2  # exit codes
ACTIONS_SUFFIX = "_lsf_actions"


def register() -> object:
    """Register the command. Returns its handle, which `bpy.utils.unregister_cli_command` takes."""
    return bpy.utils.register_cli_command(COMMAND, run)


def run(arguments: list[str]) -> int:
    """Go through the files of a list. What fails in one does not stop the others.

    Args:
        arguments: Those after the name of the command.

    Returns:
        The exit code.
    """
    args = _parser().parse_args(arguments)
    pairs, fault = _plan(args.list, args.out, ACTIONS_SUFFIX if args.actions else "")
    results, results_written = args.results and args.results.resolve(), 0.0
    try:
        if results:
            results_written = max(path.stat().st_mtime for path in batch_results.files(results))
    except UserError as error:
        fault = fault or f"{error}."
    if fault:
        print(f"LSF: {fault}", flush=True)
        return UNUSABLE
    failed = skipped = 0
    for number, (source, target) in enumerate(pairs, 1):
        if not args.again and _is_newer(target, source, results_written):
            skipped += 1
            continue
        print(f"LSF: {number} of {len(pairs)}: {source.name}", flush=True)
        try:
            sentence = _make(source, target, results, args.actions)
        except Exception:
            traceback.print_exc()
            sentence = causes.unexpected(traceback.format_exc())
        if sentence:
            failed += 1
            print(f"LSF: {source.name}: {sentence}", flush=True)
            _let_be_made_again(target, source)
    print(f"LSF: {len(pairs)} files, {skipped} were there, {failed} with failures.", flush=True)
    return SOME_FAILED if failed else DONE


def _parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog=f"blender --command {COMMAND}", description=__doc__)
    parser.add_argument("list", type=Path, help="text file with one .blend file a line, relative to its own folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new files; no file of the list changes")
    parser.add_argument("--results", type=Path, help="folder of results of a batch, to import instead of generating")
    parser.add_argument("--actions", action="store_true", help="write libraries with the Actions alone")
    parser.add_argument("--again", action="store_true", help="also files whose result is newer than they are")
    return parser


def _plan(path: Path, out: Path, suffix: str) -> tuple[list[tuple[Path, Path]], str]:
    """The files of a list, each with the file to write; and what is wrong with the list, a sentence, or ""."""
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            return [], f'"{path.name}" is too long for a list of files: divide it.'
        names = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError):
        return [], f'"{printable(str(path))}" cannot be read: it must be text in UTF-8 with one .blend file a line.'
    folder, taken = path.resolve().parent, dict[Path, str]()
    pairs: list[tuple[Path, Path]] = []
    for name in filter(lambda name: name and not name.startswith("#"), names):
        source = (folder / name).resolve()
        inside = source.relative_to(folder) if source.is_relative_to(folder) else Path(source.name)
        target = out.resolve() / inside.with_name(f"{inside.stem}{suffix}.blend")
        if other := taken.get(target):
            return [], f'"{name}" and "{other}" would be written to the same file: give one of them another name.'
        taken[target] = name
        pairs.append((source, target))
    sources = {source for source, _ in pairs}
    if overwritten := [target.name for _, target in pairs if target in sources]:
        return [], f'"{overwritten[0]}" would take the place of a file of the list: choose another --out.'
    return pairs, "" if pairs else f'"{path.name}" names no .blend files.'


def _is_newer(target: Path, source: Path, results_written: float) -> bool:
    """Whether a file was written after its source and after the last result, in seconds as of `stat`."""
    try:
        return target.stat().st_mtime > max(source.stat().st_mtime, results_written)
    except OSError:
        return False


def _let_be_made_again(target: Path, source: Path) -> None:
    """Give a file that lacks lines the time of its source, so that the next run makes it again."""
    with contextlib.suppress(OSError):  # one of both is not there
        written = source.stat().st_mtime_ns
        os.utime(target, ns=(written, written))


def _make(source: Path, target: Path, results: Path | None, only_actions: bool) -> str:
    """Make the lines of a file and write the result. Returns what went wrong, a sentence, or ""."""
    if not source.is_file():
        return "There is no such file."
    session.failures = []
    try:
        bpy.ops.wm.open_mainfile(filepath=str(source), load_ui=False)
        if results is None:
            bpy.ops.lsf.generate_all()  # type: ignore[attr-defined]  # registered at run time
        else:
            bpy.ops.lsf.import_batch_results(  # type: ignore[attr-defined]
                directory=str(results), for_more_files=True
            )
    except RuntimeError as error:
        if not session.failures:  # else it is of these lines, and the others are there
            return causes.one_line(str(error).removeprefix("Error: "))
    failures = " ".join(f"{name}: {reason}" for name, reason in session.failures)
    made = _made()
    if not made:
        return failures or session.message or "No line was made."
    _write(target, made if only_actions else None)
    return failures


def _made() -> set[bpy.types.ID]:
    """The Actions that lines are in."""
    found: set[bpy.types.ID] = set()
    for obj in bpy.data.objects:
        if isinstance(obj.data, bpy.types.Mesh):
            both = actions.existing(obj.data), bone_actions.existing(obj)
            found |= {action for action in both if action is not None and not action.library}
    return found


def _write(target: Path, only: set[bpy.types.ID] | None) -> None:
    """Write the file that is open, or these data-blocks alone. The result appears complete or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.stem}.{os.getpid()}.part.blend")
    try:
        if only is None:
            bpy.ops.wm.save_as_mainfile(filepath=str(part), copy=True, compress=True)
        else:
            bpy.data.libraries.write(str(part), only, fake_user=True, compress=True)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
