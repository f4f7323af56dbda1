# Every target makes what it needs first; a second run costs nothing.
# PYTHON names the interpreter that starts set-up (it finds a newer one itself when this one is too old).
PYTHON ?= python3
ARGS ?=
# How many tests run at once. Twice as many as processors is a tenth faster, and too much for some.
WORKERS ?= auto
SETUP := $(PYTHON) bin/bootstrap.py
BIN := .venv/bin
LOCK = "$$($(SETUP) uv)" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url

.DEFAULT_GOAL := help
.PHONY: help setup install demo dev check test test-fast faults simulate bench docs lock messages lint-deploy clean

help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do \
		printf '%-20s %s\n' "$$target" "$$text"; done

setup: ## the environment: .venv with everything that development and tests need
	@$(SETUP) dev

demo: ## a small federation on loopback, seeded; Ctrl-C stops it (ARGS=--exit: check it and stop)
	@$(SETUP) runtime
	@$(BIN)/medfed demo $(ARGS)

dev: ## one instance on http://127.0.0.1:8000 with its data in .demo/dev
	@$(SETUP) dev
	@mkdir -p .demo/dev
	@test -e .demo/dev/medfed.toml || $(BIN)/medfed --config .demo/dev/medfed.toml init \
		--domain 127.0.0.1:8000 --public-url http://127.0.0.1:8000 --data-dir data
	@MEDFED_FEDERATION__ALLOW_HTTP=true MEDFED_FEDERATION__ALLOW_NETWORKS=127.0.0.0/8 \
		$(BIN)/medfed --config .demo/dev/medfed.toml serve $(ARGS)

# The house rules run the import contracts (lint-imports) among others.
check: ## formatting, lint, types, import contracts, house rules
	@$(SETUP) dev
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/mypy --strict bin
	$(BIN)/pytest -q tests/test_house_rules.py
	@$(BIN)/python bin/sizes.py

test: ## the whole suite, and what it needs beyond Python where that can be had
	@$(SETUP) dev
	@$(PYTHON) bin/extras.py
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup $(ARGS)

test-fast: ## the suite without PostgreSQL, browser and slow tests
	@$(SETUP) dev
	MEDFED_TEST_POSTGRES=off $(BIN)/pytest -q -n $(WORKERS) --dist loadgroup -m "not slow" --ignore tests/browser $(ARGS)

faults: ## 200 seeded kills, 100 power cuts, a million rows …; many hours (MEDFED_FAULT_KILLS, _CUTS, _HOSTS, _SEED …)
	@$(SETUP) dev
	MEDFED_FAULT_KILLS=$${MEDFED_FAULT_KILLS:-200} MEDFED_FAULT_CUTS=$${MEDFED_FAULT_CUTS:-100} \
	MEDFED_FAULT_HOSTS=$${MEDFED_FAULT_HOSTS:-10000} MEDFED_FAULT_POSTS=$${MEDFED_FAULT_POSTS:-100} \
	MEDFED_FAULT_ROWS=$${MEDFED_FAULT_ROWS:-10000} MEDFED_FAULT_ROWS_HOSTS=$${MEDFED_FAULT_ROWS_HOSTS:-100} \
	MEDFED_FAULT_ARRIVALS=$${MEDFED_FAULT_ARRIVALS:-100000} MEDFED_FAULT_SOAK=$${MEDFED_FAULT_SOAK:-200000} \
	MEDFED_FAULT_NODES=$${MEDFED_FAULT_NODES:-6} \
		$(BIN)/pytest -v -n 0 tests/faults $(ARGS)

simulate: ## 300 seeded stories of instances that fail and must agree in the end (MEDFED_SIMULATION_SEED, _SEEDS)
	@$(SETUP) dev
	MEDFED_SIMULATION_SEEDS=$${MEDFED_SIMULATION_SEEDS:-300} $(BIN)/pytest -q -n auto tests/faults/test_simulation.py $(ARGS)

bench: ## the benchmarks, each a ratio against a floor measured in the same run
	@$(SETUP) dev
	$(BIN)/python -m bench $(ARGS)

docs: ## the pages that are written from the code
	@$(SETUP) dev
	$(BIN)/python bin/settings_guide.py
	$(BIN)/python bin/federation_guide.py
	$(BIN)/python bin/limits_guide.py

lock: ## renew requirements/*.lock after a change of pyproject.toml (ARGS=--upgrade: to the newest)
	$(LOCK) $(ARGS) pyproject.toml --extra postgres -o requirements/runtime.lock
	$(LOCK) $(ARGS) pyproject.toml --extra postgres --group dev -c requirements/runtime.lock -o requirements/dev.lock
	$(LOCK) $(ARGS) --group e2e --group deploy-lint -c requirements/dev.lock -o requirements/extras.lock
	echo uv | $(LOCK) $(ARGS) - -o requirements/installer.lock
	echo toot | $(LOCK) $(ARGS) - -o requirements/clients.lock
	printf 'apsig\nbovine\n' | $(LOCK) $(ARGS) - -o requirements/libraries.lock

messages: ## collect the texts of the pages into the French catalogue and compile it
	@$(SETUP) dev
	$(BIN)/python bin/messages.py

lint-deploy: ## deploy/ against systemd-analyze, nginx, caddy and hadolint, as far as they can be had
	@$(SETUP) dev
	@$(PYTHON) bin/extras.py
	$(BIN)/pytest -q -rs tests/test_deploy.py $(ARGS)

install: ## Debian, as root: a systemd service for DOMAIN=…, or its update (see deploy/README.md)
	@$(SETUP) runtime
	@deploy/install "$(DOMAIN)" "$(RESTORE)" "$(IDENTITY)"

clean: ## remove the environment, tools and everything generated (never data/ or medfed.toml)
	rm -rf .venv .tools .demo .interop .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find medfed tests bench bin -name __pycache__ -type d -prune -exec rm -rf {} +
