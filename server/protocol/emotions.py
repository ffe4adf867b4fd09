"""The emotions that requests and results name, in the order of their arrays. The add-on shares this module."""

EMOTIONS = ("angry", "disgusted", "fearful", "happy", "sad", "surprised", "neutral", "contempt")
EMOTION_CLASSES = (*EMOTIONS, "bored")  # the classes of the emotion reader
