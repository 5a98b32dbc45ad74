"""Reads the settings file: YAML (or JSON), one `name: value` line for each setting."""

from __future__ import annotations

from pathlib import Path

from beagle.documents import read, read_text
from beagle.errors import InvalidInput
from beagle.sentences import meant, shown
from beagle.setting_checks import Value
from beagle.settings import TABLE, wrong


def read_settings(file: str) -> dict[str, tuple[Value, str]]:
    """For each setting in it its value, and where that stands. Raises `InvalidInput` with every mistake."""
    document = read(read_text(Path(file)), file)
    if not isinstance(document.data, dict):
        raise InvalidInput([document.sentence((), f"is {shown(document.data)}; write settings as `name: value` lines")])
    found: dict[str, tuple[Value, str]] = {}
    problems: list[str] = []
    for name, given in document.data.items():
        if name not in TABLE:
            problems.append(document.sentence((name,), f"is no setting; {meant(name, TABLE)}"))
            continue
        value = TABLE[name].check(given)
        if value is None:
            problems.append(document.sentence((name,), wrong(TABLE[name], given)))
        else:
            found[name] = value, f"{file}:{document.line((name,))}"
    if problems:
        raise InvalidInput(problems)
    return found
