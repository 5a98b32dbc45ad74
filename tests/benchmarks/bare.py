"""What the kernel allows: follow a file by inotify, and kill its writer at the first line that crosses the limit."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from inotify_simple import INotify, flags

from tests.benchmarks.child import Found, serve


def run(folder: str, command: list[str], count: int, variables: dict[str, str]) -> Found:
    """Runs `command` `count` times, one after the other; how many of them were killed."""
    killed = 0
    for number in range(count):
        place = Path(folder, str(number))
        place.mkdir(parents=True)
        with INotify() as inotify, (place / "out").open("wb") as out, (place / "out").open("rb") as written:
            inotify.add_watch(str(place), flags.MODIFY)
            process = subprocess.Popen(command, stdout=out, env={**os.environ, **variables})
            while b"accuracy=0.99\n" not in written.read():
                inotify.read()
            process.send_signal(signal.SIGTERM)
            killed += process.wait() == -signal.SIGTERM
    return {"killed": killed}


if __name__ == "__main__":
    serve(run)
