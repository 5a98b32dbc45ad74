"""The commands that check and run a project, as a user types them."""
# ruff: noqa: PLC0415 - the messages and the actors cost 0.3 s to import, which `--help` and a typing error need not pay

from __future__ import annotations

from typing import Annotated

import typer

from actors.cli.options import Folder, Orchestrator, ProjectFile, Template

app = typer.Typer()


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
