# Needs Linux or macOS, Python 3.11 to 3.13, pip and make. Everything is installed into .venv, nothing elsewhere.
# Another Python: make run PYTHON=/path/to/python3.12

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
SETTINGS := pyproject.toml constraints.txt zoo_core/version.py $(PLUGINS:%=%/pyproject.toml)
# The CPU build of TensorFlow where there is one: a third of the size.
BACKEND := $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' -)),tensorflow-cpu,tensorflow)

# A name on the path need not run (pyenv's shims don't), so each candidate is tried.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)

# For what the zoo installs, too. An address, since pip takes a path with spaces for several files.
empty :=
export PIP_CONSTRAINT := file://$(subst $(empty) $(empty),%20,$(CURDIR))/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
PIP := $(BIN)/python -m pip install --quiet

# Tests compile far more than they compute: a third of the time goes into optimising what runs once.
QUICK_XLA := --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true

# PyTorch runs what it was asked for, and the core that this stands on; the flows were tried on it by hand.
TORCH := addons metric-learning word2vec

.PHONY: help install run test lint check-generated check-new test-torch interop bench build clean venv

help:
	@echo 'make install  the zoo and its plugins from this checkout, with TensorFlow, into .venv'
	@echo 'make run      the zoo, the glow plugin, and a sheet of images that it draws: samples.png'
	@echo 'make test     everything that CI checks: format, lint, types, generated files, tests'
	@echo 'make lint     format, lint and types only'
	@echo 'make check-new  a new plugin by `zoo new`, and all that docs/plugins.md does with it'
	@echo 'make test-torch  the tests of the plugins that support PyTorch, on it'
	@echo 'make interop  the results beside those of gensim, optax and pytorch-metric-learning'
	@echo 'make bench    the benchmarks'
	@echo 'make build    the wheels, into dist/'
	@echo 'make clean    removes .venv and what was built'

run: $(VENV)/.core
	$(BIN)/zoo list
	$(BIN)/zoo pull glow --yes
	$(BIN)/zoo glow sample --output samples.png

install: $(VENV)/.plugins

test: lint check-generated check-new
	$(BIN)/python -m pytest -n 2 -m 'not interop' $(PLUGINS:plugins/%=--zoo-plugin=%)
	XLA_FLAGS='$(QUICK_XLA)' KERAS_BACKEND=jax $(BIN)/python -m pytest -n 2 -m 'backend or zoo_check' $(PLUGINS:plugins/%=--zoo-plugin=%)
	$(MAKE) --no-print-directory test-torch
	ZOO_TEST_FLOATX=float64 $(BIN)/python -m pytest -n 2 -m float64
	ZOO_TEST_FLOATX=float64 KERAS_BACKEND=jax JAX_ENABLE_X64=1 $(BIN)/python -m pytest -n 2 -m float64
	$(MAKE) --no-print-directory interop

test-torch: $(VENV)/.dev
	KERAS_BACKEND=torch $(BIN)/python -m pytest -n 2 -m 'backend or zoo_check' $(TORCH:%=--zoo-plugin=%) \
		$(TORCH:%=plugins/%) tests/test_gradients.py tests/test_rows.py tests/test_torch.py

# Its own requirements, since nothing else needs the peers.
interop: $(VENV)/.dev
	$(PIP) -e '.[$(BACKEND),jax,torch,dev,interop]'
	$(BIN)/python -m pytest -m interop tests/interop

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check-generated: $(VENV)/.dev
	$(BIN)/zoo manifest check
	$(BIN)/zoo registry check

check-new: $(VENV)/.dev
	$(BIN)/python -m tests.walk

bench: $(VENV)/.dev
	for benchmark in benchmarks/*.py; do $(BIN)/python $$benchmark || exit 1; done

build: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m build --wheel --outdir dist . >/dev/null
	for plugin in $(PLUGINS); do $(BIN)/python -m build --wheel --outdir dist $$plugin >/dev/null || exit 1; done
	ls -l dist

clean:
	rm -rf $(VENV) dist build samples.png

# Each stamp is written last, so that an interrupted installation is done again.
$(VENV)/.core: $(SETTINGS) | venv
	@echo 'Installing zoo-core, Keras and TensorFlow into $(VENV): this takes a few minutes...'
	$(PIP) -e '.[$(BACKEND)]'
	@touch $@

$(VENV)/.plugins: $(SETTINGS) | venv
	@echo 'Installing the zoo, its plugins, Keras and TensorFlow into $(VENV): this takes a few minutes...'
	$(PIP) -e '.[$(BACKEND)]' $(PLUGINS:%=-e ./%)
	@touch $@ $(VENV)/.core

$(VENV)/.dev: $(SETTINGS) | venv
	@echo 'Installing what the checks need into $(VENV): this takes a few minutes...'
	$(PIP) -e '.[$(BACKEND),jax,torch,dev]' $(PLUGINS:%=-e ./%)
	@touch $@ $(VENV)/.plugins $(VENV)/.core

# Made anew where pip does not run in it: that is what a first try leaves that was interrupted.
venv:
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(MAKE) --no-print-directory new-venv

.PHONY: new-venv
new-venv:
	@test -n '$(PYTHON)' || { echo 'Python 3.11, 3.12 or 3.13 is needed, and none was found.' \
		'Install one, or name it: make run PYTHON=/path/to/python3.12' >&2; exit 1; }
	@$(PYTHON) -c '$(SUPPORTED)' || { echo '$(PYTHON) is not Python 3.11, 3.12 or 3.13.' \
		'Name another one: make run PYTHON=/path/to/python3.12' >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
