"""Phones of people whose words are known."""

import json

from server.training.evaluation.people_phones import pronunciations


def test_a_word_has_the_phones_that_it_has_most_often(tmp_path):
    def entry(*vowels):
        words = [["at", 0.1 + i, 0.5 + i] for i in range(len(vowels))]
        phones = [["SIL", 0.0, 0.1]]
        for i, vowel in enumerate(vowels):
            phones += [[vowel, 0.1 + i, 0.3 + i], ["T", 0.3 + i, 0.52 + i], ["SIL", 0.52 + i, 1.1 + i]]
        return {"words": words, "phones": phones}

    (tmp_path / "index.json").write_text(json.dumps({"a": entry("AE1", "AH"), "b": entry("AE")}))
    assert pronunciations(tmp_path) == {"at": ("æ", "t")}
