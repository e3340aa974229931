# `make demo` and `make test` need Python >= 3.11 and make, and set up .venv themselves.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
# Workers with several threads each would wait for one another.
PYTEST = SCIPY_ARRAY_API=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadgroup

.PHONY: demo test test-slow test-docs test-versions docs types lint format clean

demo: $(READY)
	$(BIN)/python examples/demo_digits.py

test: $(READY)
	$(PYTEST) -m "not slow"

# Statistical claims, fits of full size, and more examples of what holds for any input.
test-slow: $(READY)
	$(PYTEST) -m "slow or hypothesis" --hypothesis-profile thorough tests --ignore=tests/test_documents.py --ignore=tests/test_documentation.py

# The snippets of README and guide, and the site without the figures of its gallery.
test-docs: $(READY)
	$(PYTEST) -m slow tests/test_documents.py tests/test_documentation.py

# The quick tests with the lowest versions, with those of constraints.txt, and between.
test-versions: $(READY)
	$(BIN)/python tests/versions/run.py

docs: $(READY)
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

# Type hints, by mypy.
types: $(READY)
	$(BIN)/mypy

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python >= 3.11 is needed: make PYTHON=python3.11 ...')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[plot,test,docs]'
	touch $(READY)

clean:
	rm -rf $(VENV) .versions build dist *.egg-info demo-output
