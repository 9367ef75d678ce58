# Two commands are enough: `make demo` and `make test`. Both set up .venv first, once.
PYTHON ?= python3.11
PY := .venv/bin/python

.PHONY: demo test test-system check setup setup-dev setup-llm-training bench dist clean help

help:  ## List the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

demo: setup  ## Make a model from the digits that come along, and show the package.
	@$(PY) -P tools/demo.py

test: check  ## Everything CI runs: lint, types, import contracts, all tests.

check: setup-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) -m pytest

test-system: setup-dev  ## The service under a real systemd, in a container: 10 minutes, as root.
	EDGE_TEST_SYSTEM=1 $(PY) -m pytest tests/system

setup:  ## Install the locked environment into .venv.
	@$(PYTHON) tools/setup_environment.py

setup-dev:
	@$(PYTHON) tools/setup_environment.py dev

setup-llm-training:  ## Add what training the language model needs.
	@$(PYTHON) tools/setup_environment.py dev llm-training

bench: setup-dev  ## Long benchmarks, not part of CI: an hour and a half on an idle machine.
	$(PY) benchmarks/verdicts.py
	$(PY) benchmarks/racing.py benchmarks/records/traces.jsonl.gz
	$(PY) benchmarks/forecast.py benchmarks/records/profiles.jsonl.gz
	$(PY) benchmarks/backends.py
	$(PY) benchmarks/repeatability.py
	$(PY) benchmarks/matching.py
	$(PY) benchmarks/build_models.py
	$(PY) benchmarks/large_dataset.py
	$(PY) benchmarks/ingest.py
	$(PY) benchmarks/four_tasks.py

dist: setup-dev  ## Build wheel and sdist into dist/.
	$(PY) -m build --no-isolation

clean:  ## Remove what was built here; the environment stays.
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache demo-out
