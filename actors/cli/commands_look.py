"""The commands that look and change nothing, as a user types them."""
# ruff: noqa: PLC0415 - the messages and the actors cost 0.3 s to import, which `--help` and a typing error need not pay

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from actors.cli.options import Attempt, Experiment, Form, ProjectName, speaks
from actors.cli.output import ExportFormat, Format
from beagle.experiment import SHOWN
from beagle.settings import Settings

app = typer.Typer()
_STATES = ", ".join(SHOWN)


def _shown(state: str | None) -> str | None:
    if state is not None and state not in SHOWN:
        raise typer.BadParameter(f"{state} is none of {_STATES}.")
    return state


@app.command()
@speaks
def status(settings: Settings, format: Form = Format.TABLE) -> None:
    """Show the system, its projects and what runs."""
    from actors.cli.looking import status as shown

    shown(settings, format)


@app.command()
@speaks
def experiments(
    settings: Settings,
    project: ProjectName = None,
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", callback=_shown, help=f"Only those in one of {_STATES}.")
    ] = None,
    format: Form = Format.TABLE,
) -> None:
    """List the experiments of a project, by number."""
    from actors.cli.looking import experiments as shown

    shown(settings, format, project, state)


@app.command()
@speaks
def show(
    settings: Settings,
    experiment: Experiment,
    format: Form = Format.TABLE,
) -> None:
    """Show one experiment with everything known about it."""
    from actors.cli.looking import show as shown

    shown(settings, format, experiment)


@app.command()
@speaks
def why(settings: Settings, experiment: Experiment) -> None:
    """Say in one sentence why an experiment is in its state."""
    from actors.cli.looking import why as shown

    shown(settings, experiment)


@app.command()
@speaks
def logs(
    settings: Settings,
    experiment: Experiment,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the attempt has ended.")] = False,
    err: Annotated[bool, typer.Option("--err", help="Standard error instead of standard output.")] = False,
    attempt: Attempt = None,
) -> None:
    """Print what an experiment wrote."""
    from actors.cli.logs import logs as shown

    shown(settings, experiment, attempt, "err" if err else "out", follow=follow)


@app.command()
@speaks
def metrics(
    settings: Settings,
    experiment: Experiment,
    attempt: Attempt = None,
    format: Form = Format.TABLE,
) -> None:
    """List what an experiment reported, oldest first."""
    from actors.cli.looking import metrics as shown

    shown(settings, format, experiment, attempt)


@app.command()
@speaks
def best(
    settings: Settings,
    project: ProjectName = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="How many.")] = 10,
    format: Form = Format.TABLE,
) -> None:
    """List the best experiments of a project, best first."""
    from actors.cli.looking import best as shown

    shown(settings, format, project, count)


@app.command()
@speaks
def export(
    settings: Settings,
    project: ProjectName = None,
    format: Annotated[ExportFormat, typer.Option("--format", help="CSV, or JSON lines.")] = ExportFormat.CSV,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="By default, print it.")] = None,
) -> None:
    """Write all experiments of a project to a file."""
    from actors.cli.exporting import export as written

    written(settings, project, format, output)
