"""Experiments of one second each: how much longer than the ideal they take when every place is always to be full."""

from __future__ import annotations

import math
import subprocess
import time
from pathlib import Path

from tests.benchmarks.child import clean_environment, clean_python, run
from tests.benchmarks.result import Count, Figure, Result, Verdict

MOST = 5.0


def measure(folder: Path, *, count: int = 320, places: int = 16, seconds: float = 1.0, repetitions: int = 2) -> Result:
    """Experiments that sleep for `seconds`. `folder` gets a state folder for each repetition."""
    ideal = math.ceil(count / places) * seconds
    command = ("sh", "-c", f"sleep {seconds:g}")
    environment = clean_environment(clean_python(folder))
    theirs, ours = [], []
    for repetition in range(repetitions):
        theirs.append(_xargs(command, count, places, environment))
        ours.append(
            run(
                "tests.benchmarks.embedded",
                environment,
                folder=str(folder / f"overhead-{repetition}"),
                command=command,
                count=count,
                limit=places,
                more={},
                variables={},
            )
        )
    own = [found["scheduler"] + found["shims"] for found in ours]
    return Result(
        name="overhead",
        measured=(
            f"{count} experiments of {seconds:g} s (`{command[-1]}`) at {places} places: what is added to the ideal of "
            f"{ideal:g} s, with `xargs -P{places}` beside it."
        ),
        verdicts=[
            Verdict(
                what="added to the ideal",
                values=[(found["seconds"] / ideal - 1) * 100 for found in ours],
                unit=" %",
                most=MOST,
            )
        ],
        figures=[
            Figure(what="Beagle", unit="s", values=[found["seconds"] for found in ours]),
            Figure(what="xargs", unit="s", values=theirs),
            Figure(what="added by xargs", unit="%", values=[(took / ideal - 1) * 100 for took in theirs]),
            Figure(what="CPU of the scheduler and the shims", unit="s", values=own),
        ],
        counts=[Count(what="completed", found=found["counts"]["completed"], expected=count) for found in ours],
        limits=(
            f"Each of the {math.ceil(count / places)} rounds adds the time from the end of one experiment to the start "
            "of the next in its place; all places end at once, so the last of a round waits for the other launches."
        ),
    )


def _xargs(command: tuple[str, ...], count: int, places: int, environment: dict[str, str]) -> float:
    lines = "\n".join(map(str, range(count))).encode()
    started = time.perf_counter()
    subprocess.run(["xargs", f"-P{places}", "-I{}", *command], input=lines, check=True, env=environment)
    return time.perf_counter() - started
