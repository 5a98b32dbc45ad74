"""`beagle doctor`: what a deployment needs, tried out; one line for each thing."""

from __future__ import annotations

from actors.cli.output import say
from actors.cli.words import clean
from actors.doctor import WRONG, examine
from beagle.settings import Chosen


def doctor(chosen: Chosen) -> int:
    """The exit status: 0 when nothing is wrong, else 1."""
    wrong = 0
    for finding in examine(chosen):
        say(f"{finding.verdict:<6} {finding.what}: {clean(finding.sentence)}")
        wrong += finding.verdict == WRONG
    return 1 if wrong else 0
