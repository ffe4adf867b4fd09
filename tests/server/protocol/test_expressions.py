"""Expressions as requests and files hold them: what is read is what was written, and nothing else is read."""

import json
import os
import sys

import pytest

from server.arkit import CHANNELS
from server.protocol import expressions
from server.protocol.expressions import Expression, ExpressionError

SMIRK = {"name": "Smirk", "weights": {"mouthSmileLeft": 0.75, "jawOpen": -0.5}}
GLEE = {"name": "Glee", "weights": {}, "emotions": {"happy": 0.5}, "affect": [0.5, -0.25]}


def test_a_file_gives_back_what_was_written(tmp_path):
    found = expressions.read_fields([SMIRK, GLEE])
    (tmp_path / "bank.json").write_text(expressions.file_text(found), "utf-8")
    assert expressions.read_file(tmp_path / "bank.json") == found
    assert [entry.to_fields() for entry in found] == [SMIRK, GLEE]
    assert found[1].affect == (0.5, -0.25) and hash(found[0]) == hash(Expression.from_fields(SMIRK))
    content = json.loads((tmp_path / "bank.json").read_text("utf-8"))
    assert content["format"] == "lsf-expressions" and content["version"] == 1


def test_equal_expressions_are_written_in_one_spelling():
    whole = Expression.from_fields(
        {"name": "A", "weights": {"jawOpen": 1}, "emotions": {"sad": 1}, "affect": [0, -0.0]}
    )
    point = Expression.from_fields(
        {"name": "A", "weights": {"jawOpen": 1.0}, "emotions": {"sad": 1.0}, "affect": [-0.0, 0.0]}
    )
    assert whole == point and repr(whole) == repr(point)
    assert json.dumps(whole.to_fields()) == json.dumps(point.to_fields())


def test_values_of_0_are_not_written():
    entry = Expression("A", {"jawOpen": 0.0, "jawLeft": 0.5}, {"happy": 0.0})
    assert entry.to_fields() == {"name": "A", "weights": {"jawLeft": 0.5}}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "A", "weights": {"mouthSmile": 1}}, "unknown channel"),
        ({"name": "A", "weights": {"jawOpen": 1.5}}, "from -1 to 1"),
        ({"name": "A", "weights": {"jawOpen": float("nan")}}, "from -1 to 1"),
        ({"name": "A", "weights": {"jawOpen": True}}, "from -1 to 1"),
        ({"name": "A", "weights": {"jawOpen": 10**400}}, "from -1 to 1"),
        ({"name": "A", "weights": {}, "affect": [0, -(10**400)]}, "affect"),
        ({"name": "A", "weights": {}, "emotions": {"glee": 1}}, "unknown emotion"),
        ({"name": "A", "weights": {}, "emotions": {"happy": -0.1}}, "from 0 to 1"),
        ({"name": "A", "weights": {}, "affect": [0.5]}, "affect"),
        ({"name": "A", "weights": {}, "affect": "ab"}, "affect"),
        ({"name": "A", "weights": {}, "affect": 0.5}, "affect"),
        ({"name": "A", "weights": [1]}, "object of channels"),
        ({"name": "A"}, "object of channels"),
        ({"name": "A", "weights": {}, "emotions": ["happy"]}, "object of emotions"),
        ({"name": "A", "weights": {}, "affect": range(10**9)}, "affect"),
        ({"name": "A", "weights": {}, "weigths": {}}, "unknown field"),
        ({"name": "", "weights": {}}, "1 to 60 letters"),
        ({"name": " A", "weights": {}}, "1 to 60 letters"),
        ({"name": "A\n", "weights": {}}, "1 to 60 letters"),
        ({"name": "x" * 61, "weights": {}}, "1 to 60 letters"),
        ({"name": "Happy", "weights": {}}, "one of the emotions"),
        ({"weights": {}}, "with a name"),
        ("A", "with a name"),
    ],
)
def test_what_cannot_be_used_is_said(fields, words):
    with pytest.raises(ExpressionError, match=words):
        expressions.read_fields([fields])


def test_lists_that_cannot_be_used():
    assert (
        len(expressions.read_fields([{"name": str(i), "weights": dict.fromkeys(CHANNELS, 1)} for i in range(64)])) == 64
    )
    with pytest.raises(ExpressionError, match="at most 64"):
        expressions.read_fields([{"name": str(i), "weights": {}} for i in range(65)])
    for wrong in (None, "bank", {"name": "A"}):
        with pytest.raises(ExpressionError, match="list"):
            expressions.read_fields(wrong)
    with pytest.raises(ExpressionError, match="two expressions"):
        expressions.read_fields([{"name": "Grin", "weights": {}}, {"name": "grin", "weights": {}}])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a bank of expressions"),
        (b'{"format": "lsf-style", "version": 1}', "not a bank of expressions"),
        (b'{"format": "lsf-expressions", "version": 2, "expressions": []}', "newer version"),
        (b'{"format": "lsf-expressions", "version": 1}', "list"),
        (b" " * ((1 << 20) + 1), "more than 1024 KB"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, words):
    (tmp_path / "bank.json").write_bytes(content)
    with pytest.raises(ExpressionError, match=words) as refusal:
        expressions.read_file(tmp_path / "bank.json")
    assert refusal.value.code == "bad_bank"
    with pytest.raises(FileNotFoundError):
        expressions.read_file(tmp_path / "none.json")


@pytest.mark.skipif(sys.platform == "win32", reason="files of POSIX")
def test_what_is_no_file_is_refused_and_never_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "device.json").symlink_to("/dev/zero")
    for name in ("pipe.json", "device.json", "."):
        with pytest.raises(ExpressionError, match="it is no file"):
            expressions.read_file(tmp_path / name)
