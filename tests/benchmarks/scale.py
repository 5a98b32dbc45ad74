"""What the store takes with a million experiments waiting, as a ratio to the same with a thousand."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.result import Count, Figure, Result, Verdict
from tests.benchmarks.store import Measured, compare, ratios

MOST = 2.0
SAID = {
    "claim": "a claim",
    "claim_beside": "a claim of a small project, the large one being paused",
    "page": "a page of 100 by cursor, in the middle",
    "counts": "the counts of all",
    "counts_of_one": "the counts of one project",
}


def measure(folder: Path, *, small: int = 1_000, large: int = 1_000_000, rounds: int = 200) -> Result:
    """Fills two stores in `folder`, and lets them take turns."""
    place = folder / "scale"
    place.mkdir(parents=True)
    few, many = compare(place, small=small, large=large, rounds=rounds)
    return Result(
        name="scale",
        measured=(
            f"With {large:,} queued experiments, as a ratio to the same with {small:,}: medians of {rounds} rounds in "
            "which the two stores take turns."
        ),
        verdicts=[
            Verdict(what=f"{SAID[name]}, to that with {small:,}", values=[ratio], most=MOST)
            for name, ratio in ratios(few, many).items()
        ],
        figures=[
            Figure(what=f"{SAID[name]}, with {found.waiting:,}", unit="µs", values=[getattr(found, name) * 1e6])
            for name in SAID
            for found in (few, many)
        ],
        counts=[_claimed(found, rounds) for found in (few, many)],
        limits="Each goes by an index or a count that is kept, so the size enters by the depth of the trees alone.",
    )


def _claimed(found: Measured, rounds: int) -> Count:
    return Count(what=f"claimed of {found.waiting:,}", found=found.claimed, expected=2 * rounds)
