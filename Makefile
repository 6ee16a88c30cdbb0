# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later

PYTHON ?= python3
SCENARIO ?= tests/lab/scenarios/demo.yml

VENV := $(CURDIR)/.venv
BUILD := $(CURDIR)/.build
COLLECTIONS := $(BUILD)/collections
INSTALLED := $(COLLECTIONS)/ansible_collections/winpki/keyprovider
STAMP := $(VENV)/.installed

export PATH := $(VENV)/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(COLLECTIONS)
export PYTHONPATH := $(COLLECTIONS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport ANSIBLE_CONFIG

.PHONY: help demo test unit integration molecule sanity lint docs lab bench sweep matrix install venv clean

help: ## Show this help
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1	/' | expand -t 14

venv: $(STAMP) ## Make the virtual environment with all tools

$(STAMP): requirements-dev.txt requirements-ldap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; call make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet -r requirements-dev.txt
	@$(VENV)/bin/pip install --quiet -r requirements-ldap.txt 2>$(VENV)/python-ldap.log || \
		echo "python-ldap could not be built (see $(VENV)/python-ldap.log): the tests over LDAP will be skipped."
	@touch $@

install: $(STAMP) ## Build the collection and install the artifact below .build
	@rm -rf $(COLLECTIONS) && mkdir -p $(BUILD)
	@ansible-galaxy collection build --force --output-path $(BUILD) . >/dev/null
	@ansible-galaxy collection install --offline --force -p $(COLLECTIONS) $(BUILD)/winpki-keyprovider-*.tar.gz >/dev/null

demo: install ## Audit a simulated Lync fleet over real WinRM (ENFORCE=1 replaces certificates, CONVERT=1 moves keys)
	@tools/demo.sh

lab: install ## Start the lab from SCENARIO=FILE and print the inventory to use
	@cd tests && exec python -m lab $(abspath $(SCENARIO))

test: install lint unit integration molecule sanity docs ## Run all tests

unit: install ## Unit tests
	pytest -q -n auto tests/unit

integration: install ## Tests through ansible-playbook over WinRM against the lab
	pytest -q -n auto --dist loadfile tests/integration

molecule: install ## Molecule scenarios against the lab
	cd extensions && molecule test --all

sanity: install ## ansible-test sanity on the installed artifact
	@tools/sanity.sh $(INSTALLED)

lint: install ## ruff, mypy, ansible-lint and the changelog
	ruff check .
	ruff format --check .
	cd $(COLLECTIONS) && mypy --config-file $(CURDIR)/pyproject.toml -p ansible_collections.winpki.keyprovider.plugins.plugin_utils
	MYPYPATH=tests mypy -p lab
	ansible-lint --profile production --offline --strict
	antsibull-changelog lint

docs: install ## Check the documentation of the modules, filters and tests
	cd $(INSTALLED) && antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs all --disallow-unknown-collection-refs .

bench: install ## Measure against the bounds and write bench/results
	PYTHONPATH=$(COLLECTIONS):$(CURDIR)/tests python bench/run.py

sweep: install ## Cut the enforce run at each HTTP request and write bench/results/sweep.md
	PYTHONPATH=$(COLLECTIONS):$(CURDIR)/tests python bench/sweep.py

matrix: install ## The tests with other releases of ansible-core
	tools/matrix.sh

clean: ## Remove everything that was made here
	rm -rf $(VENV) $(BUILD) .cache .mypy_cache .pytest_cache .ruff_cache tests/output certificate_reports certificate_requests template_backups
