# Everything runs inside .venv, which `make install` makes from pyproject.toml and constraints.txt.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install test check format lint types docs demo zoo-eval gpu nightly clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

# The stamp holds the checksum of what was installed: an unchanged environment is not installed twice,
# not even after a git checkout that touched the files' times.
install:  ## make .venv with everything (train, export, run, test)
	@sum=$$(cat pyproject.toml constraints.txt | sha256sum | cut -d' ' -f1); \
	if [ -f $(STAMP) ] && [ "$$(cat $(STAMP))" = "$$sum" ]; then exit 0; fi; \
	set -e; \
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'; \
	echo "$$sum" > $(STAMP)

# They start some hundred processes, which are not to compile the same sources again and again.
test: install  ## run the tests
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist worksteal -q

format: install  ## rewrite the sources in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --select I .

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

check: lint types test  ## format, lint, types, tests

docs: install  ## the documentation site, into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html; with search: python3 -m http.server --directory build/site"

demo: install  ## train on scanned digits, export, run with early exit; prints one table
	$(BIN)/python -m benchmarks.demo

DATA ?= cifar10.zip
TINY ?=
EVENTS ?=
zoo-eval: install  ## every number of zoo/README.md again (DATA=CIFAR-10 as folder or zip, TINY=Tiny-ImageNet-200, EVENTS=event frames)
	$(BIN)/python -m benchmarks.zoo --data $(DATA) $(if $(TINY),--tiny $(TINY)) $(if $(EVENTS),--events $(EVENTS))

# The GPU's time is dear, so a part that fails does not stop the others; any failure is the status.
GPU_PARTS := "plugins build" "plugins selftest" "pytest -m gpu -q" \
    "benchmarks.train --precision bf16 --batch 128 --compile" "benchmarks.gpu"
gpu: install  ## what needs an NVIDIA GPU: kernels built and tested, engines, speed in training and use
	@$(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || \
	    { echo "PyTorch finds no CUDA GPU here; without one, see docs/performance.md"; exit 2; }
	@status=0; for part in $(GPU_PARTS); do \
	    echo "== python -m $$part"; \
	    $(BIN)/python -m $$part || { echo "FAILED: python -m $$part"; status=1; }; \
	done; exit $$status

# atheris has wheels for Linux on x86-64 only; elsewhere the readers are fuzzed by hypothesis alone.
nightly: install  ## long fuzzing, eight threads, a soak of 200,000 images
	$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris || \
	    echo "NOT RUN: coverage-guided fuzzing, since atheris cannot be installed here"
	for target in manifest graph image array frames; do \
	    ! $(BIN)/python -c 'import atheris' 2>/dev/null || \
	    $(BIN)/python -m tests.runtime.fuzz.atheris_readers $$target -atheris_runs=20000 || exit 1; \
	done
	SPIKEHALT_EVERY_LINE=1 $(BIN)/python -m pytest tests/test_numbers_and_paths.py -q
	SPIKEHALT_FUZZ_CASES=100000 $(BIN)/python -m pytest tests/runtime/fuzz -q
	SPIKEHALT_CALLS=10000 SPIKEHALT_SOAK_IMAGES=200000 $(BIN)/python -m pytest \
	    tests/runtime/test_faults.py tests/runtime/backends/onnxruntime/test_native_ops.py -q

clean:  ## remove what was built (keeps .venv)
	rm -rf build demo-out .pytest_cache .mypy_cache .ruff_cache
