"""The emotions that requests and results name, in the order of their arrays. Shared with the add-on."""

EMOTIONS = ("angry", "disgusted", "fearful", "happy", "sad", "surprised", "neutral", "contempt")
EMOTION_CLASSES = (*EMOTIONS, "bored")  # what the emotion reader tells apart
