"""Prints the evaluation: figures with their units, and a run beside the table of the paper (arXiv 2510.21864)."""

from collections.abc import Mapping
from dataclasses import dataclass

from ...columns import aligned
from .regions import PAPER_LIPS, PAPER_UPPER, Regions
from .summary import CONFIDENCE, VARIANTS, Interval, Summary

UNITS = {
    "MVE": (1e-3, "10⁻³ m"),
    "LVE": (1e-5, "10⁻⁵ m²"),
    "FDD": (1e-5, "10⁻⁵ m²"),
    "FDD_absolute": (1e-5, "10⁻⁵ m²"),
    "MEE": (1e-5, "10⁻⁵ m²"),
    "CE": (1e-5, "10⁻⁵ m²"),
    "Diversity": (1e-3, "10⁻³ m"),
}
"""Size and name of the unit in which a metric is printed."""

TABLE_METRICS = "MVE", "LVE", "FDD", "MEE", "CE", "Diversity"
# What the paper reports on 3DMEAD, in UNITS; None where a method has no samples.
PAPER_TABLE: dict[str, tuple[float | None, ...]] = {
    "FaceFormer": (2.6139, 2.3471, 1.6145, None, None, None),
    "CodeTalker": (2.2207, 2.1045, 3.0540, None, None, None),
    "EMOTE": (1.3395, 1.2936, 0.7327, 1.2101, 1.0544, None),
    "FaceDiffuser DDIM": (1.5901, 1.1315, 0.8243, 1.0615, 1.0610, 0.0144),
    "ProbTalk3D": (1.2933, 1.2708, 0.4845, 1.1852, 1.0691, 0.4310),
    "LSF-Animation": (1.2244, 1.0985, 0.4724, 1.0177, 0.9225, 0.4223),
}
RUN = "this run"
MARGIN = "  "


@dataclass(frozen=True)
class Settings:
    """What the figures of a run depend on besides network and regions.

    Attributes:
        part: Of the split by subject.
        samples: Random takes of a clip.
        temperature: Of their codes.
        clips: Number of clips that were measured.
        all_clips: Number of clips of the part.
        subjects: Number of people of the measured clips.
        vertices: Of the mesh.
    """

    part: str
    samples: int
    temperature: float
    clips: int
    all_clips: int
    subjects: int
    vertices: int


PAPER_PART, PAPER_SAMPLES, PAPER_TEMPERATURE, PAPER_SUBJECTS = "test", 10, 0.2, 5
PAPER_VERTICES = 5023  # of FLAME


def figure(metric: str, interval: Interval | None) -> str:
    """Return a mean in the metric's unit."""
    return "–" if interval is None else f"{interval.value / UNITS[metric][0]:.4f}"


def with_interval(metric: str, interval: Interval) -> str:
    """Return a mean with its interval and unit."""
    size, unit = UNITS[metric]
    return f"{interval.value / size:9.4f}  [{interval.low / size:.4f}, {interval.high / size:.4f}]  {unit}"


def run_text(summary: Summary) -> str:
    """Return all figures of a run, a metric a line, with intervals."""
    lines = [f"Intervals: {CONFIDENCE:.0%}, resampled by subject and then by clip."]
    if summary.released:
        title = f"Released definitions, all frames pooled: {VARIANTS['released']}"
        lines += ["", title, *_block(summary.released)]
    for variant, group in summary.per_clip.items():
        lines += ["", f"Every clip alike: {VARIANTS[variant]}", *_block(group)]
    for title, groups in (("emotion", summary.per_emotion), ("subject", summary.per_subject)):
        lines += ["", f"By {title}, every clip alike: {VARIANTS[summary.grouped]}", *_groups(title, groups)]
    return "\n".join(lines)


def _block(group: Mapping[str, Interval]) -> list[str]:
    return [f"  {metric:13} {with_interval(metric, interval)}" for metric, interval in group.items()]


def _groups(title: str, groups: Mapping[str, Mapping[str, Interval]]) -> list[str]:
    """Lines of a table with a group a row."""
    metrics = list(next(iter(groups.values())))
    rows = [[title, "clips", *metrics], ["", "", *(UNITS[metric][1] for metric in metrics)]]
    for name, group in groups.items():
        rows.append([name, str(group[metrics[0]].clips), *(figure(metric, group[metric]) for metric in metrics)])
    return aligned(rows, MARGIN)


def paper_text(summary: Summary, regions: Regions, settings: Settings) -> str:
    """Return the paper's table with the run as its last row, and what keeps them from being compared.

    Args:
        summary: Of the run.
        regions: Of the run.
        settings: Of the run.
    """
    rows = [["", *TABLE_METRICS], ["", *(UNITS[metric][1] for metric in TABLE_METRICS)]]
    for name, values in PAPER_TABLE.items():
        rows.append([name, *("–" if value is None else f"{value:.4f}" for value in values)])
    rows.append([RUN, *(figure(metric, summary.released.get(metric)) for metric in TABLE_METRICS)])
    lines = ["As the paper reports on 3DMEAD. Lower is better, but for Diversity.", "", *aligned(rows, MARGIN)]
    return "\n".join([*lines, "", *_notes(regions, settings)])


def _notes(regions: Regions, settings: Settings) -> list[str]:
    """Sentences on what differs from the paper's evaluation, one for each thing, and on the number of people."""
    notes = []
    if not regions.paper_sizes:
        sizes = [0 if region is None else len(region) for region in (regions.lips, regions.upper)]
        notes.append(
            f"The regions have {sizes[0]} and {sizes[1]} vertices; those of the paper {PAPER_LIPS} and {PAPER_UPPER}. "
            "LVE, MEE, CE and FDD cannot be compared."
        )
    if settings.vertices != PAPER_VERTICES:
        notes.append(
            f"The mesh has {settings.vertices} vertices; FLAME has {PAPER_VERTICES}. No figure can be compared."
        )
    if settings.part != PAPER_PART:
        notes.append(
            f'The clips are of the part "{settings.part}"; those of the paper of "{PAPER_PART}". Other people, other '
            "sentences: no figure can be compared."
        )
    if settings.clips < settings.all_clips:
        notes.append(f"Only {settings.clips} of the {settings.all_clips} clips of the part were measured.")
    if settings.samples != PAPER_SAMPLES:
        notes.append(
            f"The run has {settings.samples} random takes of a clip; the paper {PAPER_SAMPLES}. MEE, CE and Diversity "
            "cannot be compared."
        )
    if settings.temperature != PAPER_TEMPERATURE:
        notes.append(
            f"The takes have the temperature {settings.temperature:g}; those of the paper {PAPER_TEMPERATURE:g}. No "
            "figure of random takes can be compared."
        )
    notes.append(
        f"Subjects in the run: {settings.subjects}; in the paper's test set: {PAPER_SUBJECTS}, too few for narrow "
        "intervals."
    )
    return notes
