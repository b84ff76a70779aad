SHELL := /bin/bash
BIN := .venv/bin
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help demo test test-fast check format lint types imports bench setup setup-dev lock clean

help:  ## what can be made here
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*##/\t/' | expand -t 14

demo: setup  ## set everything up and run the quickstart
	@$(BIN)/python -m orchestrator.cli.demo

test: setup-dev  ## every test; those of the local model where its weights are
	@$(BIN)/pytest -n 2 --dist loadgroup

test-fast: setup-dev  ## the tests that need neither minutes nor a model
	@$(BIN)/pytest -n 2 --dist loadgroup -m 'not slow and not local_model'

check: format lint types imports test  ## what CI runs

format: setup-dev  ## is everything formatted?
	@$(BIN)/ruff format --check

lint: setup-dev
	@$(BIN)/ruff check

types: setup-dev
	@$(BIN)/pyright

imports: setup-dev  ## do imports go down only?
	@$(BIN)/lint-imports --no-logo

bench: setup-dev  ## measure the figures of the README
	@$(BIN)/python -m benchmarks

setup:  ## make .venv with what Retinue needs
	@scripts/setup.sh run

setup-dev:  ## … and with the tools that check it
	@scripts/setup.sh dev

lock: setup-dev  ## pin the newest allowed versions again
	@scripts/lock.sh

clean:  ## remove what the other targets made here
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
