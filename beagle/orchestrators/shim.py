"""The process between Beagle and an experiment's programs: it claims the attempt, runs it, and writes how it ended.

It outlives the scheduler, and runs one attempt after the other for as long as the scheduler hands it some: forking a
Python process for each would cost 0.8 ms. It imports little, so that forking one is cheap and it stays small.
"""
# pathlib would double the imports, hence:
# ruff: noqa: PTH104, PTH108

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import socket
import time

from beagle.orchestrators.remains import began, boot_id
from beagle.orchestrators.supervision import Supervision

# What a shim says to the scheduler: two bytes after a request (the second one is an errno), one after the end.
CLAIMED, TAKEN, REFUSED, DONE = b"C", b"T", b"R", b"D"
_PR_SET_CHILD_SUBREAPER = 36
_SECONDS_FOR_A_FULL_DISK = 60


def serve(channel: socket.socket) -> None:
    """Run each attempt that is asked for, until the scheduler closes its end. Called once, in a process of its own."""
    os.setsid()
    # What leaves its group or session stays a descendant of this process, and is found.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Blocked, so that a stop never kills the shim; those of interest are taken by sigtimedwait.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    me = {"pid": os.getpid(), "began": began(os.getpid()), "boot": boot_id()}
    requests = channel.makefile("rb")
    while line := requests.readline():
        request = json.loads(line)
        verdict, number = claim(request["folder"], {**me, **request["claim"]})
        told = _tell(channel, verdict + bytes([number]))
        if verdict == CLAIMED:
            record(request["folder"], Supervision(request).run())
            told = _tell(channel, DONE)
        if not told:
            return


def claim(folder: str, content: dict[str, object]) -> tuple[bytes, int]:
    """Make this process the one that runs the attempt. Only one ever is: a link is made by one."""
    # Beside the folder, not in it: nobody who watches the folder is woken.
    written = f"{folder}.claim-{os.getpid()}"
    try:
        _write(written, content)
        try:
            os.link(written, f"{folder}/shim.json")
        except FileExistsError:
            return TAKEN, 0
        finally:
            os.unlink(written)
    except OSError as error:
        return REFUSED, error.errno or errno.EIO
    return CLAIMED, 0


def record(folder: str, ending: dict[str, object]) -> None:
    """Write how it ended. On a full disk it tries again for a minute: nothing else would know the exit status."""
    patience = time.monotonic() + _SECONDS_FOR_A_FULL_DISK
    while True:
        try:
            _write(f"{folder}.exit", ending)
            os.rename(f"{folder}.exit", f"{folder}/exit.json")
        except OSError:
            if time.monotonic() > patience:
                raise
            time.sleep(0.01)
        else:
            return


def _write(path: str, content: dict[str, object]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    text = json.dumps(content).encode()
    try:
        if os.write(descriptor, text) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    finally:
        os.close(descriptor)


def _tell(channel: socket.socket, what: bytes) -> bool:
    """False when the scheduler is gone."""
    try:
        channel.sendall(what)
    except OSError:
        return False
    return True
