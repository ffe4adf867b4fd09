"""The budget of the search for a face: work is counted, not time, so that machines agree."""

# A unit is about what a network's look at one window costs, 10 ms. On measured heads an upright face takes 60 to 80,
# and one that lies or is tilted 100 to 390. A mesh without a face takes these units, and what has begun is finished.
SEARCH_UNITS = 320
OVERDRAFT = 100  # units for looking at a candidate again that was found with the last units
PIECES_UNITS = 60  # of looking at single pieces of a mesh that shows no face as a whole: two of them
PIXELS_PER_UNIT = 120_000  # of work of the rasteriser
ALIGNMENT_UNITS = 12  # of aligning the head to a candidate


class SearchBudget:
    """Counts the work of a search.

    Attributes:
        units: What is left; below 0 when more was spent.
    """

    def __init__(self, units: float = SEARCH_UNITS):
        self.units = units

    def spend(self, units: float) -> None:
        """Take units off. What has begun may go on: the search looks at `is_spent` before it begins something new."""
        self.units -= units

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.units <= 0

    @property
    def is_overdrawn(self) -> bool:
        """Whether nothing is left for looking at a candidate again, either."""
        return self.units <= -OVERDRAFT
