#!/usr/bin/env bash
# Pins every package with the hashes of all its files, for every Python from 3.11 on and every
# platform, without naming where they come from.
set -euo pipefail
cd "$(dirname "$0")/.."

compile() {
    .venv/bin/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command 'make lock' "$@"
}

compile --extra local --extra anthropic --group build --output-file requirements/run.lock
compile --extra local --extra anthropic --group dev --constraint requirements/run.lock \
    --output-file requirements/dev.lock
