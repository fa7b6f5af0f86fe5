PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test test-all kernels lint build clean

run: .venv/installed
	$(BIN)/neucb run --agent kl-perturbed --dataset covertype

test: kernels
	$(BIN)/python -m pytest -q -n auto --dist loadgroup -m "not slow and not docs"

test-all: kernels
	$(BIN)/python -m pytest -q -n auto --dist loadgroup

kernels: .venv/installed
	$(BIN)/python -m tests.support.kernels

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

build: .venv/installed
	$(BIN)/python -m build

clean:
	rm -rf .venv build dist *.egg-info

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@
