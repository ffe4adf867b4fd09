"""Activity of the mouth from the times of phones."""

from server.training import FPS
from server.training.speech.phonetics import ONSET_SECONDS, RELEASE_SECONDS, speech_activity


def test_a_mouth_opens_about_the_first_sound_and_rests_in_pauses():
    phones = [("", 0, 1), ("ɑ", 1, 1.5), ("", 1.5, 1.56), ("ɑ", 1.56, 2), ("", 2, 3), ("s", 3, 3.4), ("", 3.4, 4)]
    weight = speech_activity(phones, 100)
    assert (weight[: int((1 - ONSET_SECONDS) * FPS)] == 0).all() and (
        weight[int((1 + ONSET_SECONDS) * FPS) + 1 : 2 * FPS] == 1
    ).all()
    assert 0.4 < weight[FPS] < 0.6
    assert (weight[int((2 + RELEASE_SECONDS) * FPS) + 1 : int((3 - ONSET_SECONDS) * FPS)] == 0).all() and weight[
        int(3.2 * FPS)
    ] == 1
