# Everything a person types. Each target says in one line what it does: "make help".

SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
ENV_STAMP := $(VENV)/.installed
CLUSTER ?= own
export CLUSTER

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: tools $(ENV_STAMP) ## From nothing to a prediction on a real cluster (CLUSTER=current: on your kubeconfig's)
	@$(PY) hack/demo up

.PHONY: recommender
recommender: $(ENV_STAMP) ## On the cluster of make demo: a model that kills one pod is served by four
	@$(PY) hack/demo too-big

.PHONY: down
down: $(ENV_STAMP) ## Undo the demo: its objects, its cluster, its folders
	@$(PY) hack/demo down

.PHONY: test
test: tools $(ENV_STAMP) ## Set up what is needed and run every check and test
	@hack/test

.PHONY: tools
tools: ## Install the Debian packages that are missing (needs root only if some are)
	@hack/tools

.PHONY: env
env: tools $(ENV_STAMP) ## Make the Python environment in .venv

$(ENV_STAMP): pyproject.toml constraints.txt
	@hack/environment $(VENV)

.PHONY: lint
lint: $(ENV_STAMP) ## Style, types and import contracts
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/mypy images/*.py examples/*.py examples/*/*.py hack/*.py hack/demo/*.py
	@$(VENV)/bin/lint-imports
	@hack/rust

.PHONY: format
format: $(ENV_STAMP) ## Format the code and sort the imports
	@$(VENV)/bin/ruff check --fix --select I .
	@$(VENV)/bin/ruff format .

.PHONY: unit
unit: $(ENV_STAMP) ## Tests that need no cluster
	@$(VENV)/bin/pytest -m "not api and not cluster"

.PHONY: api
api: $(ENV_STAMP) ## Tests against a real kube-apiserver on loopback (no root)
	@$(VENV)/bin/pytest -m api

.PHONY: e2e
e2e: $(ENV_STAMP) ## Tests on a real cluster with kubelet and containers (root)
	@$(VENV)/bin/pytest -m cluster

.PHONY: bench
bench: $(ENV_STAMP) ## Measure the server beside others (BENCH="tiny grpc c=8": a part of it)
	@hack/bench $(BENCH)

.PHONY: images
images: $(ENV_STAMP) ## Build the images of server, operator and router
	@$(PY) images/build.py all

.PHONY: constraints
constraints: $(ENV_STAMP) ## Write the installed versions to constraints.txt
	@(head -1 constraints.txt; $(VENV)/bin/pip freeze --all --exclude pip --exclude-editable) > constraints.new && mv constraints.new constraints.txt
