"""Shape keys that a head already has: which family of rigs they are, and what each of them does.

One small JSON file a family, here; mappings that an artist saves are such files too, in the add-on's user folder:

    {"name": "VRM", "at_least": 4, "keys": [
        {"names": ["aa", "A", "Fcl_MTH_A"]},
        {"names": ["blink", "Blink"], "channels": {"eyeBlinkLeft": 0.5, "eyeBlinkRight": 0.5}}]}

`names` are spellings of one key; case, separators, prefixes and sides (`_L`, `Left`, `left_`) need not be told apart.
`channels` says how far the key follows which channel. A key without any is solved: the server finds the weights with
which its shape, together with the others, comes nearest to the motion wanted.
"""
