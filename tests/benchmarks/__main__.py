"""`python -m tests.benchmarks`: runs all, and writes docs/benchmarks.md. With names it runs only those, and prints;
with --brief each is tiny, and only what was done is checked."""

from __future__ import annotations

import argparse
import functools
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import (
    containers,
    distributed,
    http,
    metrics,
    monitors,
    overhead,
    reaction,
    scale,
    stops,
    takeover,
    throughput,
)
from tests.benchmarks.child import ROOT
from tests.benchmarks.page import busy_percent, page, section
from tests.benchmarks.result import Result

Benchmark = Callable[[Path], Result]

ALL = (
    *(throughput, overhead, reaction, scale, monitors, metrics, stops, takeover, distributed),
    *(containers, http),
)
FULL: dict[str, Benchmark] = {module.__name__.rpartition(".")[2]: module.measure for module in ALL}
BRIEF: dict[str, Benchmark] = {
    "throughput": functools.partial(throughput.measure, count=8, repetitions=1),
    "overhead": functools.partial(overhead.measure, count=8, places=4, seconds=0.1, repetitions=1),
    "reaction": functools.partial(reaction.measure, count=3, repetitions=1),
    "scale": functools.partial(scale.measure, small=20, large=300, rounds=8),
    "monitors": functools.partial(monitors.measure, sizes=(5, 20), metrics=60, repetitions=1),
    "metrics": functools.partial(metrics.measure, metrics=200, repetitions=1),
    "stops": functools.partial(stops.measure, count=4, repetitions=1),
    "takeover": functools.partial(takeover.measure, count=1),
    "distributed": functools.partial(distributed.measure, count=6, repetitions=1),
    "containers": functools.partial(containers.measure, count=4, stops=2, repetitions=1),
    "http": functools.partial(http.measure, stored=300, count=16, repetitions=1),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *FULL], help="which; all by default")
    parser.add_argument("--brief", action="store_true", help="tiny sizes: check what was done, time nothing")
    asked = parser.parse_args()
    busy = busy_percent()
    # On a disk, where state folders are: what a flush costs is part of it.
    scratch = ROOT / "build"
    scratch.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=scratch))
    try:
        results = [_one(name, BRIEF if asked.brief else FULL, folder) for name in asked.names or FULL]
    finally:
        # Only now: removing thousands of files slows the making of new ones for a while.
        shutil.rmtree(folder)
    return _tell(results, busy, brief=asked.brief, whole=not asked.names)


def _one(name: str, sizes: dict[str, Benchmark], folder: Path) -> Result:
    started = time.monotonic()
    result = sizes[name](folder / name)
    print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return result


def _tell(results: list[Result], busy: float, *, brief: bool, whole: bool) -> int:
    wrong = [f"{result.name}: {sentence}" for result in results for sentence in result.wrong]
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    if wrong:
        return 1
    if brief:
        print("\n".join(f"{result.name}: {count.what}: {count.found}" for result in results for count in result.counts))
    elif whole:
        (ROOT / "docs" / "benchmarks.md").write_text(page(results, busy), encoding="utf-8")
        print("docs/benchmarks.md is written")
    else:
        print("\n".join(section(result) for result in results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
