"""Whatever command of ours a sentence names, in the documentation or in the program, there is one of that name."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import typer

from actors.cli.commands import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = [path for folder in ("actors", "beagle", "bus") for path in sorted((ROOT / folder).rglob("*.py"))]
COMMAND = re.compile(r"(?:`|^)beagle((?: [a-z-]+)+)", re.MULTILINE)


def is_known(words: list[str]) -> bool:
    """As far as they are words of commands: what comes then is an argument."""
    found: click.Command = typer.main.get_command(app)
    for word in words:
        commands = getattr(found, "commands", None)
        if commands is None:
            return True
        if word not in commands:
            return False
        found = commands[word]
    return True


@pytest.mark.parametrize("file", [*PAGES, *SOURCES], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_exists(file):
    named = {" ".join(words.split()) for words in COMMAND.findall(file.read_text())}
    assert [words for words in sorted(named) if not is_known(words.split())] == []


def test_one_that_does_not_exist_is_found():
    assert is_known(["template", "ls"])
    assert is_known(["run", "anything"])
    assert not is_known(["templates"])
    assert not is_known(["template", "list"])
