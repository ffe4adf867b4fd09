"""Shape keys that a head already has: recognises their rig family, and drives them from the channels.

Each family is a JSON file in this folder. Mappings that an artist saves have the same format:

    {"name": "VRM", "at_least": 4, "keys": [
        {"names": ["aa", "A", "Fcl_MTH_A"], "like": {"jawOpen": 0.6}},
        {"names": ["blinkLeft"], "channels": {"eyeBlinkLeft": 1.0}},
        {"names": ["blinkRight"], "channels": {"eyeBlinkRight": 1.0}},
        {"names": ["blink"], "channels": {"eyeBlinkLeft": 0.5, "eyeBlinkRight": 0.5},
         "stands_for": ["blinkLeft", "blinkRight"]}]}

A head must have `at_least` so many of the keys to be recognised. `names` are spellings of one key; case, separators,
prefixes and the way to write the side (`_L`, `Left`, `left_`) are ignored. `channels` are the gains with which the key
follows ARKit channels. A key without channels is solved: the server finds the weights with which the shapes of all
solved keys together approximate the motion. `like` says what its name tells of its shape, for heads on which no face is
found. A key with `stands_for` shows what several others show together. It moves
only on a head that has not all of them, and then they do not, so that no lid shuts twice.

Of the families of which a head has enough keys, that one is chosen of which most keys have a shape and are used.
"""
