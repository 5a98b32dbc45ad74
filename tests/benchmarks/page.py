"""Writes results as a page of Markdown: the machine, then for each benchmark the ratio first."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.result import Figure, Result, Verdict, shown

HEAD = """\
# Benchmarks

Written by `make bench`. Both sides of a ratio were measured in the same run, in turns; figures are medians with the
smallest and the largest of the repetitions. Ratios travel from machine to machine, seconds do not.
"""


def page(results: Sequence[Result], busy: float) -> str:
    """`busy` is what `busy_percent` said before the first benchmark."""
    return "\n".join([HEAD, machine(busy), *(section(result) for result in results)])


def machine(busy: float) -> str:
    lines = [
        ("machine", f"{os.cpu_count()} x {_processor()}, {_memory_gib():.0f} GiB"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("date", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
        ("busy with other things before", f"{busy:.0f} %"),
    ]
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in lines), ""])


def section(result: Result) -> str:
    lines = [f"## {result.name}", "", result.measured, ""]
    lines += ["| ratio | median | min to max | |", "| --- | --- | --- | --- |"]
    lines += [_verdict(verdict) for verdict in result.verdicts]
    lines += ["", "| figure | median | min to max | repetitions |", "| --- | --- | --- | --- |"]
    lines += [_figure(figure) for figure in result.figures]
    if result.limits:
        lines += ["", result.limits]
    return "\n".join([*lines, ""])


def _verdict(verdict: Verdict) -> str:
    median = f"**{shown(verdict.median)}{verdict.unit}**"
    return f"| {verdict.what} | {median} | {_range(verdict.values)} | {verdict.sentence} |"


def _figure(figure: Figure) -> str:
    median = f"{shown(figure.median)} {figure.unit}".strip()
    return f"| {figure.what} | {median} | {_range(figure.values)} | {len(figure.values)} |"


def _range(values: Sequence[float]) -> str:
    return f"{shown(min(values))} to {shown(max(values))}" if len(values) > 1 else ""


def busy_percent(seconds: float = 3.0) -> float:
    """How much of all processors is in use, without us; a load average would remember the last quarter of an hour."""
    before = _ticks()
    time.sleep(seconds)
    used, total = (after - earlier for after, earlier in zip(_ticks(), before, strict=True))
    return 100 * used / max(1, total)


def _ticks() -> tuple[int, int]:
    first = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0]
    spent = [int(field) for field in first.split()[1:9]]
    idle = spent[3] + spent[4]
    return sum(spent) - idle, sum(spent)


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
