"""Finds processes in /proc: who descends from whom, who bears a workload's mark, and when one began.

The shim imports this, so it imports nothing but `os`.
"""

from __future__ import annotations

import os

_NOT_THERE = (FileNotFoundError, ProcessLookupError, PermissionError)


def boot_id() -> str:
    """Another value after each boot of the machine: process ids of an earlier boot mean nothing."""
    return read("/proc/sys/kernel/random/boot_id").decode().strip()


def began(pid: int) -> int:
    """When `pid` began, in clock ticks since the boot; 0 when there is none. With the pid it identifies a process."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def descendants(ancestor: int) -> dict[int, int]:
    """All that `ancestor` and its descendants started and that still exists, zombies included: ids and their groups."""
    children: dict[int, dict[int, int]] = {}
    for pid in _pids():
        fields = _stat(pid)
        if fields:
            children.setdefault(int(fields[1]), {})[pid] = int(fields[2])
    found: dict[int, int] = {}
    parents = [ancestor]
    while parents:
        below = children.get(parents.pop(), {})
        found |= below
        parents += below
    return found


def bearers(name: str, url: str) -> list[int]:
    """Living processes with BEAGLE_WORKLOAD=`name`, unless their BEAGLE_REPORT_URL names another folder than `url`."""
    mark, place = f"BEAGLE_WORKLOAD={name}".encode(), f"BEAGLE_REPORT_URL={url}".encode()
    found = []
    for pid in _pids():
        variables = read(f"/proc/{pid}/environ").split(b"\0")
        if mark in variables:
            elsewhere = any(v.startswith(b"BEAGLE_REPORT_URL=") and v != place for v in variables)
            if not elsewhere:
                found.append(pid)
    return found


def _pids() -> list[int]:
    own = os.getpid()
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and int(entry) != own]  # noqa: PTH208 - see above


def _stat(pid: int) -> list[bytes]:
    """From the third field (state) on; the second is the command's name and may hold anything."""
    return read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def read(path: str) -> bytes:
    """The whole file, for /proc hands out a page at a time; nothing of what is gone or another user's.

    Any other error is raised: it must not be taken for "gone".
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except _NOT_THERE:
        return b""
    try:
        content = b""
        while piece := os.read(descriptor, 65536):
            content += piece
    except _NOT_THERE:
        return b""
    else:
        return content
    finally:
        os.close(descriptor)
