"""`beagle actor` and `beagle up`: processes that serve until they are told to end."""

from __future__ import annotations

from actors.cli.interrupts import Interrupts
from actors.processes import run_actor, run_all
from beagle.settings import Chosen

FAREWELL = "left at once: what was begun is taken up by others, or at the next start\n"


def actor(chosen: Chosen, kind: str) -> None:
    run_actor(chosen, kind, Interrupts(FAREWELL).wait)


def up(chosen: Chosen) -> None:
    run_all(chosen, Interrupts(FAREWELL).wait)
