"""Heuristics and orchestrators are found by name, ours without any installation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from beagle import plugins
from beagle.errors import InvalidInput
from beagle.heuristics.grid import Grid
from beagle.heuristics.random import Random


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, entry_points: str) -> None:
    """What a package manager leaves behind for a package with these entry points."""
    metadata = folder / "plugged-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)
    monkeypatch.syspath_prepend(str(folder))


def test_ours_are_found_by_name():
    assert {"grid", "random"} <= set(plugins.heuristics())
    assert "process" in plugins.orchestrators()
    assert plugins.heuristic("grid") is Grid
    assert plugins.heuristic("random") is Random


def test_ours_are_found_in_a_plain_checkout(tmp_path):
    for name in ("beagle", "actors", "bus", "config"):
        (tmp_path / name).symlink_to(Path(plugins.__file__).parents[1] / name)
    program = "from beagle import plugins; print(plugins.heuristics(), plugins.heuristic('grid').__name__)"
    # -S leaves out the packages that are installed; the libraries are named again without their folder's hooks.
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    printed = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *libraries])},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed == "['grid', 'random'] Grid\n"


def test_a_plug_in_is_found_and_imported_only_when_asked_for(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "[beagle.heuristics]\nplugged = beagle_plugged:Search\nbroken = no_such_module:X\n")
    (tmp_path / "beagle_plugged.py").write_text("class Search: pass\n")
    assert {"plugged", "broken"} <= set(plugins.heuristics())
    assert "beagle_plugged" not in sys.modules
    assert plugins.heuristic("plugged").__name__ == "Search"
    monkeypatch.delitem(sys.modules, "beagle_plugged")


def test_a_plug_in_that_cannot_be_imported_is_one_sentence(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "[beagle.heuristics]\nbroken = no_such_module:X\n")
    with pytest.raises(InvalidInput, match=r"heuristic 'broken' \(no_such_module:X\) cannot be imported: No module"):
        plugins.heuristic("broken")


def test_no_plug_in_takes_the_name_of_ours(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "[beagle.heuristics]\ngrid = no_such_module:X\n")
    assert plugins.heuristic("grid") is Grid


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(InvalidInput, match=r"there is no heuristic 'grd'; did you mean grid\?"):
        plugins.heuristic("grd")
    with pytest.raises(InvalidInput, match=r"there is no orchestrator 'proces'; did you mean process\?"):
        plugins.orchestrator("proces")


def test_an_operator_may_name_the_class_of_an_orchestrator_itself():
    named = plugins.orchestrator("tests.servers.docked:DockOrchestrator")
    assert named.__module__ == "tests.servers.docked"


@pytest.mark.parametrize("name", ["a b:c", ":c", "a:"])
def test_what_only_looks_like_a_class_is_an_unknown_name(name):
    with pytest.raises(InvalidInput, match="there is no orchestrator"):
        plugins.orchestrator(name)


def test_a_definition_cannot_name_a_class_for_its_search():
    with pytest.raises(InvalidInput, match="there is no heuristic 'os:path'"):
        plugins.heuristic("os:path")
