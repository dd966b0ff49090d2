# Every verb of this repository. `pip install uv rust-just`, then `just demo`.

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments

# The machine's Python is used, never a downloaded one; UV_PYTHON=3.12 chooses another.
export UV_PYTHON_DOWNLOADS := "never"
export UV_NO_PROGRESS := "1"

bin := ".venv/bin"

_default:
    @just --list --unsorted

# ---- begin

# Solve a real problem through all services, on this machine
[group('begin')]
demo *arguments: setup
    @{{ bin }}/quire demo "$@"

# Run every service and an embedded broker on this machine
[group('begin')]
up *arguments: setup
    @{{ bin }}/quire up "$@"

# Install everything into .venv, by hash; at once when nothing changed
[group('begin')]
setup:
    @.ci/setup

# ---- test

# All tests
[group('test')]
test *arguments: setup
    {{ bin }}/pytest "$@"

# The tests that start all services
[group('test')]
test-system *arguments: setup
    {{ bin }}/pytest tests "$@"

# Break the whole thing in ways that can be repeated, and say what held; --full for the sizes of the criteria
[group('test')]
chaos *arguments: setup
    @{{ bin }}/python tests/chaos "$@"

# Install each service alone in a fresh environment and import it; or only those named
[group('test')]
isolate *services:
    @.ci/isolate "$@"

# What continuous integration does
[group('test')]
ci: check test isolate

# ---- measure

# The benchmarks named, or all: tables, and JSON in tests/benchmarks/results; --full for the sizes of the limits
[group('measure')]
bench *arguments: setup
    @{{ bin }}/python tests/benchmarks "$@"

# Install the simulators that `just bench engine` compares with, by hash, into an environment of their own
[group('measure')]
bench-peers:
    uv venv --quiet --allow-existing .venv-bench
    uv pip sync --quiet --python .venv-bench --require-hashes requirements/bench.txt

# ---- check

# Style, types, import rules, contracts and locks
[group('check')]
check: setup lint types imports contracts-fresh locks-clean

[group('check')]
lint:
    {{ bin }}/ruff check .
    {{ bin }}/ruff format --check --quiet .

[group('check')]
types:
    {{ bin }}/mypy

[group('check')]
imports:
    {{ bin }}/lint-imports

# Fails when the generated contracts are not those in the tree
[group('check')]
contracts-fresh:
    #!/usr/bin/env bash
    set -euo pipefail
    before=$(mktemp -d); trap 'rm -rf "$before"' EXIT
    cp -r contracts/. "$before"
    {{ bin }}/python -m quire_contracts.generate
    diff -r -x __pycache__ "$before" contracts || { echo "contracts/ was stale: commit what 'just contracts' wrote" >&2; exit 1; }

# Fails when a lock names an address
[group('check')]
locks-clean:
    @! grep -nE '://' requirements/*

# ---- change

# Put the sources into the project's form
[group('change')]
format: setup
    {{ bin }}/ruff format .
    {{ bin }}/ruff check --fix --quiet .

# Write JSON Schemas, AsyncAPI and new golden samples from the registry
[group('change')]
contracts: setup
    {{ bin }}/python -m quire_contracts.generate

# Choose versions anew and write requirements/, with hashes and without addresses
[group('change')]
lock *arguments:
    @.ci/lock "$@"

# Make services/NAME from the same bones as every other service
[group('change')]
new-service name: setup
    {{ bin }}/python infra/new_service.py "{{ name }}"

# Check each commit before it is made
[group('change')]
hooks: setup
    {{ bin }}/pre-commit install

# ---- containers

# Build the images of the services named, or of all (all-in-one is for a machine, not for a container)
[group('containers')]
image *services:
    #!/usr/bin/env bash
    set -euo pipefail
    for service in ${@:-$(ls services | grep -v all-in-one)}; do
        docker build --file infra/docker/Dockerfile --build-arg SERVICE="$service" --tag "quire/$service:${QUIRE_TAG:-latest}" .
    done

# Start everything in containers
[group('containers')]
compose-up *arguments:
    docker compose up --detach --wait "$@"

# The tests against everything in containers
[group('containers')]
test-compose *arguments: setup
    docker compose up --detach --wait
    QUIRE_COMPOSE=1 {{ bin }}/pytest tests/containers "$@"
    docker compose down

[group('containers')]
compose-down *arguments:
    docker compose down "$@"
