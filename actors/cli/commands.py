"""The commands of `beagle`, as a user types them. What each does is in a module that is imported when it is used."""
# ruff: noqa: PLC0415 - the messages and the actors cost 0.3 s to import, which `--help` and a typing error need not pay

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from actors.cli.options import (
    Attempt,
    Experiment,
    Experiments,
    Folder,
    Form,
    Orchestrator,
    ProjectFile,
    ProjectName,
    Template,
)
from actors.cli.output import ExportFormat, Format
from beagle.experiment import State

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


@app.command()
def check(
    project: ProjectFile,
    template: Template = None,
    orchestrator: Orchestrator = "process",
) -> None:
    """Read a project and its template, and say what a run would do. Nothing is started or stored."""
    from actors.cli.checking import check as checked

    checked(project, template, orchestrator)


@app.command()
def run(
    project: ProjectFile,
    template: Template = None,
    folder: Folder = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=0, max=10_000, help="How many may run at a time.")
    ] = None,
    orchestrator: Orchestrator = "process",
    *,
    again: Annotated[bool, typer.Option("--again", help="Run a finished project anew, from the beginning.")] = False,
) -> None:
    """Run a project to its end. Ctrl-C pauses it; the same command resumes."""
    from actors.cli.running import run as to_the_end

    raise typer.Exit(to_the_end(project, template, folder, limit, orchestrator, again=again))


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
def stop(experiments: Experiments, folder: Folder = None, orchestrator: Orchestrator = "process") -> None:
    """Stop experiments that run or wait."""
    from actors.cli.changing import stop as stopped

    stopped(folder, orchestrator, experiments)


@app.command()
def retry(experiments: Experiments, folder: Folder = None, orchestrator: Orchestrator = "process") -> None:
    """Run experiments again that did not complete."""
    from actors.cli.changing import retry as retried

    retried(folder, orchestrator, experiments)


@app.command()
def limit(
    limit: Annotated[int | None, typer.Argument(min=0, max=10_000, metavar="[N]", help="The new limit.")] = None,
    folder: Folder = None,
    orchestrator: Orchestrator = "process",
) -> None:
    """Show or set how many experiments may run.

    Lowering it stops nothing that runs.
    """
    from actors.cli.changing import limit as limited

    limited(folder, orchestrator, limit)


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
