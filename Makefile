# make live   the show on the demo track: a window, or without a display 20 s into lavlive-demo.mp4
# make test   everything that must pass: format, lint, types, import contract, tests (in TESTERS processes)
.PHONY: live test coverage clean

PYTHON ?= python3
LIVE ?=
TESTERS ?= 2

live: .venv/.live
	@sh tools/live.sh $(LIVE)

test: .venv/.test
	.venv/bin/ruff format --check lavlive tests tools
	.venv/bin/ruff check lavlive tests tools
	.venv/bin/python -m pytest -n $(TESTERS) --dist worksteal -m 'not alone'
	@# These wait for real time: contracts and types are checked meanwhile. They have a process of their own, so
	@# that one which hangs or crashes is named and the others run all the same.
	@(.venv/bin/lint-imports; contracts=$$?; .venv/bin/mypy; exit $$(($$? + contracts))) > .venv/types.txt 2>&1 & types=$$!; \
	 .venv/bin/python -m pytest -n 1 -m alone; tests=$$?; \
	 wait $$types; checked=$$?; cat .venv/types.txt; exit $$((tests + checked))

# Apart from test: measuring takes a third more processor time (with Python 3.12 less: COVERAGE_CORE=sysmon).
coverage: .venv/.test
	.venv/bin/python -m pytest -n $(TESTERS) --dist worksteal -m 'not alone' --cov=lavlive --cov-report=term:skip-covered

.venv/.live: pyproject.toml constraints.txt tools/install.sh
	@PYTHON=$(PYTHON) sh tools/install.sh live

.venv/.test: pyproject.toml constraints.txt tools/install.sh
	@PYTHON=$(PYTHON) sh tools/install.sh test

clean:
	rm -rf .venv
