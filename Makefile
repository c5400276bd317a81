# make demo: train, export, lower, run on Lava, compare.  make test: the tests.
# make docs: the site, in build/site, without a warning.
# make slow: the slow tests, and all cases of those that try a few by default.
# make deep: ten thousand random Programs, engine against Lava.
# make fuzz: CASES damaged files of each kind that Stochi reads, and the crafted ones.
# JOBS is the number of processes that run the tests side by side, each on one thread.
# Both set up .venv first, from the pins in requirements/, and do nothing twice.
# TORCH=cuda takes torch as pip's index has it, on Linux with CUDA: 2.7 GB to download, not 0.2.

PYTHON ?= python3
JOBS ?= 2
CASES ?= 10000
TORCH ?= cpu
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
COMMA := ,
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.docs-ready
PIP := $(BIN)/python -m pip --disable-pip-version-check
# What drives a browser in the tests of pages; without Chromium it would have nothing to drive.
CHROMIUM := $(firstword $(foreach name,chromium chromium-browser google-chrome,\
  $(shell command -v $(name) 2>/dev/null)))
EXTRAS := lava,dev$(if $(CHROMIUM),$(COMMA)browser)
PINS := requirements/constraints.txt
TORCH_PIN := torch==$(shell sed -n 's/^torch==//p' $(PINS))
LAVA_PIN := lava-nc==0.10.0
IMPORT_LAVA := from stochi.sim.lava.compatibility import import_lava; import_lava()

.PHONY: demo test docs slow deep fuzz check clean
.DELETE_ON_ERROR:

demo: $(READY)
	@$(BIN)/stochi demo --force

test: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

docs: $(DOCS_READY)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

slow: $(DOCS_READY)
	@STOCHI_THOROUGH=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m 'slow or tries_more'

deep: $(READY)
	@$(BIN)/python -m tests.sim.deep_run --programs 10000

fuzz: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --cases $(CASES)

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

$(READY): Makefile pyproject.toml $(PINS)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null \
	  || { echo "Stochi needs Python 3.10 to 3.14; try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	  || { echo "$(PYTHON) -m venv failed; install your system's venv package (python3-venv)"; exit 1; }
	@echo "Installing Stochi into $(VENV) (torch, snnTorch, Lava ...), once; takes a minute or more"
	@$(PIP) install -q -c $(PINS) pip setuptools
	@$(INSTALL_TORCH)
	@$(PIP) install -qq -c $(PINS) --no-build-isolation -e '.[$(EXTRAS)]'
	@$(PIP) install -q --no-deps --ignore-requires-python $(LAVA_PIN)
	@$(BIN)/python -c '$(IMPORT_LAVA)' \
	  || { echo "Lava does not run on this Python; demo and tests leave it out"; \
	       $(PIP) uninstall -q -y lava-nc; }
	@touch $@

$(DOCS_READY): $(READY)
	@echo "Installing what builds the site and runs the notebooks into $(VENV), once"
	@$(PIP) install -qq -c $(PINS) --no-build-isolation -e '.[docs]'
	@touch $@

# On Linux, PyPI's torch asks for CUDA packages and cannot be imported without them, so installing
# it alone is no way out. Its CPU build is another version, +cpu, which torch's own index has.
ifeq ($(TORCH)-$(shell uname -s),cpu-Linux)
define INSTALL_TORCH
$(PIP) install -q --no-deps $(TORCH_PIN)+cpu 2>/dev/null \
  || $(PIP) install -q --no-deps --index-url $(TORCH_INDEX) $(TORCH_PIN)+cpu \
  || { echo "Found no CPU build of $(TORCH_PIN), in pip's index or in $(TORCH_INDEX);"; \
       echo "give an index that has it: make $(MAKECMDGOALS) TORCH_INDEX=URL; or take torch with" \
            "its CUDA packages (2.7 GB): make $(MAKECMDGOALS) TORCH=cuda"; exit 1; }
endef
else
INSTALL_TORCH = $(PIP) install -q -c $(PINS) $(TORCH_PIN)
endif

clean:
	rm -rf $(VENV) build runs *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz_cache
