# `make` lists what there is. Everything but `setup` needs no network once `setup` has run.
.DEFAULT_GOAL := help
.PHONY: deploy destroy help setup run demo test unit lint types template mutants bench load build lock clean audit audit-python audit-npm audit-template
MAKEFLAGS += --no-print-directory

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/ops:$(CURDIR)/layers/billing
# A process that finds nothing compiled, and keeps nothing, compiles thousands of files at each start.
unexport PYTHONDONTWRITEBYTECODE
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= us-east-1

PORT ?= 8000
STAGE ?= dev

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Install what everything else needs (the first time: a minute or two)
	@ops/setup.sh

run: setup ## The whole system on http://127.0.0.1:8000 (PORT=…), until Ctrl-C
	@python -m demo.run --port $(PORT) $(ARGS)

demo: setup ## Drive a purchase through the whole system, step by step
	@python -m demo.tour $(ARGS)

test: setup ## Every check: lint, types, template, tests, front end
	@python -m local.check

unit: setup ## The tests that need neither the engine nor a browser
	@pytest -q -n auto -m "not engine and not browser" $(ARGS)

lint: ## Style of the Python sources; FIX=1 mends what can be mended
	@ruff check $(if $(FIX),--fix) .
	@ruff format $(if $(FIX),,--check) .

types: ## Static types of the Python sources
	@mypy

template: ## The template, as SAM and as CloudFormation see it
	@sam validate --lint

mutants: setup ## How many small faults in the rules the fast tests notice: ARGS="--count 500 --seed 7"
	@python -m benchmarks.mutants $(ARGS)

bench: setup ## Cold starts, verification and AWS calls beside a naive variant
	@python -m benchmarks $(ARGS)

load: setup ## Signed events at the engine (ARGS="--users 1200 --faults": 10 000, and every trouble)
	@python -m benchmarks.load $(ARGS)

build: setup ## The packages for AWS, in .aws-sam/build
	@find functions layers -name __pycache__ -prune -exec rm -r {} +
	@sam build

deploy: setup ## A stage in AWS, all of it: STAGE=dev (PARAMETERS="Name=Value …"); prod asks. A second run changes nothing
	@find functions layers -name __pycache__ -prune -exec rm -r {} +
	@ops/billing deploy $(STAGE) $(PARAMETERS) $(ARGS)

destroy: setup ## Delete a stage's stack; tables and secrets stay (STAGE=dev)
	@ops/billing destroy $(STAGE) $(ARGS)

packages: setup ## What hosts install, in .local/packages
	@cd frontend && npm run --silent build -w @bitsleuth/billing-api-client -w @bitsleuth/entitlements -w @bitsleuth/billing-react
	@node frontend/scripts/packages.mjs

lock: ## Pin anew what the functions' packages need (needs the network; UPGRADE=1 takes the newest that fit)
	@cd layers/dependencies && uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
	    --annotation-style line --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) \
	    requirements.in --output-file requirements.txt
	@cd layers/dependencies && uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
	    --annotation-style line --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) \
	    nostr.in --output-file nostr.txt

audit: ## Known weaknesses of our packages, and the template's security (needs the network)
	@$(MAKE) --keep-going audit-python audit-npm audit-template

audit-python: # strict: a package whose advisories cannot be read is no package without any
	@uv tool run --from pip-audit==2.10.1 pip-audit --strict -r layers/dependencies/requirements.txt -r layers/dependencies/nostr.txt --no-deps --disable-pip

audit-npm:
	@cd frontend && npm audit

audit-template:
	@uv tool run --from checkov==3.3.30 checkov --config-file .checkov.yaml -f template.yaml

clean: ## Drop builds, and the state and logs of `make run`
	@rm -rf .aws-sam .local/build .local/build-cache .local/state
