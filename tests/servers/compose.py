"""The two kinds of Docker Compose that the tests run: 1.29 and a version 2, which `scripts/services.sh` brings."""

from __future__ import annotations

from pathlib import Path

from tests.servers.keeper import Missing

PATHS = {"v1": Path("/usr/bin/docker-compose"), "v2": Path(__file__).parents[2] / "build/compose/docker-compose"}


def path(kind: str) -> str:
    if not PATHS[kind].exists():
        raise Missing(f"there is no {PATHS[kind]}, and this test needs it: run scripts/services.sh")
    return str(PATHS[kind])
