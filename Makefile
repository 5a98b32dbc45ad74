# Two commands for newcomers: `make demo` runs a search, `make test` proves that everything holds.
# Both make their own virtual environment in .venv from requirements.lock.

SHELL := /bin/bash
# The example's template says `python`: it is that of .venv.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help setup demo test chaos bench lock

help:
	@echo "make demo    run the example search to its end"
	@echo "make test    run all checks and tests"
	@echo "make chaos   kill, stop and flood more than the tests do; SEEDS=5 for five times that"
	@echo "make bench   run the benchmarks and write docs/benchmarks.md"
	@echo "make lock    write requirements.lock and requirements-run.lock anew from pyproject.toml"

setup:
	@scripts/setup.sh

demo: setup
	@beagle run examples/digits/project.yml --limit 2 --again

# Many tests start servers and wait for them: what fails on a busy machine must hold at least alone.
test: setup
	@scripts/services.sh
	ruff check
	ruff format --check
	mypy
	lint-imports
	pytest -n 3 --dist loadgroup || { echo "what failed beside the others runs once more, alone:"; \
		pytest --last-failed --last-failed-no-failures none; }

# How many times, each with its own seed.
SEEDS := 1

chaos: setup
	@scripts/services.sh
	BEAGLE_CHAOS=full BEAGLE_CHAOS_SEEDS=$(SEEDS) BEAGLE_MALFORMED=100000 BEAGLE_MALFORMED_APART=20000 \
		pytest tests/chaos

bench: setup
	python -m tests.benchmarks

# For every platform and every Python from 3.11 on; what is locked already stays unless it must change.
lock: setup
	python -m pip install --quiet --disable-pip-version-check --upgrade --target build/uv uv
	build/uv/bin/uv pip compile --quiet pyproject.toml --group dev --group examples --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --output-file requirements.lock
	build/uv/bin/uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --constraint requirements.lock \
		--generate-hashes --no-annotate --no-header --output-file requirements-run.lock
