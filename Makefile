# The README's commands. Each sets up .venv first, if it is not there or pyproject.toml is newer.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test stress conformance lint types doctest wheel notebooks figures reproductions clean

demo: .venv/installed
	$(BIN)/keras-vae demo

test: .venv/installed
	$(BIN)/python -m pytest -n auto --dist worksteal

# The long tests: kills, replicas, a server under load, under rubbish and under new versions; CI runs them after `test`.
stress: .venv/installed
	$(BIN)/python -m pytest -n auto --dist worksteal -m stress

# Every composition of the golden list, with its table; `make test` runs some in which all parts appear.
conformance: .venv/installed
	$(BIN)/python -m pytest -n auto --dist worksteal tests/test_conformance.py -m "slow or not slow"

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/mypy

doctest: .venv/installed
	$(BIN)/python -m pytest -n auto --doctest-modules keras_vae serving

# Both distributions; the light one is then installed and checked in an environment with what it needs and nothing else.
wheel: .venv/installed
	rm -rf dist build/empty
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m build --outdir dist client
	$(PYTHON) -m venv build/empty
	build/empty/bin/pip install --quiet dist/keras_vae_client-*.whl
	cd build/empty && bin/python -P $(CURDIR)/client/check_installed.py

# Run the notebooks from clean kernels and store them with their outputs.
notebooks: .venv/installed
	$(BIN)/python notebooks/make_notebooks.py

# docs/reproductions.md, which says how long each script took: hours; each goes on where it was stopped.
reproductions: .venv/installed
	for script in benchmarks/reproduce/*.toml; do $(BIN)/python "$${script%.toml}.py" || exit 1; done
	$(BIN)/python benchmarks/reproduce/table.py

# The other figures and pictures of the README and docs/: two hours or more on two cores. Those of docs/speed.md against peers
# need `pip install 'keras_vae[benchmarks]'`, which is not in .venv: benchmarks/training.py, benchmarks/log_likelihood.py.
figures: .venv/installed
	$(BIN)/python benchmarks/linear_vae.py
	$(BIN)/python benchmarks/mnist.py bernoulli
	$(BIN)/python benchmarks/mnist.py continuous_bernoulli --num-samples 1000
	$(BIN)/python benchmarks/kill.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/speed_page.py
	$(BIN)/python benchmarks/estimators.py
	$(BIN)/python benchmarks/bounds.py
	$(BIN)/python benchmarks/ready_made.py --epochs 40
	$(BIN)/python benchmarks/ready_made.py --data mnist --epochs 20 --models vae iwae vamp cvae gumbel nvil
	$(BIN)/python benchmarks/models_page.py
	$(BIN)/python benchmarks/architecture_picture.py
	$(BIN)/python benchmarks/pictures.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/served/stages.py
	$(BIN)/python benchmarks/served/overload.py
	$(BIN)/python benchmarks/served/kill_server.py
	$(BIN)/python benchmarks/served/soak.py
	$(BIN)/keras-vae demo
	cp out/demo/metrics.json benchmarks/results/demo.json
	$(BIN)/python benchmarks/readme.py
	cp out/demo/samples.png out/demo/reconstructions.png out/demo/traversals.png docs/images/

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist *.egg-info client/*.egg-info client/build
	# But not out/reproduce, the finished parts of reproductions: hours.
	if test -d out; then find out -mindepth 1 -maxdepth 1 ! -name reproduce -exec rm -rf {} +; fi
