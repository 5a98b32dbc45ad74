"""Runs one server for as long as the process that it is for lives: `supervisor.py PID PIDFILE COMMAND…`.

A test run may be killed, and its servers must go with it: this process watches, and ends the server's whole group.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path


def main(watched: int, told: Path, command: list[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    server = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)
    try:
        told.write_text(str(server.pid))
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            select.select([os.pidfd_open(watched), os.pidfd_open(server.pid)], [], [])
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
