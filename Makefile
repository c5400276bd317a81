# make demo: train, export, lower, run on Lava, compare.  make test: the tests.
# make slow: the slow tests.  make deep: ten thousand random Programs, engine against Lava.
# Both set up .venv first, from the pins in requirements/, and do nothing twice.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test slow deep check clean
.DELETE_ON_ERROR:

demo: $(READY)
	@$(BIN)/stochi demo

test: $(READY)
	@$(BIN)/python -m pytest

slow: $(READY)
	@$(BIN)/python -m pytest -m slow

deep: $(READY)
	@$(BIN)/python -m tests.sim.deep_run --programs 10000

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

$(READY): Makefile pyproject.toml requirements/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null \
	  || { echo "Stochi needs Python 3.10 to 3.12; try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	  || { echo "$(PYTHON) -m venv failed; install your system's venv package (python3-venv)"; exit 1; }
	@echo "Installing Stochi into $(VENV) (torch, snnTorch, Lava ...), once; takes a minute or more"
	@$(PIP) install -q -c requirements/constraints.txt pip setuptools
	@$(PIP) install -qq -c requirements/constraints.txt --no-build-isolation -e '.[lava,dev]'
	@$(PIP) install -q --no-deps --ignore-requires-python lava-nc==0.10.0
	@touch $@

clean:
	rm -rf $(VENV) build runs *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
