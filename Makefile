# The two commands: `make demo` (from nothing to a running twin) and `make test` (from nothing to the whole suite passed).
.DEFAULT_GOAL := help
.PHONY: help demo test check format bench bench-quality chaos soak faults docs types lock clean environment page
VENV := .venv/bin

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 12

demo: ## the whole twin on this machine: database, broker, plant, two edge agents, api, page
	@sh setup/environment.sh demo
	@$(VENV)/python setup/page.py
	@exec $(VENV)/twin demo $(ARGS)

test: environment check ## everything: checks, then every test on real parts
	@sh setup/test-programs.sh
	@$(VENV)/python setup/page.py
	@$(VENV)/python setup/peers.py
	@echo "the kernels once as plain Python, then everything on their machine code"
	NUMBA_DISABLE_JIT=1 $(VENV)/python -m pytest -q -n 2 -m "not many_samples" tests/unit/test_kernel*.py tests/unit/test_state_view.py
	$(VENV)/twin prepare
	$(VENV)/python -m pytest -n 2 $(ARGS)

check: environment ## ruff, basedpyright, import-linter
	$(VENV)/ruff format --check .
	$(VENV)/ruff check .
	$(VENV)/basedpyright
	$(VENV)/lint-imports

format: environment ## mend what can be mended by machine
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

bench: page ## measure speed and memory, write benchmarks/*.json and docs/benchmarks.md
	@sh setup/environment.sh bench
	@sh setup/test-programs.sh
	@$(VENV)/python setup/peers.py bench
	$(VENV)/python -m tests.benchmark $(ARGS)

bench-quality: ## DATA=folder with recordings: quality against published results, into the same files
	@sh setup/environment.sh bench
	$(VENV)/python -m tests.benchmark --data "$(DATA)" $(ARGS)

chaos: environment page ## the long journey: kills and cuts at random moments, store against truth log
	@sh setup/test-programs.sh
	$(VENV)/python -m pytest -m chaos -s --timeout 3600 tests/journey $(ARGS)

soak: environment page ## HOURS=24: random kills, cuts and late data; writes docs/reference/soak-report.md
	@sh setup/test-programs.sh
	$(VENV)/python -m tests.journey.soak --hours $(or $(HOURS),24) $(ARGS)

faults: environment page ## every fault that a site knows, done to the whole chain; writes docs/reference/fault-report.md
	@sh setup/test-programs.sh
	FABRIQUAY_FAULT_REPORT=docs/reference/fault-report.md $(VENV)/python -m pytest -q -m faults tests/fault/test_faults.py $(ARGS)

environment:
	@sh setup/environment.sh dev

page: environment
	@$(VENV)/python setup/page.py

docs: environment ## docs/reference/configuration.md from the models that read the files
	PYTHONPATH=. $(VENV)/python setup/configuration_page.py

types: environment ## api/web/src/api.gen.ts, the page's types, from the OpenAPI document
	PYTHONPATH=. $(VENV)/python setup/page_types.py

lock: environment ## resolve the dependencies anew
	sh setup/lock.sh

clean: ## remove what was built here (not the demo's data in .fabriquay)
	rm -rf .venv .cache dist api/static api/web/node_modules tests/peers/*/node_modules .pytest_cache .ruff_cache .hypothesis
