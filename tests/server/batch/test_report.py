"""The report: rows are added whole, and whatever a file holds is read."""

import json

import pytest

from server.batch.report import Report, finished

MADE = {"line": "a.npz", "inputs": "i", "file": "d", "face": "f"}


def test_rows_are_added_by_each_run_and_shards_have_files_of_their_own(tmp_path):
    for part, parts in ((1, 1), (2, 8), (2, 8)):
        report = Report(tmp_path, part, parts)
        report.add({"line": "ä"})
        report.close()
    assert (tmp_path / "report.jsonl").read_text("utf-8") == '{"line": "ä"}\n'
    assert (tmp_path / "report-2of8.jsonl").read_text("utf-8") == '{"line": "ä"}\n' * 2


def test_a_row_that_was_cut_off_does_not_spoil_the_next(tmp_path):
    (tmp_path / "report.jsonl").write_text('{"line": "a.n', "utf-8")
    report = Report(tmp_path, 1, 1)
    report.add(MADE)
    report.close()
    assert finished(tmp_path, {"a.npz"}) == {("a.npz", "i", "d"): "f"}


def test_what_any_shard_has_made_counts(tmp_path):
    for name, line in (("report.jsonl", "a"), ("report-1of2.jsonl", "b"), ("report-2of2.jsonl", "c")):
        (tmp_path / name).write_text(json.dumps(MADE | {"line": line}), "utf-8")
    assert {line for line, _, _ in finished(tmp_path, {"a", "b", "c"})} == {"a", "b", "c"}
    assert {line for line, _, _ in finished(tmp_path, {"b"})} == {"b"}


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\n", b"[" * 100000 + b"\n", b"[]\n1\nnull\n", b'{"line": ["a.npz"], "inputs": 1}\n', b"x" * 300000],
)
def test_rows_of_any_kind_do_not_count(tmp_path, content):
    good = json.dumps(MADE).encode()
    (tmp_path / "report.jsonl").write_bytes(content.rstrip(b"\n") + b"\n" + good + b"\n")
    assert finished(tmp_path, {"a.npz"}) == {("a.npz", "i", "d"): "f"}
