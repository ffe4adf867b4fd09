"""Nothing personal is in a report, and what a maintainer needs is."""

import re
import time

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from lsf_blender_addon.client import last_fault, report
from lsf_blender_addon.client.report import Personal, compose

HOME = "/home/jane doe"
SOUND = f"{HOME}/Secret Film/Anna (take 2).wav"
PERSONAL = Personal(
    places={
        f"{HOME}/.config/blender/5.0/extensions/user_default/lsf_animation": "add-on",
        f"{HOME}/.config/blender/5.0/extensions/.user/user_default/lsf_animation": "add-on's files",
        "C:\\Program Files\\Blender Foundation\\Blender 5.0": "blender",
    },
    paths=frozenset({"//Secret Film/Anna (take 2).wav", SOUND, f"{HOME}/shot 3.blend"}),
    names=frozenset({"Anna", "Ännchen Ω", "Anna_01.001"}),
    user=frozenset({"jane doe", "jane", "WS-17"}),
)
SECRETS = re.compile(r"jane|doe|secret|film|anna|ännchen|ws-17|take 2|shot 3", re.IGNORECASE)

LINES = [  # what is written, and what a maintainer still reads
    (f'File "{HOME}/.config/blender/5.0/extensions/user_default/lsf_animation/jobs/lines.py", line 3, in plan',
     'File "<add-on>/jobs/lines.py", line 3, in plan'),
    (f"{HOME}/.config/blender/5.0/extensions/.user/user_default/lsf_animation/env/bin/python: not found",
     "<add-on's files>/env/bin/python: not found"),
    (r'File "C:\Program Files\Blender Foundation\Blender 5.0\5.0\scripts\a.py", line 9', r'"<blender>\5.0\scripts'),
    (r'{"python": "C:\\Program Files\\Blender Foundation\\Blender 5.0\\python.exe"}', "<blender>"),
    (f"[Errno 2] No such file or directory: '{SOUND}'", "[Errno 2] No such file"),
    (f'The sound "{SOUND}" cannot be read (it is empty)', "<path>.wav\" cannot be read (it"),
    ("//Secret Film/Anna (take 2).wav is too long", "<path>.wav is too long"),
    (f"cannot open {HOME}/other secret/new film.flac: it is no sound", "cannot open <path>.flac: it is no sound"),
    (r"cannot open D:\Secret Film\v2\Jane's.wav: no", "cannot open <path>.wav: no"),
    (r"cannot open \\WS-17\Film\Anna.blend: no", "cannot open <path>.blend: no"),
    ("~/Secret Film: gone", "<path>: gone"),
    ("/srv/Film", "<path>"),
    ("Anna_01.001: the head Anna has no face, Ännchen Ω too", "<name>: the head <name> has no face, <name> too"),
    ("Jane@ws-17 started 1 / 2 jobs at 3 km/h and/or less", "<user>@<user> started 1 / 2 jobs at 3 km/h and/or less"),
    ("Looking in indexes: https://jane:pw@packages.studio.film/simple, https://mirror.film/simple",
     "Looking in indexes: <url> <url>"),
    ("file:///home/jane%20doe/film.zip", "<url>"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "read"), LINES)
def test_a_line_keeps_what_is_not_personal(written, read):
    left = PERSONAL.removed_from(written)
    assert not SECRETS.search(left), left
    assert read in left


def test_words_inside_of_others_stay():
    personal = Personal(names=frozenset({"head", "a", ""}), user=frozenset({"art", "", "a"}))
    assert (
        personal.removed_from("the head's headroom is a start of art") == "the <name>'s headroom is a start of <user>"
    )


LETTERS = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="/\\\"':<>"), max_size=9)
NAMES = LETTERS.map("Qx{}".format)
FOLDERS = st.lists(st.one_of(NAMES, st.tuples(NAMES, NAMES).map(" ".join)), min_size=1, max_size=4)
FORMS = st.sampled_from(
    [
        'File "{}", line 3', "[Errno 13] Permission denied: '{}'", "cannot read {}: it is empty", "{}", "({})", "x={}",
        'The sound "{}" cannot be read', "opened {}",
    ]
)  # fmt: skip


@settings(max_examples=150)
@given(FOLDERS, FORMS, st.sampled_from(["/", "//", "\\\\", "C:\\", "D:/", "~/"]), st.booleans())
def test_no_part_of_an_unknown_path_is_left(folders, form, root, back):
    path = root + ("\\" if back else "/").join(folders) + ".wav"
    left = Personal().removed_from(form.format(path))
    assert "Qx" not in left and left.startswith(form.partition("{")[0])


@settings(max_examples=150)
@given(st.lists(NAMES, min_size=1, max_size=5), st.sampled_from(['"{}" has no face', "{}: no sound", "({})", "{}"]))
def test_no_name_is_left(names, form):
    left = Personal(names=frozenset(names)).removed_from("\n".join(map(form.format, names)))
    assert left == "\n".join(form.format("<name>") for _ in names)


def test_thousands_of_names_are_no_wait():
    names = frozenset(f"Bone.{i:05}" for i in range(50_000))
    text = "\n".join(f"Bone.{i:05} is missing: see /home/x/Bone.{i:05}/y.blend" for i in range(300))
    start = time.process_time()
    left = Personal(names=names).removed_from(text)
    assert time.process_time() - start < 2 and "Bone" not in left


def test_the_whole_report():
    text = compose(
        [("Blender", "5.0.1"), ("Its device", "")],
        [("Log", f"\n{'x' * 1000}\nopening {HOME}/a.wav\n\n"), ("Empty", " \n")],
        PERSONAL,
    )
    assert text == f"Blender: 5.0.1\n\nLog:\n    {'x' * report.MAX_LINE}\n    opening <path>.wav\n"


def test_the_end_of_a_log(tmp_path):
    log = tmp_path / "server.log"
    assert report.tail(log, 5) == "" and report.tail(tmp_path, 5) == ""
    log.write_bytes(b"one\ntwo \xff\nthree\n")
    assert report.tail(log, 2) == "two �\nthree"
    log.write_bytes(b"y" * 50 + b"\n" + b"x" * 3_000_000 + b"\nlast\n")
    assert report.tail(log, 10) == "last"


def test_versions_of_packages_without_starting_a_python(tmp_path):
    for folder in ("lib/python3.11/site-packages", "Lib/site-packages"):
        (tmp_path / folder / "torch-2.13.0+cpu.dist-info").mkdir(parents=True)
        (tmp_path / folder / "torchvision-1.0.dist-info").mkdir()
    assert report.package_versions(tmp_path / "bin" / "python", ["torch", "scipy"]) == {"torch": "2.13.0+cpu"}


def test_the_last_unexpected_error_is_known():
    last_fault.forget()
    assert last_fault.last() is None and not last_fault.is_in("anything")
    last_fault.note("Something unexpected went wrong.", "Traceback …")
    assert last_fault.is_in("2 of 3 lines failed. A: Something unexpected went wrong") and last_fault.last().details
    assert not last_fault.is_in("Select a head first")
    last_fault.forget()
