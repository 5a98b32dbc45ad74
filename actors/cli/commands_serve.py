"""The commands of those who operate it: what holds, and the processes of a deployment."""
# ruff: noqa: PLC0415 - as in `commands`

from __future__ import annotations

import typer

from actors.cli.options import Form, settable
from actors.cli.output import Format
from beagle.settings import Chosen

app = typer.Typer()


@app.command()
@settable
def settings(chosen: Chosen, format: Form = Format.TABLE) -> None:
    """List the settings: what holds, and where it comes from."""
    from actors.cli.settings import settings as shown

    shown(chosen, format)
