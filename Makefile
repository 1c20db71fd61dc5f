# make live   the show on the demo track: a window, or without a display 20 s into lavlive-demo.mp4
# make test   everything that must pass: format, lint, types, import contract, tests
.PHONY: live test clean

PYTHON ?= python3
LIVE ?=

live: .venv/.live
	@sh tools/live.sh $(LIVE)

test: .venv/.test
	.venv/bin/ruff format --check lavlive tests tools
	.venv/bin/ruff check lavlive tests tools
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m pytest

.venv/.live: pyproject.toml constraints.txt tools/install.sh
	@PYTHON=$(PYTHON) sh tools/install.sh live

.venv/.test: pyproject.toml constraints.txt tools/install.sh
	@PYTHON=$(PYTHON) sh tools/install.sh test

clean:
	rm -rf .venv
