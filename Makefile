# Every target sets up what it needs: Python 3.10 to 3.13, make and the package index are enough.
#   make demo    the main job on the embedded base, written to runs/demo (started again, it continues)
#   make lab     the notebooks in JupyterLab
#   make app     the sliders in a browser, on this machine only
#   make test    what the CI runs
#   make docs    the site, in _docs (needs Quarto)
#   make bench   NAME=merging, NAME=all; without a name, the list
#   make readme  README.md from nbs/index.ipynb
#   make run     NB=nbs/08_lora.ipynb, executed in place, outputs kept
#   make address URL=https://github.com/OWNER/NAME, written into badges, install lines and metadata

.DEFAULT_GOAL := help
.PHONY: help demo app test lab docs bench readme run address setup

BIN := .venv/bin
READY := .venv/ready
# The first Python there is that this project runs on; looked for only when .venv is made.
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.13 python3.10; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
# Threads that wait must not spin: on a busy 2-core machine that costs a factor of ten.
export OMP_WAIT_POLICY ?= PASSIVE

help:
	@sed -n 's/^#   //p' Makefile

setup: $(READY)

# Torch comes first and pinned: left to choose, pip may fetch another build of it for a package that asks for less.
$(READY): settings.ini setup.py pyproject.toml constraints.txt .ci/torchvision_cpu.py
	@test -x $(BIN)/python -o -n "$(PYTHON)" || { echo "No Python 3.10 to 3.13 found: make $(MAKECMDGOALS) PYTHON=/path/to/python"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	$(BIN)/python .ci/torchvision_cpu.py
	$(BIN)/python -m ipykernel install --sys-prefix --name python3 >/dev/null
	@touch $@

# One thread: the base's matrices are so small that two threads spend their time waiting for one another.
demo: export OMP_NUM_THREADS ?= 1
demo: $(READY)
	$(BIN)/python -m loramix_nb.cli demo

app: $(READY)
	$(BIN)/loramix app

test: $(READY)
	$(BIN)/python .ci/checks.py

# In a container one is often root, which Jupyter only takes with a flag.
lab: $(READY)
	$(BIN)/jupyter lab nbs $(if $(filter 0,$(shell id -u)),--allow-root)

docs: $(READY)
	@if command -v quarto >/dev/null; then $(BIN)/nbdev-docs && $(BIN)/python .ci/web.py _docs/web && echo "The site is in _docs/index.html"; \
	else $(BIN)/python .ci/checks.py docs && echo "The notebooks are processed into _proc/. To render the site install Quarto," \
		"from https://quarto.org/docs/get-started/, and run make docs again."; fi

BENCHES = $(basename $(notdir $(wildcard nbs/benchmarks/*.ipynb)))
bench: $(READY)
ifdef NAME
	$(BIN)/python .ci/execute.py $(if $(filter all,$(NAME)),$(BENCHES:%=nbs/benchmarks/%.ipynb),$(NAME:%=nbs/benchmarks/%.ipynb))
else
	@echo "make bench NAME=... with one of: $(BENCHES) all"
endif

readme: $(READY)
	$(BIN)/python .ci/readme.py

run: $(READY)
	$(BIN)/python .ci/execute.py $(NB)

# The standard library is enough for it, so that a workflow can call it before anything is installed.
address:
	@$(or $(wildcard $(BIN)/python),$(PYTHON)) .ci/address.py $(URL)
