"""A file in which experiments themselves write when they start and end; and what can be read off it.

Programs under test import it, so it imports little. Times are monotonic seconds, the same in all processes.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path


def write(word: str) -> None:
    """One line of one write to the file that LEDGER names: it lands whole."""
    told = f"{word} {os.environ['BEAGLE_EXPERIMENT']} {os.environ['BEAGLE_ATTEMPT']} {time.monotonic()}\n"
    file = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, told.encode())
    os.close(file)


@dataclass(frozen=True, slots=True)
class Entry:
    word: str
    experiment: str
    attempt: int
    at: float


def read(path: Path) -> list[Entry]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [Entry(word, experiment, int(n), float(at)) for word, experiment, n, at in map(str.split, lines)]


def starts(entries: list[Entry]) -> list[tuple[str, int]]:
    """Experiment and attempt of each start, in the order of the starts."""
    return [(entry.experiment, entry.attempt) for entry in entries if entry.word == "start"]


def most_at_once(entries: list[Entry]) -> int:
    """How many ran at the same instant at most. One that wrote no end counts as over at its start."""
    ended = {(entry.experiment, entry.attempt) for entry in entries if entry.word == "end"}
    counted = [entry for entry in entries if (entry.experiment, entry.attempt) in ended]
    running = most = 0
    for entry in sorted(counted, key=lambda e: (e.at, e.word == "start")):
        running += 1 if entry.word == "start" else -1
        most = max(most, running)
    return most
