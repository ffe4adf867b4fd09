"""The 52 ARKit blendshape channels, in the order of Apple's ARFaceAnchor.BlendShapeLocation documentation."""

CHANNELS: tuple[str, ...] = (
    "eyeBlinkLeft",
    "eyeLookDownLeft",
    "eyeLookInLeft",
    "eyeLookOutLeft",
    "eyeLookUpLeft",
    "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight",
    "eyeLookDownRight",
    "eyeLookInRight",
    "eyeLookOutRight",
    "eyeLookUpRight",
    "eyeSquintRight",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawRight",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthLeft",
    "mouthRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)


def base_name(channel: str) -> str:
    """Return the name without its side: "mouthSmile" for "mouthSmileLeft". Channels without a side keep their name."""
    return channel.removesuffix("Left").removesuffix("Right")


def channel_indices(name: str) -> list[int]:
    """Return the indices in CHANNELS of one channel, or of both sides of a base name.

    Args:
        name: A channel ("browInnerUp", "mouthSmileLeft") or a name without its side ("mouthSmile").

    Returns:
        One index or two, ascending; empty if there is no such channel.
    """
    return [i for i, channel in enumerate(CHANNELS) if channel in (name, f"{name}Left", f"{name}Right")]


def mirrored(channel: str) -> str:
    """Return the channel of the other side: "jawRight" for "jawLeft". Channels without a side stay the same."""
    return channel.replace("Left", "#").replace("Right", "Left").replace("#", "Right")
