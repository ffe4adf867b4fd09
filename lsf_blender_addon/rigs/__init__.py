"""Shape keys that a head already has: which rig family they belong to, and what each of them does.

Each family is a small JSON file in this folder. Mappings that an artist saves are such files in the user's folder:

    {"name": "VRM", "at_least": 4, "keys": [
        {"names": ["aa", "A", "Fcl_MTH_A"]},
        {"names": ["blink", "Blink"], "channels": {"eyeBlinkLeft": 0.5, "eyeBlinkRight": 0.5}}]}

`names` are spellings of one key. Case, separators, prefixes and ways to write the side (`_L`, `Left`, `left_`) do not
matter. `channels` are the gains with which the key follows ARKit channels. A key without channels is solved: the server
finds the weights with which the shapes of all solved keys together approximate the motion.
"""
