"""Experiments that print one metric and exit, through the whole system, against `xargs` starting the same commands."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.child import Found, clean_environment, clean_python, run
from tests.benchmarks.result import Count, Figure, Result, Verdict

AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A command, and what share of the pace of `xargs` it should reach, and must."""

    name: str
    command: tuple[str, ...]
    aim: float
    least: float


PROGRAMS = (
    Program(name="python3", command=("python3", "-c", "print('accuracy=0.5')"), aim=0.85, least=0.7),
    Program(name="sh", command=("sh", "-c", "echo accuracy=0.5"), aim=0.25, least=0.1),
)


@dataclass(slots=True)
class _Runs:
    """Of one program: what the two sides took."""

    ours: list[Found] = field(default_factory=list)
    theirs: list[Found] = field(default_factory=list)


def measure(folder: Path, *, count: int = 1000, repetitions: int = 3) -> Result:
    """`folder` gets a state folder for each repetition; none is removed, for that would slow the next."""
    environment = clean_environment(clean_python(folder))
    runs = {program.name: _Runs() for program in PROGRAMS}
    for repetition in range(repetitions):
        for program in PROGRAMS:
            place = folder / f"{program.name}-{repetition}"
            runs[program.name].theirs.append(_xargs(place, program, count, environment))
            runs[program.name].ours.append(_beagle(place, program, count, environment))
    return Result(
        name="throughput",
        measured=(
            f"{count:,} experiments that print one metric and exit, {AT_ONCE} at a time, from the start of the system "
            "until the project is completed and no place is held, every state change stored; as a ratio to "
            f"`xargs -P{AT_ONCE}` starting the same commands."
        ),
        verdicts=[_verdict(program, runs[program.name]) for program in PROGRAMS],
        figures=[figure for program in PROGRAMS for figure in _figures(program, runs[program.name], count)],
        counts=[found for program in PROGRAMS for found in _counts(program, runs[program.name], count)],
        limits=" ".join(_limit(program, runs[program.name], count) for program in PROGRAMS),
    )


def _xargs(folder: Path, program: Program, count: int, environment: dict[str, str]) -> Found:
    folder.mkdir(parents=True)
    lines = "\n".join(map(str, range(count))).encode()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    with (folder / "out").open("wb") as out:
        # With -I and nothing to put in, each line starts the command as it is.
        subprocess.run(
            ["xargs", f"-P{AT_ONCE}", "-I{}", *program.command], input=lines, stdout=out, check=True, env=environment
        )
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    ended = (folder / "out").read_bytes().count(b"accuracy=0.5\n")
    return {"seconds": seconds, "used": used, "ended": ended}


def _beagle(folder: Path, program: Program, count: int, environment: dict[str, str]) -> Found:
    return run(
        "tests.benchmarks.embedded",
        environment,
        folder=str(folder / "beagle"),
        command=program.command,
        count=count,
        limit=AT_ONCE,
        more={},
        variables={},
    )


def _verdict(program: Program, runs: _Runs) -> Verdict:
    pairs = zip(runs.ours, runs.theirs, strict=True)
    return Verdict(
        what=f"experiments/s with `{program.name}`, to xargs",
        values=[theirs["seconds"] / ours["seconds"] for ours, theirs in pairs],
        aim=program.aim,
        least=program.least,
    )


def _figures(program: Program, runs: _Runs, count: int) -> list[Figure]:
    each = 1000 / count
    name = f"`{program.name}`"
    parts = ("scheduler", "shims", "experiments")
    return [
        Figure(what=f"{name}: Beagle", unit="/s", values=[count / ours["seconds"] for ours in runs.ours]),
        Figure(what=f"{name}: xargs", unit="/s", values=[count / theirs["seconds"] for theirs in runs.theirs]),
        *(
            Figure(
                what=f"{name}: CPU of the {part}, each experiment",
                unit="ms",
                values=[ours[part] * each for ours in runs.ours],
            )
            for part in parts
        ),
        Figure(
            what=f"{name}: CPU of xargs and its commands, each",
            unit="ms",
            values=[theirs["used"] * each for theirs in runs.theirs],
        ),
    ]


def _counts(program: Program, runs: _Runs, count: int) -> list[Count]:
    completed = [
        Count(what=f"{program.name} completed", found=ours["counts"]["completed"], expected=count) for ours in runs.ours
    ]
    started = [
        Count(what=f"{program.name} started by xargs", found=theirs["ended"], expected=count) for theirs in runs.theirs
    ]
    return [*completed, *started]


def _limit(program: Program, runs: _Runs, count: int) -> str:
    wall, scheduler, shims, experiments, theirs = (
        figure.median
        for figure in (
            Figure(what="", unit="", values=[ours["seconds"] * 1000 / count for ours in runs.ours]),
            *_figures(program, runs, count)[2:],
        )
    )
    cores = os.cpu_count() or 1
    return (
        f"With `{program.name}` an experiment takes {wall:.2f} ms of {cores} cores: {scheduler:.2f} ms of CPU are the "
        f"scheduler's, {shims:.2f} the shims', {experiments:.2f} its own (under xargs {theirs:.2f}), and "
        f"{max(0.0, cores * wall - scheduler - shims - experiments):.2f} are idle or the kernel's."
    )
