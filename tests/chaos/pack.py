"""Actor processes, each as `beagle actor KIND` runs it, under a supervisor that starts anew whatever dies.

`python -m tests.chaos.pack FOLDER COUNT`: so many of each kind until the end of the input, then none. All is imported
here once and forked, so that one is up after a tenth of a second instead of two. Which process is which is in
`FOLDER/pids.json`; what ended by itself, as no actor should, is a line of `FOLDER/ended`. The guard that TAMPER names
is switched off in all of them (`tampering.py`).
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path

import pymongo  # noqa: F401 - to be forked

import beagle.stores.mongodb  # noqa: F401
import bus.rabbitmq  # noqa: F401
from actors.cli import app, serving  # noqa: F401
from tests.chaos import tampering
from tests.servers import docked  # noqa: F401

KINDS = ("monitor", "launcher", "gateway", "heuristic", "queue-manager")
AGAIN_AFTER = 0.2


def _begin(folder: Path, name: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    log = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
        os.dup2(source, descriptor)
    try:
        tampering.apply(os.environ.get("TAMPER", ""))
        sys.argv = ["beagle", "actor", name.partition(".")[0]]
        app.main()
    except BaseException:
        traceback.print_exc()
        os._exit(70)
    os._exit(0)


def _tell(folder: Path, pids: dict[str, int]) -> None:
    draft = folder / "pids.new"
    draft.write_text(json.dumps(pids))
    draft.rename(folder / "pids.json")


def _reap(folder: Path, pids: dict[str, int]) -> list[str]:
    """The names of those that died since."""
    dead = []
    for name, pid in pids.items():
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            dead.append(name)
            if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
                with (folder / "ended").open("a") as ended:
                    ended.write(f"{name} ended with {os.waitstatus_to_exitcode(status)}\n")
    return dead


def main(folder: Path, count: int) -> None:
    os.environ.setdefault("DOCK_STARTS", "4")
    pids = {name: _begin(folder, name) for kind in KINDS for name in (f"{kind}.{n}" for n in range(count))}
    due: dict[str, float] = {}
    while True:
        _tell(folder, pids)
        changed = False
        while not changed:
            if select.select([sys.stdin], [], [], 0.02)[0]:
                for pid in pids.values():
                    os.kill(pid, signal.SIGKILL)
                return
            for name in _reap(folder, pids):
                del pids[name]
                due[name] = time.monotonic() + AGAIN_AFTER
                changed = True
            for name in [name for name, at in due.items() if at <= time.monotonic()]:
                del due[name]
                pids[name] = _begin(folder, name)
                changed = True


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
