"""Containers through the whole system against bare calls to the Docker API, and how fast a metric ends one."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.child import Found, run, started
from tests.benchmarks.observer import PROGRAM, Observer
from tests.benchmarks.result import Count, Figure, Result, Verdict, percentile
from tests.servers.dockerd import Dockerd

AT_ONCE = 4
NETWORKS = ("bridge", "none")
SIDES = ("Beagle", "bare calls")
LEAST = 0.8
LIMIT = {"experiment_accuracy_limit": 0.98}


def measure(folder: Path, *, count: int = 60, stops: int = 60, repetitions: int = 3) -> Result:
    """`count` containers on each side and network in each turn; `stops` on each side in all."""
    daemon = Dockerd.start_new(folder / "daemon")
    try:
        paces = {network: _paces(daemon, folder, network, count, repetitions) for network in NETWORKS}
        times = {side: _stops(daemon, folder, side, stops // repetitions, repetitions) for side in SIDES}
    finally:
        daemon.kill()
    return Result(
        name="containers",
        measured=(
            f"{count} containers that print a metric and exit, {AT_ONCE} at a time, on a bridge and without a network, "
            "from the start of the system until the project is completed and no place is held, as a ratio to creating, "
            "starting and awaiting the same by bare calls to the API of the same daemon. And from a metric over the "
            f"limit written to standard output to the container's process dead, {stops // repetitions * repetitions} "
            "times each, one at a time: through Beagle, and by a bare loop that follows the log and kills."
        ),
        verdicts=[
            *(_verdict(network, ours, theirs) for network, (ours, theirs) in paces.items()),
            *(_reaction(percent, times) for percent in (50, 99)),
        ],
        figures=[
            *(figure for network, sides in paces.items() for figure in _figures(network, sides, count)),
            *(
                Figure(
                    what=f"metric to death, {side}: p{percent}",
                    unit="ms",
                    values=[percentile(t, percent) for t in turns],
                )
                for side, (turns, _) in times.items()
                for percent in (50, 99)
            ),
        ],
        counts=[
            *(count_ for network, sides in paces.items() for count_ in _counts(network, sides, count)),
            *(
                Count(what=f"stopped by {side}", found=sum(good), expected=stops // repetitions * repetitions)
                for side, (_, good) in times.items()
            ),
        ],
        limits=(
            "A bridge costs the daemon more than all else about a container. Beagle looks at each once more than the "
            "bare calls do (the tombstone, and the end), follows its log, and stores five changes of its record."
        ),
    )


def _paces(
    daemon: Dockerd, folder: Path, network: str, count: int, repetitions: int
) -> tuple[list[Found], list[Found]]:
    """What both sides found, in turns."""
    ours, theirs = [], []
    for turn in range(repetitions):
        theirs.append(_bare(daemon, network, count))
        ours.append(_beagle(daemon, folder / f"{network}-{turn}", network, count))
    return ours, theirs


def _bare(daemon: Dockerd, network: str, count: int) -> Found:
    return run(
        "tests.benchmarks.bare_containers",
        path=daemon.socket,
        image=daemon.busybox(),
        command=["echo", "accuracy=0.5"],
        network=network,
        count=count,
        limit=AT_ONCE,
    )


def _settings(daemon: Dockerd, network: str) -> dict[str, str]:
    # `bridge` is Docker's own, and `auto` finds no other.
    chosen = "auto" if network == "bridge" else network
    return {"orchestrator": "docker", "orchestrator_url": daemon.url, "network": chosen, "trusted": "yes"}


def _beagle(daemon: Dockerd, folder: Path, network: str, count: int) -> Found:
    return run(
        "tests.benchmarks.embedded",
        folder=str(folder),
        command=["echo", "accuracy=0.5"],
        count=count,
        limit=AT_ONCE,
        more={},
        variables={},
        settings=_settings(daemon, network),
        service={"image": daemon.busybox()},
    )


def _stops(
    daemon: Dockerd, folder: Path, side: str, count: int, repetitions: int
) -> tuple[list[list[float]], list[int]]:
    """Milliseconds of each turn, and how many were stopped in it."""
    turns, good = [], []
    for turn in range(repetitions):
        with tempfile.TemporaryDirectory() as short:
            observer = Observer(Path(short) / "observer")
            module, arguments = _stopping(daemon, folder / f"stops-{turn}", side, count, f"{short}:/observer")
            try:
                with started(f"tests.benchmarks.{module}", **arguments) as answer:
                    turns.append(observer.observe(count))
                    found = answer()
            finally:
                observer.close()
            good.append(found["counts"]["accuracy_limit_reached"] if side == SIDES[0] else found["good"])
    return turns, good


def _stopping(daemon: Dockerd, folder: Path, side: str, count: int, bind: str) -> tuple[str, Found]:
    """The module that stops `count` containers one after the other, and what it is told."""
    program = ["python3", "-I", "-S", "-c", PROGRAM]
    told: Found = {"count": count, "limit": 1}
    if side == SIDES[0]:
        return "embedded", told | {
            "folder": str(folder),
            "command": program,
            "more": LIMIT,
            "variables": {"OBSERVER": "/observer/observer"},
            "settings": _settings(daemon, "none"),
            "service": {"image": daemon.python(), "volumes": [bind]},
        }
    return "bare_containers", told | {
        "path": daemon.socket,
        "image": daemon.python(),
        "command": ["env", "OBSERVER=/observer/observer", *program],
        "network": "none",
        "binds": [bind],
    }


def _verdict(network: str, ours: list[Found], theirs: list[Found]) -> Verdict:
    return Verdict(
        what=f"containers/s, {network}, to bare calls",
        values=[bare["seconds"] / mine["seconds"] for mine, bare in zip(ours, theirs, strict=True)],
        aim=LEAST,
    )


def _reaction(percent: int, times: dict[str, tuple[list[list[float]], list[int]]]) -> Verdict:
    mine, bare = ([milliseconds for turn in times[side][0] for milliseconds in turn] for side in SIDES)
    ratio = percentile(mine, percent) / percentile(bare, percent)
    return Verdict(what=f"metric to death, p{percent}, to a bare loop", values=[ratio])


def _figures(network: str, sides: tuple[list[Found], list[Found]], count: int) -> list[Figure]:
    return [
        Figure(what=f"{network}: {side}", unit="/s", values=[count / each["seconds"] for each in found])
        for side, found in zip(SIDES, sides, strict=True)
    ]


def _counts(network: str, sides: tuple[list[Found], list[Found]], count: int) -> list[Count]:
    ours, theirs = sides
    completed = [Count(what=f"{network}: completed", found=o["counts"]["completed"], expected=count) for o in ours]
    awaited = [Count(what=f"{network}: awaited", found=each["good"], expected=count) for each in theirs]
    return [*completed, *awaited]
