"""A typing error or `--help` must be answered at once."""

import subprocess
import sys

HEAVY = ("pydantic", "rich", "pykka", "yaml", "sqlite3")


def test_help_imports_nothing_heavy():
    program = "import sys, actors.cli.commands; print([name for name in sys.argv[1:] if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program, *HEAVY], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_nothing_but_the_standard_library_is_imported_before_ctrl_c_is_quiet():
    program = "import sys, actors.cli.app; print([name for name in sys.argv[1:] if name in sys.modules])"
    heavy = (*HEAVY, "typer", "logging", "traceback", "tempfile")
    done = subprocess.run([sys.executable, "-S", "-c", program, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
