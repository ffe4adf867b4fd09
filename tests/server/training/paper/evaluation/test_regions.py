"""Files of vertex indices: what is read, and what is refused in one sentence."""

import pickle

import numpy as np
import pytest

from server.errors import LSFError
from server.training.paper.evaluation.regions import Regions, read_region


def refusal(path, vertices=10):
    with pytest.raises(LSFError) as caught:
        read_region(path, vertices)
    return str(caught.value)


def test_three_formats_give_the_same_sorted_indices(tmp_path):
    np.save(tmp_path / "a.npy", np.array([3, 1, 9], np.int32))
    (tmp_path / "a.txt").write_text("3, 1\n9\n")
    (tmp_path / "a.json").write_text("[3, 1, 9]")
    for suffix in ("npy", "txt", "json"):
        assert read_region(tmp_path / f"a.{suffix}", 10).tolist() == [1, 3, 9]


def test_whole_numbers_may_be_floats_and_text_may_have_comments(tmp_path):
    np.savetxt(tmp_path / "a.txt", np.array([3, 1, 9]), header="the lips")
    np.save(tmp_path / "a.npy", np.array([3.0, 1.0, 9.0]))
    (tmp_path / "a.json").write_text("[3.0, 1, 9]", encoding="utf-8-sig")
    for suffix in ("npy", "txt", "json"):
        assert read_region(tmp_path / f"a.{suffix}", 10).tolist() == [1, 3, 9]
    (tmp_path / "a.txt").write_text("# indices\n3, 1 # two\n\n9", encoding="utf-8-sig")
    assert read_region(tmp_path / "a.txt", 10).tolist() == [1, 3, 9]
    for text in ("1.5", "1 nan", "inf", "# nothing"):
        (tmp_path / "a.txt").write_text(text)
        assert "one list of whole numbers" in refusal(tmp_path / "a.txt")


def test_no_file_and_a_pickle(tmp_path):
    assert "no file" in refusal(tmp_path / "a.npy")
    (tmp_path / "masks.pkl").write_bytes(pickle.dumps({"lips": [1]}))
    assert "pickle" in refusal(tmp_path / "masks.pkl")
    np.save(tmp_path / "a.npy", np.array([[1], None], object), allow_pickle=True)
    assert "damaged" in refusal(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "one list"),
        ("[1.5]", "one list"),
        ("[true]", "one list"),
        ('{"lips": [1]}', "one list"),
        ("[[1, 2]]", "one list"),
        ("[1", "damaged"),
        ("[-1]", "index"),
        ("[10]", "the index 10"),
        ("[1, 1]", "twice"),
        ("[99999999999999999999]", "the index 1e+20"),
        ("[1e400]", "one list"),
        ("[1" + "0" * 400 + "]", "damaged"),
        ("[" * 100000, "damaged"),
    ],
)
def test_lists_that_cannot_be_regions(tmp_path, text, reason):
    (tmp_path / "a.json").write_text(text)
    assert reason in refusal(tmp_path / "a.json")


def test_other_damage(tmp_path):
    (tmp_path / "a.txt").write_text("one two")
    assert "damaged" in refusal(tmp_path / "a.txt")
    np.save(tmp_path / "b.npy", np.array([[1, 2]]))
    assert "one list" in refusal(tmp_path / "b.npy")
    np.save(tmp_path / "c.npy", np.array([1.0, 2.5]))
    assert "one list" in refusal(tmp_path / "c.npy")
    (tmp_path / "d.txt").write_text("1 " * (1 << 20))
    assert "too large" in refusal(tmp_path / "d.txt")


def test_the_sizes_of_the_papers_regions():
    assert Regions(np.arange(428), np.arange(1501)).paper_sizes
    assert not Regions(np.arange(428), None).paper_sizes
    assert not Regions(np.arange(427), np.arange(1501)).paper_sizes
