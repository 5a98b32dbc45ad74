"""The pages that are written from the code say what the code says, and each decision says why."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from actors.measures import Measures
from beagle.experiment import TRANSITIONS
from beagle.settings import TABLE
from beagle.stores.sqlite import SqliteStore
from bus.memory import MemoryBus
from bus.routes import ROUTES, bindings

DOCS = Path(__file__).parents[1] / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))


def written() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: page() for name, page in module.PAGES.items()}


PAGES = written()


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name):
    assert (DOCS / name).read_text() == PAGES[name], "run `python docs/generate.py`"


def test_the_page_of_states_has_each_transition_once():
    for before, row in TRANSITIONS.items():
        for event, after in row.items():
            assert PAGES["states.md"].count(f"| `{before}` | {event.__name__} | `{after}` | {event.__doc__} |") == 1


def test_the_page_of_messages_has_each_message_with_its_key_and_each_queue():
    page = PAGES["messages.md"]
    assert sorted(re.findall(r"^### (\w+)$", page, re.MULTILINE)) == sorted(kind.__name__ for kind in ROUTES)
    for kind, route in ROUTES.items():
        section = page.partition(f"### {kind.__name__}\n")[2].partition("##")[0]
        assert f"Key `{route.key}`" in section
    assert all(f"| `{queue}` |" in page for queue in bindings("local"))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_is_half_a_page_of_context_decision_and_consequence(page):
    text = page.read_text()
    assert re.findall(r"^#+ (.*)$", text, re.MULTILINE)[1:] == ["Context", "Decision", "Consequence"]
    assert text.startswith(f"# {int(page.name[:3])}. ")
    assert len(text.splitlines()) <= 30


def test_decisions_are_numbered_without_a_gap():
    assert [int(page.name[:3]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_page_for_operators_has_each_measure_and_no_other(tmp_path):
    store, bus = SqliteStore(tmp_path / "beagle.sqlite"), MemoryBus(bindings("local"))
    page = Measures(store, bus).page().decode()
    store.close()
    kinds = dict(re.findall(r"^# TYPE (beagle_\w+) (\w+)$", page, re.MULTILINE))
    measured = {name for name in kinds if not name.endswith("_created")}
    written = set(re.findall(r"`(beagle_\w+)`", (DOCS / "operations.md").read_text()))
    assert written == measured


def test_the_page_for_operators_names_flags_and_variables_that_there_are():
    page = (DOCS / "operations.md").read_text()
    known = {setting.flag for setting in TABLE.values()} | {"--detach", "--build", "--scale", "--all", "--yes"}
    assert set(re.findall(r"(--[a-z][a-z-]*)", page)) <= known
    variables = {setting.variable for setting in TABLE.values()}
    # What the composition alone must be told.
    variables |= set(re.findall(r"^(\w+)=", (DOCS.parent / "config/compose.env").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bBEAGLE_[A-Z_]+", page)) <= variables
