# Everything happens in .venv. PYTHON is the interpreter that creates it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXAMPLES := examples/logistic_regression.py examples/heat.py examples/scipy_fit.py

.PHONY: demo test lint bench clean

demo: $(VENV)/examples
	@set -e; for program in $(EXAMPLES); do $(BIN)/python -m lazynp run --compare $$program; echo; done

test: $(VENV)/test
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/bench
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# One stamp for each set of extras: installed again when pyproject.toml changes.
$(VENV)/examples $(VENV)/test $(VENV)/bench: $(VENV)/%: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "lazynp needs Python 3.11 or newer; name one: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv module is missing; on Debian: apt install python3-venv"; exit 1; }
	@{ command -v gcc || command -v clang || command -v cc; } >/dev/null || echo "No C compiler found (on Debian: apt install gcc): programs will run through NumPy, slowly."
	$(PYTHON) -m venv $(VENV)
