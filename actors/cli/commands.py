"""The command `beagle`: its groups of commands, in the order of its help. What each command does is in a module that is
imported when it is used.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from actors.cli import commands_change, commands_dead, commands_look, commands_manage, commands_run, commands_serve

app = typer.Typer(
    name="beagle",
    help="Run machine-learning experiments: exact limits, nothing lost, and a why for every state.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"beagle {version('beagleml')}")
        raise typer.Exit


@app.callback()
def _beagle(
    *,
    _asked: Annotated[
        bool, typer.Option("--version", callback=lambda asked: _version(asked=asked), is_eager=True, help="Say which.")
    ] = False,
) -> None:
    pass


for group in (commands_run, commands_look, commands_change, commands_manage, commands_serve, commands_dead):
    app.add_typer(group.app)
