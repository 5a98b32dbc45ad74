"""The output of a run that is no terminal: one line for each ending, without escape codes."""

from __future__ import annotations

from typing import Protocol

from actors.cli.following import Look
from actors.cli.output import GAP, say
from actors.cli.words import View, clean, number, pairs


class Watching(Protocol):
    """How a run is shown."""

    def show(self, look: Look) -> None: ...

    def close(self) -> None: ...


class Lines:
    """Prints what is new in each look."""

    def show(self, look: Look) -> None:
        if look.news:
            say("\n".join(ending(place, view, look.project) for place, view in look.news))

    def close(self) -> None:
        """Nothing to tidy."""


def ending(place: int, view: View, project: View) -> str:
    """`3 of 18  digitsmodel3  completed  accuracy=0.98  LR=0.1  it exited with status 0`."""
    planned = project["planned"]
    objective = clean(project["objective"])
    words = (
        f"{place} of {planned}" if planned is not None else str(place),
        clean(view["name"]),
        view["state"],
        f"{objective}={number(view['objective'])}",
        pairs(view["parameters"]),
        clean(view["reason"]),
    )
    return GAP.join(word for word in words if word)
