"""The commands that look and change nothing, as a user types them."""
# ruff: noqa: PLC0415 - the messages and the actors cost 0.3 s to import, which `--help` and a typing error need not pay

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from actors.cli.options import Attempt, Experiment, Folder, Form, Orchestrator, ProjectName
from actors.cli.output import ExportFormat, Format
from beagle.experiment import State

app = typer.Typer()


@app.command()
def status(folder: Folder = None, orchestrator: Orchestrator = "process", format: Form = Format.TABLE) -> None:
    """Show the system, its projects and what runs."""
    from actors.cli.looking import status as shown

    shown(folder, orchestrator, format)


@app.command()
def experiments(
    project: ProjectName = None,
    state: Annotated[State | None, typer.Option("--state", help="Only those in this state.")] = None,
    folder: Folder = None,
    orchestrator: Orchestrator = "process",
    format: Form = Format.TABLE,
) -> None:
    """List the experiments of a project, by number."""
    from actors.cli.looking import experiments as shown

    shown(folder, orchestrator, format, project, state)


@app.command()
def show(
    experiment: Experiment,
    folder: Folder = None,
    orchestrator: Orchestrator = "process",
    format: Form = Format.TABLE,
) -> None:
    """Show one experiment with everything known about it."""
    from actors.cli.looking import show as shown

    shown(folder, orchestrator, format, experiment)


@app.command()
def why(experiment: Experiment, folder: Folder = None, orchestrator: Orchestrator = "process") -> None:
    """Say in one sentence why an experiment is in its state."""
    from actors.cli.looking import why as shown

    shown(folder, orchestrator, experiment)


@app.command()
def logs(
    experiment: Experiment,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the attempt has ended.")] = False,
    err: Annotated[bool, typer.Option("--err", help="Standard error instead of standard output.")] = False,
    attempt: Attempt = None,
    folder: Folder = None,
    orchestrator: Orchestrator = "process",
) -> None:
    """Print what an experiment wrote."""
    from actors.cli.logs import logs as shown

    shown(folder, orchestrator, experiment, attempt, "err" if err else "out", follow=follow)


@app.command()
def metrics(
    experiment: Experiment,
    attempt: Attempt = None,
    folder: Folder = None,
    orchestrator: Orchestrator = "process",
    format: Form = Format.TABLE,
) -> None:
    """List what an experiment reported, oldest first."""
    from actors.cli.looking import metrics as shown

    shown(folder, orchestrator, format, experiment, attempt)


@app.command()
def best(
    project: ProjectName = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="How many.")] = 10,
    folder: Folder = None,
    orchestrator: Orchestrator = "process",
    format: Form = Format.TABLE,
) -> None:
    """List the best experiments of a project, best first."""
    from actors.cli.looking import best as shown

    shown(folder, orchestrator, format, project, count)


@app.command()
def export(
    project: ProjectName = None,
    format: Annotated[ExportFormat, typer.Option("--format", help="CSV, or JSON lines.")] = ExportFormat.CSV,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="By default, print it.")] = None,
    folder: Folder = None,
    orchestrator: Orchestrator = "process",
) -> None:
    """Write all experiments of a project to a file."""
    from actors.cli.exporting import export as written

    written(folder, orchestrator, project, format, output)
