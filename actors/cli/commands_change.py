"""The commands that change what runs and waits, as a user types them."""
# ruff: noqa: PLC0415 - the messages and the actors cost 0.3 s to import, which `--help` and a typing error need not pay

from __future__ import annotations

from typing import Annotated

import typer

from actors.cli.options import Experiments, speaks
from beagle.settings import Settings

app = typer.Typer()


@app.command()
@speaks
def start(settings: Settings) -> None:
    """Let experiments start again after a pause."""
    from actors.cli.changing import start as started

    started(settings)


@app.command()
@speaks
def pause(settings: Settings) -> None:
    """Stop what runs, put it back at the head of the queue, and start nothing."""
    from actors.cli.changing import pause as paused

    paused(settings)


@app.command()
@speaks
def stop(settings: Settings, experiments: Experiments) -> None:
    """Stop experiments that run or wait."""
    from actors.cli.changing import stop as stopped

    stopped(settings, experiments)


@app.command()
@speaks
def retry(settings: Settings, experiments: Experiments) -> None:
    """Run experiments again that did not complete."""
    from actors.cli.changing import retry as retried

    retried(settings, experiments)


@app.command()
@speaks
def limit(
    settings: Settings,
    limit: Annotated[int | None, typer.Argument(min=0, max=10_000, metavar="[N]", help="The new limit.")] = None,
) -> None:
    """Show or set how many experiments may run.

    Lowering it stops nothing that runs.
    """
    from actors.cli.changing import limit as limited

    limited(settings, limit)
