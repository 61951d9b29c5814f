# Set-up needs Python 3.10 or newer, make and a package index; after the first time everything starts offline.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# The stamps bear the checksum of the file they stand for, so that a change of requirements is noticed.
checksum = $(shell cat $(1) | cksum | cut -d ' ' -f 1)
RUN_STAMP := $(VENV)/.installed-$(call checksum,requirements.txt)
DEV_STAMP := $(VENV)/.installed-dev-$(call checksum,requirements-dev.txt)
DOCS_STAMP := $(VENV)/.installed-docs-$(call checksum,requirements-docs.txt)
BENCH_STAMP := $(VENV)/.installed-bench-$(call checksum,requirements-bench.txt benchmarks/thumbor/requirements.txt)
# Wheels alone, as in the image: a source distribution runs its own build script, and may take this machine's libraries.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
THUMBOR := benchmarks/thumbor/.venv
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: help demo up test chaos hostile lint audit image-check check pin-images sbom licences docs pages bench format lock env clean

help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 24

demo: $(RUN_STAMP) ## Watch a CSV of products become a CSV of compressed images, on a stack of its own
	@$(BIN)/python -m imgproc demo --die-with-parent

up: $(RUN_STAMP) ## Start everything and stay in the foreground (PORT, HOST, DATA_DIR choose otherwise)
	@$(BIN)/python -m imgproc up --die-with-parent

test: $(DEV_STAMP) ## Run the tests (ARGS="tests/unit -k csv" runs some)
	$(BIN)/python -m pytest --verbose --numprocesses 2 --dist loadfile $(ARGS)

chaos: $(DEV_STAMP) ## Break everything, again and again (ARGS="--images 10000 --faults 1000 --seed 7 --database postgresql")
	$(BIN)/python -m tests.chaos $(ARGS)

hostile: $(DEV_STAMP) ## Compress every hostile image in every format, scale and quality, for hours (ARGS="'the largest'" tries some)
	$(BIN)/python -m tests.unit.hostile_table $(ARGS)

lint: $(DEV_STAMP) ## Check style, types, imports, the compose file and the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint Dockerfile

check: lint ## Run the linters and the unit tests, as before every commit
	$(BIN)/python -m pytest --verbose --numprocesses 2 --dist loadfile tests/unit $(ARGS)

audit: $(DEV_STAMP) ## Look for known faults of what is pinned (ADVISORIES=folder: in a local database)
	@$(BIN)/python -m scripts.audit requirements.txt

image-check: $(DEV_STAMP) ## Build the image's Python layer by the Dockerfile's command, and use it
	@$(BIN)/python -m scripts.image_check

pin-images: ## Write the digests of the container images (ARGS=--check only looks)
	@$(PYTHON) scripts/pin_images.py $(ARGS)

sbom: $(DEV_STAMP) ## Write a bill of materials (CycloneDX) of requirements.txt to var/sbom.json
	@$(BIN)/python -m scripts.sbom requirements.txt var/sbom.json

licences: $(DEV_STAMP) ## Write docs/reference/licences.md from what is installed
	@$(BIN)/python -m scripts.licences docs/reference/licences.md

docs: $(DOCS_STAMP) ## Build the documentation into site/; a link or anchor that leads nowhere is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo 'The documentation is in site/index.html.'

pages: $(DEV_STAMP) ## Write the generated pages and pictures of docs/ (command line, map of the packages, diagrams)
	@$(BIN)/python -m scripts.diagrams
	@$(BIN)/python -m scripts.package_map
	@$(BIN)/python -m scripts.cli_reference

bench: $(BENCH_STAMP) ## Run the benchmarks (ARGS=codec runs one table; ARGS=--quick only tries them out)
	$(BIN)/python -m benchmarks $(ARGS)

format: $(DEV_STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(DEV_STAMP) ## Pin and hash the newest versions that the *.in files allow
	$(COMPILE) --upgrade requirements.in -o requirements.txt
	$(COMPILE) --upgrade requirements-dev.in -o requirements-dev.txt
	$(COMPILE) --upgrade requirements-docs.in -o requirements-docs.txt
	$(COMPILE) --upgrade requirements-bench.in -o requirements-bench.txt
	$(COMPILE) --upgrade benchmarks/thumbor/requirements.in -o benchmarks/thumbor/requirements.txt

env: ## Write .env for docker compose, with secrets of its own
	@$(PYTHON) scripts/make_env.py .env.example .env

clean: ## Remove the virtual environment and all caches, but no data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that is there is kept; one that is broken or half made is made again.
define ensure_venv
@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
  { echo 'imgproc needs Python 3.10 or newer with its venv module (Debian: apt install python3-venv); name one with PYTHON=python3.12' >&2; exit 1; }
@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo 'Creating $(VENV) ...'; $(PYTHON) -m venv $(VENV); }
endef

$(RUN_STAMP):
	$(ensure_venv)
	@echo 'Installing requirements.txt ...'
	@rm -f $(VENV)/.installed-*
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(DEV_STAMP):
	$(ensure_venv)
	@echo 'Installing requirements-dev.txt ...'
	@rm -f $(VENV)/.installed-*
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@ $(RUN_STAMP)  # which asks for nothing more

$(DOCS_STAMP):
	$(ensure_venv)
	@echo 'Installing requirements-docs.txt ...'
	@$(PIP_INSTALL) -r requirements-docs.txt
	@touch $@

# The benchmarks run the tests' servers. sharp and thumbor are peers that may be missing; thumbor needs an older Pillow.
$(BENCH_STAMP): $(DEV_STAMP)
	@echo 'Installing requirements-bench.txt ...'
	@$(PIP_INSTALL) -r requirements-bench.txt
	@npm ci --prefix benchmarks/sharp --no-audit --no-fund --ignore-scripts || echo 'Without npm, sharp is left out.'
	@$(PYTHON) -m venv $(THUMBOR) && $(THUMBOR)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes -r benchmarks/thumbor/requirements.txt || { rm -rf $(THUMBOR); echo 'thumbor is left out.'; }
	@touch $@
