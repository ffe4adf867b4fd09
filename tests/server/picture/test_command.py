"""`python -m server picture`: files in, a bank out."""

import json
import sys

import numpy as np
import pytest

from server import cli
from server.errors import LSFError
from server.picture import command, reading

# The header of an array of 30 terabytes, and nothing behind it.
HEADER = b"{'descr': '|u1', 'fortran_order': False, 'shape': (3200000, 3200000, 3), }"
HUGE = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + HEADER.ljust(117) + b"\n"


@pytest.fixture
def picture(tmp_path, monkeypatch):
    """A picture file, in which a half smile is read; with a neutral picture it is weaker."""

    def read(picture, neutral=None):
        weights = np.zeros(52)
        weights[[24, 17]] = (0.8, 0.25) if neutral is None else (0.5, 0.0)
        return reading.Reading(weights, np.zeros((478, 2)), 1.0, neutral is not None)

    monkeypatch.setattr(reading, "read", read)
    path = tmp_path / "Half smile.npy"
    np.save(path, np.zeros((40, 40, 3), np.uint8))
    return path


def entries(bank):
    return {entry["name"]: entry["weights"] for entry in json.loads(bank.read_text("utf-8"))["expressions"]}


def test_a_bank_is_made_added_to_and_an_entry_replaced(picture, tmp_path, capsys):
    bank = tmp_path / "new" / "bank.json"
    assert cli.main(["picture", str(picture), "--bank", str(bank)]) == 0
    assert cli.main(["picture", str(picture), "--bank", str(bank), "--name", "Second"]) == 0
    assert list(entries(bank)) == ["Half smile", "Second"] and sorted(entries(bank)["Second"].values()) == [0.25, 0.8]
    assert cli.main(["picture", str(picture), "--neutral", str(picture), "--bank", str(bank), "--name", "second"]) == 0
    assert list(entries(bank)) == ["Half smile", "second"] and list(entries(bank)["second"].values()) == [0.5]
    assert "0.80" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.npy", b"no array", "no array of a picture"),
        ("promise.npy", HUGE, "no array of a picture"),
        ("open.npy", b"\x93NUMPY\x01\x00" + (6).to_bytes(2, "little") + b"{'a': ", "no array of a picture"),
        ("gone.npy", None, "gone.npy"),
    ],
)
def test_a_file_that_is_no_picture_is_one_sentence_and_no_bank(tmp_path, capsys, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    bank = tmp_path / "bank.json"
    assert cli.main(["picture", str(tmp_path / name), "--bank", str(bank)]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1 and not bank.exists()


def test_a_bank_that_is_none_is_left_alone(picture, tmp_path, capsys):
    bank = tmp_path / "bank.json"
    bank.write_text("{}")
    assert cli.main(["picture", str(picture), "--bank", str(bank)]) == 2
    assert bank.read_text() == "{}" and "not a bank of expressions" in capsys.readouterr().err
    assert cli.main(["picture", str(picture), "--bank", str(tmp_path / "b.json"), "--name", "happy"]) == 2
    assert "one of the emotions" in capsys.readouterr().err


def test_without_pillow_the_sentence_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(LSFError, match="Pillow: python -m pip install pillow") as caught:
        command.load(tmp_path / "a.png")
    assert caught.value.code == "missing_package"
