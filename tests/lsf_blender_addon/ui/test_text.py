"""Text that wraps at a width."""

from lsf_blender_addon.ui.text import wrap


def test_words_of_latin_text_are_kept():
    assert wrap("The head has no shape keys of its own", 16) == ["The head has no", "shape keys of", "its own"]


def test_east_asian_letters_are_twice_as_wide():
    assert wrap("先に頭を選択してください", 16) == ["先に頭を選択して", "ください"]


def test_no_line_begins_with_punctuation():
    assert wrap("保存してください。隣に保存されます。", 16) == ["保存してくださ", "い。隣に保存され", "ます。"]


def test_a_bracket_is_kept_with_what_follows():
    assert wrap("先に「生成」を押す", 6) == ["先に", "「生", "成」を", "押す"]


def test_words_and_paths_among_east_asian_letters_are_kept():
    assert wrap("準備完了：/opt/env/bin/python を使う", 23) == ["準備完了：", "/opt/env/bin/python を", "使う"]


def test_a_word_longer_than_a_line_is_broken():
    assert wrap("場所：/home/artist/projects/film", 16) == ["場所：", "/home/artist/pro", "jects/film"]
