# `make` lists the targets. Once `setup` has run, only the targets that say so need the network.
.DEFAULT_GOAL := help
.PHONY: deploy destroy help setup run demo test sweep unit lint types template mutants bench load build lock clean audit audit-python audit-npm audit-template
MAKEFLAGS += --no-print-directory

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/ops:$(CURDIR)/layers/billing
# Without bytecode files, each process compiles thousands of files at its start.
unexport PYTHONDONTWRITEBYTECODE
export SAM_CLI_TELEMETRY := 0
# A stage's account and region come from the shell; everything else runs on this machine, past any proxy.
ifeq ($(filter deploy destroy,$(MAKECMDGOALS)),)
export AWS_DEFAULT_REGION ?= us-east-1
unexport AWS_PROFILE
export no_proxy := 127.0.0.1,localhost,$(no_proxy),$(NO_PROXY)
endif

PORT ?= 8000
STAGE ?= dev

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Install what the other targets need (the first time: a minute or two)
	@ops/setup.sh

run: setup ## Run the whole system on http://127.0.0.1:8000 (PORT=…), until Ctrl-C
	@python -m demo.run --port $(PORT) $(ARGS)

demo: setup ## Make purchases on the whole system, step by step
	@python -m demo.tour

test: setup ## Run the checks: lint, types, template, tests, front end
	@python -m local.check

sweep: setup ## Run the tests that take long: pages in a browser, all controls, states and faults (CI runs them too)
	@pytest -q -n auto --dist loadgroup -m sweep $(ARGS)

unit: setup ## Run the tests that need neither the engine nor a browser
	@pytest -q -n auto -m "not engine and not browser" $(ARGS)

lint: setup ## Check the style of the Python sources; FIX=1 fixes what it can
	@ruff check $(if $(FIX),--fix) .
	@ruff format $(if $(FIX),,--check) .

types: setup ## Check the types of the Python sources
	@mypy

template: setup ## Validate the template
	@sam validate --lint

mutants: setup ## Count the small faults in the rules that tests notice: ARGS="--count 500 --seed 7"
	@python -m benchmarks.mutants $(ARGS)

bench: setup ## Measure cold starts, verification and AWS calls, compared with a naive variant
	@python -m benchmarks $(ARGS)

load: setup ## Send signed events to the engine (ARGS="--users 1200 --faults": 10,000, with all faults)
	@python -m benchmarks.load $(ARGS)

build: setup ## Build the packages for AWS, in .aws-sam/build
	@find functions layers -name __pycache__ -prune -exec rm -r {} +
	@sam build

deploy: setup ## Deploy a stage to AWS: STAGE=dev (PARAMETERS="Name=Value …"); prod asks. A second run changes nothing
	@find functions layers -name __pycache__ -prune -exec rm -r {} +
	@ops/billing deploy $(STAGE) $(PARAMETERS) $(ARGS)

destroy: setup ## Delete a stage's stack; tables and secrets are kept (STAGE=dev)
	@ops/billing destroy $(STAGE) $(ARGS)

packages: setup ## Make the packages that hosts install, in .local/packages
	@cd frontend && npm run --silent build -w @bitsleuth/billing-api-client -w @bitsleuth/entitlements -w @bitsleuth/billing-react
	@node frontend/scripts/packages.mjs

lock: ## Pin the functions' dependencies (needs the network; UPGRADE=1 takes the newest versions)
	@cd layers/dependencies && uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
	    --annotation-style line --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) \
	    requirements.in --output-file requirements.txt
	@cd layers/dependencies && uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
	    --annotation-style line --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) \
	    nostr.in --output-file nostr.txt

audit: ## Check our packages for known vulnerabilities, and the template's security (needs the network)
	@$(MAKE) --keep-going audit-python audit-npm audit-template

audit-python: setup # strict: fails if the advisories of a package cannot be read
	@uv tool run --from pip-audit==2.10.1 pip-audit --strict -r layers/dependencies/requirements.txt -r layers/dependencies/nostr.txt --no-deps --disable-pip

audit-npm: setup
	@cd frontend && npm audit

audit-template: setup
	@uv tool run --from checkov==3.3.30 checkov --config-file .checkov.yaml -f template.yaml

clean: ## Delete builds, and the state and logs of `make run`
	@rm -rf .aws-sam .local/build .local/build-cache .local/state
