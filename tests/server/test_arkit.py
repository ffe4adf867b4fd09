"""The channels of ARKit and their sides."""

from server import arkit


def test_a_name_without_a_side_stands_for_both_sides_and_a_channel_for_itself():
    def named(name: str) -> list[str]:
        return [arkit.CHANNELS[i] for i in arkit.channel_indices(name)]

    assert named("mouthSmile") == ["mouthSmileLeft", "mouthSmileRight"]
    assert named("mouthSmileRight") == ["mouthSmileRight"]
    assert named("jawOpen") == ["jawOpen"]
    assert named("noSuchChannel") == []


def test_mirroring_swaps_the_sides_and_is_its_own_inverse():
    assert arkit.mirrored("jawLeft") == "jawRight" and arkit.mirrored("jawOpen") == "jawOpen"
    assert sorted(map(arkit.mirrored, arkit.CHANNELS)) == sorted(arkit.CHANNELS)


def test_the_base_name_has_no_side():
    assert arkit.base_name("eyeBlinkLeft") == "eyeBlink" and arkit.base_name("browInnerUp") == "browInnerUp"
