# The book's commands. `make` alone lists them.

PORT ?= 8000
# The first Python that is new enough; name another with PYTHON=…
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$python && break; done)

# TORCH=cpu installs PyTorch's CPU build, which spares gigabytes on Linux without an NVIDIA GPU.
ifeq ($(TORCH),cpu)
export PIP_EXTRA_INDEX_URL = https://download.pytorch.org/whl/cpu
endif

RUN := .venv/bin/python
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help book site test verify lab bench pins picture clean lint chromium

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo "  Options: PORT=$(PORT)  PYTHON=/path/to/python3.11  TORCH=cpu"

book: $(READY) ## build the book and serve it on 127.0.0.1
	@$(RUN) tools/site.py --serve $(PORT)

site: $(READY) ## build the book without serving it
	@$(RUN) tools/site.py

lab: $(READY) ## open the book's notebooks in JupyterLab
	@$(RUN) -m jupyterlab --notebook-dir=book

test: $(READY) lint chromium ## test everything
	@$(RUN) -m unrolled verify
	@$(RUN) tools/site.py --clean
	@$(RUN) -m pytest --cov --cov-report=term --durations=60

verify: $(READY) ## check every derivation, theorem, refutation and answer key
	@$(RUN) -m unrolled verify

bench: $(READY) ## time the networks against their matrix products
	@$(RUN) tools/bench.py

pins: $(READY) ## resolve constraints.txt anew
	@$(RUN) tools/pins.py

picture: $(READY) ## draw the charts' pictures anew, for notebooks and the README
	@$(RUN) -m tools.picture

clean: ## remove everything that was made, the environment too
	rm -rf .venv _build build .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis lib/*.egg-info
	find lib tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

lint: $(READY)
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy

# The browser of the tests. Set CHROMIUM=/path/to/chrome to use another one.
chromium:
	@if [ -n "$(CHROMIUM)" ] || command -v chromium >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy chromium; \
	else \
		echo "The browser tests need Chromium. Install it, on Debian with 'sudo apt-get install chromium',"; \
		echo "or name a browser: make test CHROMIUM=/path/to/chrome"; exit 1; \
	fi

$(READY): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo "The book needs Python 3.11, 3.12 or 3.13, and none was found."; \
		echo "Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13, which the book needs."; exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv .venv || { \
		echo "$(PYTHON) cannot make a virtual environment; on Debian install python3-venv."; exit 1; }
	@echo "Installing the pinned packages into .venv; the first time takes some minutes."
	@$(RUN) -m pip install --disable-pip-version-check -c constraints.txt -e ".[test]"
	@touch $@
