"""Runs a measurement in a process of its own, so that nothing of the others is in its memory, threads and CPU time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LONGEST = 600.0
Found = dict[str, Any]


def clean_python(folder: Path) -> Path:
    """A folder with a `python3` that reads no .pth file, each of which would cost every start of it."""
    made = folder / "python"
    if not made.exists():
        venv.create(made, symlinks=True)
    return made / "bin"


def clean_environment(programs: Path) -> dict[str, str]:
    """The same for both sides: nothing of the caller's that changes how fast a program starts."""
    return {"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}


def run(module: str, environment: Mapping[str, str] | None = None, **arguments: object) -> Found:
    """What `module` answers when it is run with these arguments."""
    with started(module, environment, **arguments) as answer:
        return answer()


@contextmanager
def started(
    module: str, environment: Mapping[str, str] | None = None, **arguments: object
) -> Iterator[Callable[[], Found]]:
    """While `module` runs; what is given waits for its answer. It is dead at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, json.dumps(arguments)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=None if environment is None else dict(environment),
    )

    def answer() -> Found:
        out, _ = process.communicate(timeout=LONGEST)
        if process.returncode:
            raise RuntimeError(f"{module} ended with status {process.returncode}")
        found: Found = json.loads(out)
        return found

    with process:
        try:
            yield answer
        finally:
            process.kill()


def serve(work: Callable[..., Found]) -> None:
    """The other side: `work` gets the arguments, and its answer is printed."""
    print(json.dumps(work(**json.loads(sys.argv[1]))))
