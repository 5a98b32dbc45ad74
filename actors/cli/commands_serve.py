"""The commands of those who operate it: what holds, and the processes of a deployment."""
# ruff: noqa: PLC0415 - as in `commands`

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from actors.cli.options import Form, settable
from actors.cli.output import Format
from beagle.settings import Chosen

app = typer.Typer()


class Kind(StrEnum):
    """The five actors, as a user types them."""

    GATEWAY = "gateway"
    HEURISTIC = "heuristic"
    QUEUE_MANAGER = "queue-manager"
    LAUNCHER = "launcher"
    MONITOR = "monitor"


@app.command()
@settable
def actor(chosen: Chosen, kind: Annotated[Kind, typer.Argument(help="Which.")]) -> None:
    """Run one actor in this process, until SIGTERM or Ctrl-C.

    Bus and store must be ones that other processes reach: RabbitMQ and MongoDB.
    """
    from actors.cli.serving import actor as served

    served(chosen, kind.value.replace("-", "_"))


@app.command()
@settable
def up(chosen: Chosen) -> None:
    """Run all actors in this process, until SIGTERM or Ctrl-C."""
    from actors.cli.serving import up as served

    served(chosen)


@app.command()
@settable
def settings(chosen: Chosen, format: Form = Format.TABLE) -> None:
    """List the settings: what holds, and where it comes from."""
    from actors.cli.settings import settings as shown

    shown(chosen, format)


@app.command()
@settable
def doctor(chosen: Chosen) -> None:
    """Try out broker, store, orchestrator and folder, and say what to do.

    The exit status is 1 when something is wrong.
    """
    from actors.cli.doctor import doctor as examined

    raise typer.Exit(examined(chosen))
