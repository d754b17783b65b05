# The daily commands. Each first makes what it needs: setup installs what is missing, build configures and compiles.
# CMake's own interface stays available: cmake --preset release|debug|asan|fuzz, then ninja -C build<...>.

BUILD := build
SECONDS ?= 60
PYTHON := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup build quickstart test fuzz bench gpu-static format lint docs clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

setup: ## install what is missing: Debian packages and .venv
	@utils/setup.sh

$(BUILD)/build.ninja: | setup
	cmake --preset release $(ECF8_CMAKE_FLAGS)

build: setup $(BUILD)/build.ninja ## configure (preset release) and compile everything
	@ninja -C $(BUILD)

quickstart: build ## compress, compile and run a trained model, and print the comparison
	@$(PYTHON) -m ecf8.quickstart

test: build ## run all tests: lit, unit, Python, quickstart, documentation, style
	@$(PYTHON) utils/run-tests.py --build $(BUILD)

fuzz: setup ## run each fuzz target for SECONDS=60; findings are kept and named
	@$(PYTHON) utils/fuzz.py --seconds $(SECONDS)

bench: build ## run the benchmarks, half an hour; installs IREE to compare with; prints JSON
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt -c python/constraints.txt
	@$(PYTHON) benchmarks/run.py --build $(BUILD)

gpu-static: build ## count the instructions of the GPU kernels; RECORD=1 records them
	@$(PYTHON) benchmarks/gpu/static.py --build $(BUILD) $(if $(RECORD),--record)

format: setup ## rewrite C++ and Python files in the project's style
	@$(PYTHON) utils/check-style.py --fix

lint: build ## clang-tidy and mypy; style and layers, too
	@$(PYTHON) utils/check-style.py
	@$(PYTHON) utils/check-layers.py
	@$(PYTHON) -m mypy --config-file python/pyproject.toml python/ecf8
	@utils/clang-tidy.sh $(BUILD)

docs: build ## write the generated pages of docs/ anew
	@$(PYTHON) utils/update-docs.py --build $(BUILD)

clean: ## remove build output; .venv stays
	rm -rf $(BUILD) build-debug build-asan build-fuzz build-fuzz-coverage
