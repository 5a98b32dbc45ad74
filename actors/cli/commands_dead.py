"""The commands about messages that could not be handled, as a user types them."""
# ruff: noqa: PLC0415 - as in `commands`

from __future__ import annotations

from typing import Annotated

import typer

from actors.cli.options import Form, speaks
from actors.cli.output import Format
from beagle.settings import Settings

app = typer.Typer()
dead = typer.Typer(
    name="dead", help="Messages that could not be handled: list, show, replay and drop them.", no_args_is_help=True
)
app.add_typer(dead)

Letter = Annotated[str, typer.Argument(metavar="ID", help="As `beagle dead ls` lists it.")]
Letters = Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="As `beagle dead ls` lists them.")]
All = Annotated[bool, typer.Option("--all", help="All that there are; asks for --yes.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="With --all: really.")]


@dead.command(name="ls")
@speaks
def listed(
    settings: Settings,
    most: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="How many, the oldest first.")] = 100,
    format: Form = Format.TABLE,
) -> None:
    """List them with the reason, the oldest first."""
    from actors.cli.dead import listed as shown

    shown(settings, format, most)


@dead.command()
@speaks
def show(settings: Settings, letter: Letter, format: Form = Format.TABLE) -> None:
    """Show one of them with its body."""
    from actors.cli.dead import shown

    shown(settings, format, letter)


@dead.command()
@speaks
def replay(settings: Settings, letters: Letters = None, *, every: All = False, yes: Yes = False) -> None:
    """Send them again to where they were on their way to.

    Worth it once what stood in their way is put right.
    """
    from actors.cli.dead import replay as replayed

    replayed(settings, letters or [], every=every, confirmed=yes)


@dead.command()
@speaks
def drop(settings: Settings, letters: Letters = None, *, every: All = False, yes: Yes = False) -> None:
    """Remove them for good."""
    from actors.cli.dead import drop as dropped

    dropped(settings, letters or [], every=every, confirmed=yes)
