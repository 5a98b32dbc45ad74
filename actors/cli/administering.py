"""The commands about projects, model templates, the queue and the whole system."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

from actors.cli.changing import each_of
from actors.cli.client import located, opened, pages, wait_until_dead
from actors.cli.looking import MOST_DRAWN, listing, projects_table
from actors.cli.output import Format, Table, say, show_list, show_table, warn
from actors.cli.words import View, clean, moment, plural
from actors.main import Session
from beagle.commands import (
    ClearQueue,
    DeleteExperiment,
    ForgetSite,
    ListProjects,
    ListQueue,
    ListTemplates,
    PrioritiseExperiment,
    ResetSystem,
    ShowExperiment,
    ShowTemplate,
    UploadTemplate,
)
from beagle.documents import read_text
from beagle.errors import InvalidInput
from beagle.message import Command
from beagle.settings import Settings

# Seconds that monitors get to judge what was lost.
JUDGED_WITHIN = 10.0


def reset(settings: Settings, *, sure: bool) -> None:
    _confirmed("every project with its experiments and metrics", sure=sure)
    with opened(located(settings)) as session:
        answer = session.ask(ResetSystem())
        if session.owner:
            wait_until_dead(session)
    say(f"{plural(answer['deleted'], 'project')} deleted; model templates and settings stay")


def forget_site(settings: Settings, site: str, *, sure: bool) -> None:
    _confirmed("what runs there, which runs twice if it is not gone", sure=sure, does="gives up")
    freed, deadline = 0, time.monotonic() + JUDGED_WITHIN
    with opened(located(settings)) as session:
        while True:
            answer = session.ask(ForgetSite(site=site))
            freed += answer["freed"]
            if not answer["left"] or time.monotonic() > deadline:
                break
            time.sleep(0.2)
    say(f"{plural(freed, 'place')} of {clean(site)} came back")
    if answer["left"]:
        warn(f"{plural(answer['left'], 'place')} more when a monitor has judged what was there; run it again then")


def delete(settings: Settings, experiments: Iterable[str], *, sure: bool) -> None:
    _confirmed("these experiments with their metrics", sure=sure)
    with opened(located(settings)) as session:
        each_of(experiments, lambda name: _deleted(session, name))
        if session.owner:
            wait_until_dead(session)


def _deleted(session: Session, name: str) -> str:
    experiment = session.ask(ShowExperiment(experiment=name))["experiment"]
    session.ask(DeleteExperiment(experiment=experiment["id"]))
    return f"{clean(experiment['name'])} is deleted"


def prioritise(settings: Settings, priority: int, experiments: Iterable[str]) -> None:
    def order(name: str) -> str:
        answer = session.ask(PrioritiseExperiment(experiment=name, priority=priority))["experiment"]
        return f"{clean(answer['name'])} has priority {answer['priority']}"

    with opened(located(settings)) as session:
        each_of(experiments, order)


def change_projects(
    settings: Settings,
    projects: Iterable[str],
    order: Callable[[str], Command],
    removed: str = "",
    *,
    sure: bool = True,
) -> None:
    """Give the order for each project; of one that is removed nothing but that is said."""
    _confirmed("these projects with their experiments and metrics", sure=sure)

    def changed(name: str) -> str:
        project = session.ask(order(name))["project"]
        reason = f": {clean(project['reason'])}" if project["reason"] else ""
        return f"{clean(project['name'])} is {removed or project['state']}{reason}"

    with opened(located(settings)) as session:
        each_of(projects, changed)
        if session.owner:
            wait_until_dead(session)


def list_projects(settings: Settings, form: Format) -> None:
    with opened(located(settings)) as session:
        views = pages(session, lambda after: ListProjects(after=after), "projects")
        if form is not Format.TABLE:
            show_list(views, form)
            return
        shown = list(views)
    if shown:
        show_table(projects_table(shown))
    else:
        say("no projects yet; `beagle run project.yml` starts one")


def list_queue(settings: Settings, form: Format) -> None:
    with opened(located(settings)) as session:
        views = pages(session, lambda after: ListQueue(after=after, limit=1000), "experiments")
        if form is not Format.TABLE:
            show_list(views, form)
            return
        shown = list(islice(views, MOST_DRAWN))
        more = next(views, None) is not None
    if shown:
        show_table(listing(shown, time.time()))
    else:
        say("nothing waits")
    if more:
        warn(f"these are the first {MOST_DRAWN:,}; --format json shows all")


def clear_queue(settings: Settings, *, sure: bool) -> None:
    _confirmed("everything that waits", sure=sure, does="stops", then="only `beagle retry` brings each back")
    with opened(located(settings)) as session:
        answer = session.ask(ClearQueue())
    say(f"{plural(answer['stopped'], 'experiment')} taken out of the queue; `beagle retry` puts one back")


def upload(settings: Settings, files: Iterable[Path]) -> None:
    def uploaded(name: str) -> str:
        file = Path(name)
        folder = str(file.absolute().parent)
        order = UploadTemplate(filename=file.name, text=read_text(file), folder=folder)
        return f"{clean(session.ask(order)['template']['filename'])} is stored"

    with opened(located(settings)) as session:
        each_of(map(str, files), uploaded)


def list_templates(settings: Settings, form: Format) -> None:
    with opened(located(settings)) as session:
        views = list(pages(session, lambda after: ListTemplates(after=after), "templates"))
    if form is not Format.TABLE:
        show_list(iter(views), form)
    elif views:
        rows = [(v["filename"], v["name"], ", ".join(v["services"]), moment(v["create_time"])) for v in views]
        show_table(Table(columns=("template", "name", "services", "stored"), rows=rows))
    else:
        say("no templates yet; `beagle template upload FILE` stores one")


def show_template(settings: Settings, template: str) -> None:
    with opened(located(settings)) as session:
        view: View = session.ask(ShowTemplate(template=template))["template"]
    text = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in view["text"])
    say(text.removesuffix("\n"))


def _confirmed(what: str, *, sure: bool, does: str = "removes", then: str = "cannot be undone") -> None:
    if not sure:
        raise InvalidInput([f"this {does} {what}, and {then}; say so with --yes"])
