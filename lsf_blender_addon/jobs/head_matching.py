"""Matches a head to a strip by their names. No bpy."""

import re

# Words that say what an object is, not whose.
COMMON = {"head", "face", "mesh", "geo", "geometry", "body", "low", "high", "lod", "model", "character", "char", "rig"}
HEADS = {"head", "face"}
WORD = re.compile(r"[^\W\d_]+|\d+")


def words(name: str) -> list[str]:
    """The words and numbers of a name, in lower case: those of AnnaHead_02.wav are anna, head, 02, wav."""
    parted = "".join(
        f" {new}" if old.islower() and new.isupper() else new for old, new in zip(" " + name, name, strict=False)
    )
    return WORD.findall(parted.casefold())


def match_head_by_name(line: str, heads: list[str]) -> str | None:
    """Find the head whose name is contained in that of a line: "Anna_03.wav" belongs to "Anna" or "Anna_Head".

    All words of a head's own name must be in the line's name. The head with most of them is chosen; of equal ones one
    that is called a head or face, then the one with the shortest name.

    Args:
        line: Name of the line.
        heads: Names of the heads.

    Returns:
        One of `heads`; None if none matches, or several match equally well.
    """
    line_words = set(words(line))
    ranks: dict[str, tuple[int, bool, int]] = {}
    for head in heads:
        all_words = set(words(head))
        own = {word for word in all_words - COMMON if not word.isdigit()} or all_words
        if own and own <= line_words:
            ranks[head] = len(own), bool(HEADS & all_words), -len(all_words)
    best = [head for head, rank in ranks.items() if rank == max(ranks.values())]
    return best[0] if len(best) == 1 else None
