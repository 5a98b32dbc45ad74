"""Errors that nobody expected: the details go to a file, and the user gets one sentence."""

from __future__ import annotations

import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

LOG = "beagle.log"


class Crashed(Exception):
    """What happened is its cause; `folder` is the state folder that it happened to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder


def write_down(error: Exception) -> str:
    """One sentence that says where the details are: in the state folder, else where temporary files go."""
    cause = error.__cause__ if isinstance(error, Crashed) and error.__cause__ else error
    folders = [error.folder] if isinstance(error, Crashed) and (error.folder / "version").exists() else []
    details = f"{datetime.now(UTC).isoformat()} unexpected error\n{''.join(traceback.format_exception(cause))}"
    for folder in [*folders, Path(tempfile.gettempdir())]:
        if _appended(folder / LOG, details):
            return f"something unexpected went wrong ({type(cause).__name__}); the details are in {folder / LOG}"
    return f"something unexpected went wrong: {type(cause).__name__}: {cause}"


def _appended(path: Path, text: str) -> bool:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        return False
    return True
