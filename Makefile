# The first start needs Python 3.10 or newer, make and a package index. Later starts work offline.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# The name of a stamp contains the checksum of its requirements, so that a change of them installs again.
checksum = $(shell cat $(1) | cksum | cut -d ' ' -f 1)
RUN_STAMP := $(VENV)/.installed-$(call checksum,requirements.txt)
DEV_STAMP := $(VENV)/.installed-dev-$(call checksum,requirements-dev.txt)
DOCS_STAMP := $(VENV)/.installed-docs-$(call checksum,requirements-docs.txt)
BENCH_STAMP := $(VENV)/.installed-bench-$(call checksum,requirements-bench.txt benchmarks/thumbor/requirements.txt)
# Wheels only, as in the image: a source distribution runs a build script of its own and may use libraries of this machine.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
PIP_LOG := $(VENV)/pip.log
# Coverage is measured where all tests run: a part of them would miss the floor in pyproject.toml.
COVERAGE = $(if $(ARGS),,--cov --cov-report=term:skip-covered)
THUMBOR := benchmarks/thumbor/.venv
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: help demo up test check lint format docs pages translations settings licences chaos hostile corpora bench bench-check hosts audit image-check pin-images sbom dist screenshots browser programs store-check ops-check compose-check compose-images lock env clean

help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 24

demo: $(RUN_STAMP) ## Watch a CSV of products become a CSV of compressed images, on a stack of its own
	@$(BIN)/python -m imgproc demo --die-with-parent

up: $(RUN_STAMP) ## Start everything and stay in the foreground (PORT, HOST, DATA_DIR choose otherwise)
	@$(BIN)/python -m imgproc up --die-with-parent

# Four processes keep two cores busy, because many tests wait for a lease or a time-out. With six, deadlines were missed.
# What fails beside others runs once more, alone: a busy machine may starve a process for longer than a lease.
test: $(DEV_STAMP) browser ## Run all tests and show their coverage (ARGS="tests/unit -k csv" runs some)
	$(BIN)/python -m pytest --verbose --numprocesses 4 --dist loadfile $(COVERAGE) $(ARGS) || { \
	  status=$$?; [ $$status = 1 ] || exit $$status; \
	  echo 'The tests that failed run again, alone. One that passes now depends on the load of the machine: report it.'; \
	  $(BIN)/python -m pytest --verbose --last-failed --last-failed-no-failures none $(ARGS) \
	    $(if $(ARGS),,&& $(BIN)/python -m coverage report --format=total); }

chaos: $(DEV_STAMP) ## Kill, stop and cut off processes while requests run, then check that nothing is lost (ARGS="--images 10000 --faults 1000 --seed 7 --database postgresql")
	$(BIN)/python -m tests.chaos $(ARGS)

hostile: $(DEV_STAMP) ## Compress every hostile image in every format, scale and quality; takes hours (ARGS="'the largest'" tries some)
	$(BIN)/python -m tests.unit.hostile_table $(ARGS)

corpora: $(DEV_STAMP) ## Compare the pictures of a folder with how Chromium, libvips and sharp show them (DIR=folder)
	$(BIN)/python -m tests.corpora $(DIR) $(ARGS)

lint: $(DEV_STAMP) ## Check style, types, imports, the compose file and the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint Dockerfile

check: lint ## Run the linters and the unit tests, as before every commit
	$(BIN)/python -m pytest --verbose --numprocesses 2 --dist loadfile -m "not exhaustive" tests/unit $(ARGS)

audit: $(DEV_STAMP) ## Look up known vulnerabilities of the pinned packages (ADVISORIES=folder: in a local database)
	@$(BIN)/python -m scripts.audit requirements.txt
	@$(BIN)/python -m scripts.audit requirements-heic.txt
	@$(BIN)/python -m scripts.audit requirements-otel.txt
	@$(BIN)/python -m scripts.audit requirements-sentry.txt

image-check: $(DEV_STAMP) ## Build the Python layer of the image with the Dockerfile's own command, and use it
	@$(BIN)/python -m scripts.image_check

compose-check: $(DEV_STAMP) ## Run the compose file for real: a journey, more workers, faults, a removal (skipped without docker)
	@$(BIN)/python -m scripts.compose_check

compose-images: $(DEV_STAMP) ## Make the images that compose pulls from Debian packages and Go modules (ARGS=/path/to/python3.13)
	@$(BIN)/python -m scripts.compose_images $(ARGS)

pin-images: ## Pin the container images by their digests (ARGS=--check only looks)
	@$(PYTHON) scripts/pin_images.py $(ARGS)

programs: $(DEV_STAMP) ## Install the S3 servers and tools of other projects that some checks use (ARGS="minio helm": only those)
	@$(BIN)/python -m scripts.programs $(ARGS)

store-check: programs ## Run the contract of the object store against every S3 server that can be installed
	$(BIN)/python -m pytest --verbose tests/integration/test_store_contract.py

ops-check: $(DEV_STAMP) ## Check the alert rules, the dashboard and the Helm chart in ops/, with what is installed
	@$(BIN)/python -m scripts.ops_check

sbom: $(DEV_STAMP) ## Write a bill of materials (CycloneDX) of requirements.txt to var/sbom.json
	@$(BIN)/python -m scripts.sbom requirements.txt var/sbom.json

licences: $(DEV_STAMP) ## Write docs/reference/licences.md from the installed packages
	@$(BIN)/python -m scripts.licences docs/reference/licences.md

dist: $(DEV_STAMP) ## Build a wheel, a source archive and a bill of materials into dist/
	@rm -rf dist
	$(BIN)/uv build --quiet --no-build-isolation --out-dir dist .
	@rm -f dist/.gitignore
	@$(BIN)/python -m scripts.sbom requirements.txt dist/imgproc-$(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' imgproc/__init__.py).cdx.json

settings: $(DEV_STAMP) ## Write the settings into .env.example, docker-compose.yml and the documentation
	@$(BIN)/python -m scripts.write_settings $(ARGS)

docs: $(DOCS_STAMP) ## Build the documentation into site/; a link or anchor that leads nowhere is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo 'The documentation is in site/index.html.'

pages: $(DEV_STAMP) ## Write the generated pages and pictures of docs/ (command line, map of the packages, diagrams)
	@$(BIN)/python -m scripts.diagrams
	@$(BIN)/python -m scripts.package_map
	@$(BIN)/python -m scripts.cli_reference
	@$(BIN)/python -m scripts.file_messages
	@$(BIN)/python -m scripts.metrics_reference
	@$(BIN)/python -m scripts.ops_dashboard
	@$(BIN)/python -m scripts.helm_chart

translations: $(DEV_STAMP) ## Bring the translations of the console up to date, and compile them (ARGS=fr begins a language)
	@$(BIN)/python -m scripts.translations $(ARGS)

screenshots: $(DEV_STAMP) browser ## Take the pictures of the console in docs/images/
	@$(BIN)/python -m scripts.screenshots

browser: ## Install the browser of the tests where there is none and apt may install it (else they are skipped, and say so)
	@for each in chromium chromium-browser google-chrome-stable google-chrome; do command -v $$each >/dev/null && exit 0; done; \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; \
	  then apt-get install --yes --no-install-recommends chromium fonts-dejavu-core && exit 0; fi; \
	  echo 'There is no browser, so the tests of the pages are skipped. Install one, such as chromium (Debian: apt install chromium).'

bench: $(BENCH_STAMP) ## Run the benchmarks (ARGS=codec runs one table; ARGS=--quick only tries them out)
	$(BIN)/python -m benchmarks $(ARGS)

bench-check: $(BENCH_STAMP) ## Compare counted instructions with the stored counts (ARGS=--store stores new ones)
	$(BIN)/python -m benchmarks.regression $(ARGS)

hosts: $(DEV_STAMP) ## Try limited, busy, away, silent and slow hosts, and the merchants beside them (ARGS=five runs one row; ARGS=--quick only tries them)
	$(BIN)/python -m benchmarks.hosts $(ARGS)

format: $(DEV_STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(DEV_STAMP) ## Pin and hash the newest versions that the *.in files allow
	$(COMPILE) --upgrade requirements.in requirements-embedded.in -o requirements.txt
	$(COMPILE) --upgrade requirements-heic.in -c requirements.txt -o requirements-heic.txt
	$(COMPILE) --upgrade requirements-otel.in -c requirements.txt -o requirements-otel.txt
	$(COMPILE) --upgrade requirements-sentry.in -c requirements.txt -o requirements-sentry.txt
	$(COMPILE) -c requirements.txt requirements.in -o requirements-image.txt
	$(COMPILE) --upgrade requirements-dev.in -o requirements-dev.txt
	$(COMPILE) --upgrade requirements-docs.in -o requirements-docs.txt
	$(COMPILE) --upgrade requirements-bench.in -o requirements-bench.txt
	$(COMPILE) --upgrade benchmarks/thumbor/requirements.in -o benchmarks/thumbor/requirements.txt

env: ## Write .env for docker compose, with newly generated secrets
	@$(PYTHON) scripts/make_env.py .env.example .env

clean: ## Remove the virtual environment, all caches and everything that was built, but no data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage build dist site *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Keeps an environment that works, and replaces one that is broken or incomplete.
define ensure_venv
@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
  { echo 'imgproc needs Python 3.10 or newer with its venv module (Debian: apt install python3-venv); name one with PYTHON=python3.12' >&2; exit 1; }
@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo 'Creating $(VENV) ...'; $(PYTHON) -m venv $(VENV); }
endef

# Installs a requirements file. Where no package index answers, one line says so in the place of what pip says.
define install
$(ensure_venv)
@echo 'Installing $(1) ...'
@$(PIP_INSTALL) -r $(1) 2>$(PIP_LOG) || { \
  if grep -q 'connection broken\|Max retries exceeded\|from versions: none' $(PIP_LOG); \
  then echo 'No package index answers. Connect this machine to the internet, or name a mirror: PIP_INDEX_URL=https://...' >&2; \
  else cat $(PIP_LOG) >&2; fi; exit 1; }
endef

$(RUN_STAMP):
	@rm -f $(VENV)/.installed-*
	$(call install,requirements.txt)
	@touch $@

$(DEV_STAMP):
	@rm -f $(VENV)/.installed-*
	$(call install,requirements-dev.txt)
	@touch $@ $(RUN_STAMP)  # requirements-dev.txt includes requirements.txt

$(DOCS_STAMP):
	$(call install,requirements-docs.txt)
	@touch $@

# The benchmarks use the servers of the tests. sharp and thumbor are optional peers; thumbor needs an older Pillow.
$(BENCH_STAMP): $(DEV_STAMP)
	$(call install,requirements-bench.txt)
	@for each in sharp squoosh; do npm ci --prefix benchmarks/$$each --no-audit --no-fund --ignore-scripts || echo "Without npm, $$each is left out."; done
	@$(PYTHON) -m venv $(THUMBOR) && $(THUMBOR)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes -r benchmarks/thumbor/requirements.txt || { rm -rf $(THUMBOR); echo 'thumbor is left out.'; }
	@touch $@
