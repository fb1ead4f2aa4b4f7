# Set-up and the jobs of this repository. `make search` and `make test` need Python 3.11+, pip, git and make, nothing else.
PYTHON ?= python3
VENV ?= .venv
ARGS ?= --budget tokens=16k

.PHONY: search test check test-slow lock clean help

help:            ## this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

search: $(VENV)/installed  ## the main job, on the embedded reasoner: python optimize/search.py --budget tokens=16k
	$(VENV)/bin/python optimize/search.py $(ARGS)

test: $(VENV)/installed    ## the default tests
	$(VENV)/bin/python -m pytest

check: $(VENV)/installed   ## lint and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/python -m mypy

test-slow: $(VENV)/installed  ## the tests that take minutes
	$(VENV)/bin/python -m pytest -m slow

# Debian ships Python without ensurepip unless python3-venv is installed; pip itself can fill an empty environment.
$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV) 2>/dev/null || ( $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(VENV)/bin/python install pip )

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

lock: $(VENV)/installed    ## write constraints.txt from what is installed and tested here
	$(VENV)/bin/python -m pip freeze --exclude-editable --exclude pdr-dspy > constraints.txt

clean:           ## remove the environment and caches (runs/, mlruns/ and mlflow.db stay)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
