"""Runs a Docker daemon in namespaces of its own: `dockerd_ward.py FOLDER NETWORK COMMAND…`, under the supervisor.

Whatever ends the ward, nothing of it is left: its process, mount and network namespaces take containerd, containers,
bridges, packet filter and mounts along, and a cleaner that outlives it removes its folder and control groups. Inside,
the daemon is started again after each death, but for as long as there is a file `down` in the folder.

A cable leads out: FOLDER's daemon is at NETWORK.2, and the machine, as its containers see it, at NETWORK.1.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

CLONE_NEWNET = 0x40000000
# As the first process of its namespace a shell also takes the exit statuses of orphans.
LOOP = 'folder=$1; shift; while :; do while [ -e "$folder/down" ]; do sleep 0.05; done; "$@"; sleep 0.05; done'


def main(folder: Path, network: str, command: list[str]) -> None:
    ward = os.getpid()
    asked, ask = os.pipe()
    laid, lay = os.pipe()
    if os.fork() == 0:
        os.setsid()
        os.close(ask)
        os.close(laid)
        watched = os.pidfd_open(ward)
        if os.read(asked, 1):
            lay_cable(folder.name, network, ward)
            os.write(lay, b"x")
        os.close(lay)
        select.select([watched], [], [])
        clean(folder)
        return
    os.close(asked)
    os.close(lay)
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        sys.exit(f"no network namespace: {os.strerror(ctypes.get_errno())}")
    os.write(ask, b"x")
    if not os.read(laid, 1):
        sys.exit("no cable out of the network namespace")
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{network}.2/30", "dev", "out")
    run("ip", "link", "set", "out", "up")
    namespaces = ("unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc")
    os.execvp(namespaces[0], [*namespaces, "sh", "-c", LOOP, "sh", str(folder), *command])


def lay_cable(name: str, network: str, ward: int) -> None:
    """The other end goes with the network namespace, and takes this one along."""
    run("ip", "link", "add", name[-15:], "type", "veth", "peer", "name", "out", "netns", str(ward))
    run("ip", "address", "add", f"{network}.1/30", "dev", name[-15:])
    run("ip", "link", "set", name[-15:], "up")


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def clean(folder: Path) -> None:
    """The last processes are still going when the ward is gone: a control group that holds one cannot be removed."""
    groups = [group for place in ("", "*/") for group in Path("/sys/fs/cgroup").glob(f"{place}{folder.name}")]
    for _ in range(100):
        for group in groups:
            for below, _, _ in os.walk(group, topdown=False):
                with suppress(OSError):
                    Path(below).rmdir()
        if not any(group.exists() for group in groups):
            break
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
