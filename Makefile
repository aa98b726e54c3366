# datadiet: `make demo` scores CIFAR-10, `make ready` says whether a change is ready.
# Everything downloaded or built goes to target/, .torch/ and the user's cache and data folders.

SHELL := bash
DATADIET := target/release/datadiet
BENCH_PYTHON := target/bench-python/bin/python
BENCH_READY := target/bench-python/ready
PY := target/python/bin/python
PY_READY := target/python/ready
# Tests that the machine lacks something for say so in here.
LEFT_OUT := $(or $(CARGO_TARGET_DIR),target)/tmp/left-out

.PHONY: help demo build command torch torch-python python wheel dist test test-python test-clusters test-wheel test-avx2 lint ready \
	bench fuzz smoke results published-scores cifar10n wordnet wordnet-minilm clean

help:
	@echo "make demo    score CIFAR-10, find labels changed on purpose, train on a part, write a report (set-up included)"
	@echo "make build   $(DATADIET) and datadiet-worker, which trains"
	@echo "make command $(DATADIET) alone: needs no PyTorch, does not train"
	@echo "make python  the Python package, importable from $(PY)"
	@echo "make wheel   the Python package and the commands as a wheel in target/wheels"
	@echo "make dist    wheel and source distribution for others, in target/dist"
	@echo "make test    all tests, those of the Python package too (alone: make test-python)"
	@echo "make test-clusters  trainings on Slurm and on Ray, two nodes each of this machine (root; Debian's packages)"
	@echo "make test-wheel  the wheel in an empty environment, without network and Rust"
	@echo "make test-avx2  the numerical tests again, without AVX-512 and AMX"
	@echo "make lint    rustfmt, clippy and rustdoc, warnings denied"
	@echo "make ready   lint and test: what a change must pass"
	@echo "make bench   speed against PyTorch, NumPy, SciPy and DuckDB; writes bench/README.md"
	@echo "make fuzz    three minutes of fuzzing for each reader of files (rustup's nightly)"
	@echo "make smoke   the demo on 2,000 images"
	@echo "make results the reports and figures of results/, from their outcome.json"
	@echo "make published-scores  tables of scores of CIFAR-10 with README and checksums, to share on the Hub (hours)"
	@echo "make cifar10n  the human labels of CIFAR-10N, for experiments/small/noise.toml"
	@echo "make wordnet  texts and their labels, for experiments/text and examples/text_transformer.py"
	@echo "make wordnet-minilm  the same as vectors of a small pretrained encoder, for examples/text_embeddings.py"

demo: build
	$(DATADIET) data fetch cifar10
	$(DATADIET) noise --data cifar10 --symmetric 0.2 --out scores/demo-labels.parquet
	@# It trains what scores too: the time is of both.
	@$(DATADIET) run experiments/demo-prune.toml --plan --estimate
	$(DATADIET) score experiments/demo.toml
	$(DATADIET) suspects scores/demo --truth scores/demo-labels.parquet -n 10
	$(DATADIET) run experiments/demo-prune.toml --out results/demo
	@echo
	@echo "Spearman's rank correlation of some scores:"
	@$(DATADIET) scores correlate scores/demo \
		--columns input-norm@0,grand@0,grand@2,el2n@2,forgetting@end,margin-of-mean@end
	@echo
	@echo "Open results/demo/report.html in a browser, or look at the images: $(DATADIET) explore scores/demo"

build: torch
	cargo build --release --package datadiet --package datadiet-worker

command:
	cargo build --release --package datadiet

# Where cargo finds PyTorch's libraries. `make torch-python` points it to the PyTorch of tests.
torch:
	@[ -e .torch/libtorch/lib ] || { $(MAKE) --no-print-directory command && mkdir -p .torch && \
		answer=$$($(DATADIET) setup --json) && \
		folder=$$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["folder"])' "$$answer") && \
		ln -sfn "$$folder" .torch/libtorch; }

torch-python:
	@scripts/torch-python

# In the release profile: it shares what the demo built, and the engine's tests train networks.
test: torch-python
	@rm -f $(LEFT_OUT)
	cargo test --release --workspace
	$(MAKE) test-python
	@cat $(LEFT_OUT) 2>/dev/null || true

# An environment that has PyTorch from the one of scripts/torch-python, instead of a second copy.
$(PY_READY): python/requirements-dev.txt python/requirements-build.txt | torch-python
	.torch/python -m venv --clear target/python
	.torch/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch.pth"
	$(PY) -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

python: $(PY_READY)
	PATH="$(CURDIR)/target/python/bin:$$PATH" $(PY) python/build/backend.py
	VIRTUAL_ENV=$(CURDIR)/target/python target/python/bin/maturin develop --release --quiet

wheel: $(PY_READY)
	PATH="$(CURDIR)/target/python/bin:$$PATH" $(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir target/wheels .

# For others: the wheel named for the systems that it runs on, with datadiet-worker; the sources with all crates.
dist: $(PY_READY)
	rm -rf target/dist target/dist-untagged
	PATH="$(CURDIR)/target/python/bin:$$PATH" $(PY) -m build --no-isolation --wheel --outdir target/dist-untagged
	PATH="$(CURDIR)/target/python/bin:$$PATH" $(PY) -m auditwheel repair --wheel-dir target/dist \
		--exclude libtorch_cpu.so --exclude libtorch.so --exclude libc10.so target/dist-untagged/*.whl
	PATH="$(CURDIR)/target/python/bin:$$PATH" DATADIET_VENDOR=1 $(PY) -m build --no-isolation --sdist --outdir target/dist

test-wheel: dist
	scripts/test-wheel target/dist

# A file of tests stays in one process: what it sets up is its own.
test-python: python
	$(PY) -m pytest --quiet --numprocesses logical --maxprocesses 4 --dist loadfile

test-clusters: build python
	scripts/test-clusters $(PY)

# As on a processor that has AVX2 and no more, on the binaries of `make test`.
test-avx2: torch-python
	ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 DATADIET_MAX_ISA=avx2 \
		scripts/test-binaries core engine

lint: torch-python $(PY_READY)
	cargo fmt --all --check
	scripts/check-torch-free
	scripts/check-one-build
	$(PY) -m ruff check python
	$(PY) -m ruff format --check python
	cargo clippy --release --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --release --workspace --no-deps

ready: lint test

$(BENCH_READY): bench/peers/requirements.txt
	python3 -m venv target/bench-python
	$(BENCH_PYTHON) -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

bench: build $(BENCH_READY)
	$(DATADIET) data fetch cifar10
	$(BENCH_PYTHON) bench/grand.py --datadiet $(DATADIET)
	$(BENCH_PYTHON) bench/score_job.py --datadiet $(DATADIET)
	$(BENCH_PYTHON) bench/score_job.py --datadiet $(DATADIET) --network airbench --width 16
	$(BENCH_PYTHON) bench/score_job.py --datadiet $(DATADIET) --network airbench --width 64 --slow-rounds 1
	$(BENCH_PYTHON) bench/record.py --datadiet $(DATADIET) --section record-94
	$(BENCH_PYTHON) bench/record.py --datadiet $(DATADIET) --section record-93 --epochs 5
	cargo build --release --package datadiet-engine --example kernel_speed
	$(BENCH_PYTHON) bench/kernel.py --ours target/release/examples/kernel_speed
	cargo build --release --package datadiet-core --example selection_speed
	$(BENCH_PYTHON) bench/selection.py --datadiet $(DATADIET) \
		--ours target/release/examples/selection_speed
	cargo build --release --package datadiet-explore --example explore_speed
	$(BENCH_PYTHON) bench/explore.py --datadiet $(DATADIET) --ours target/release/examples/explore_speed
	cargo build --release --package datadiet-core --example fast_scores
	$(BENCH_PYTHON) bench/fast_scores.py --ours target/release/examples/fast_scores
	$(BENCH_PYTHON) bench/ingest.py --datadiet $(DATADIET)
	cargo build --release --package datadiet-table --example key_map
	$(BENCH_PYTHON) bench/keys.py --ours target/release/examples/key_map
	$(MAKE) python
	$(PY) bench/executors.py --datadiet $(DATADIET)
	$(PY) bench/python.py
	$(PY) bench/torch_grand.py
	$(PY) bench/loops.py

fuzz:
	scripts/fuzz

smoke: build
	$(DATADIET) data fetch cifar10
	$(DATADIET) noise --data cifar10 --symmetric 0.2 --out scores/demo-labels.parquet
	$(DATADIET) score experiments/demo.toml --limit 2000 --epochs 2 --at 0,1,2 --grand-at 0,1 --out target/smoke
	$(DATADIET) suspects target/smoke --truth scores/demo-labels.parquet -n 3
	$(DATADIET) run experiments/demo-prune.toml --out target/smoke-prune --estimate --set training.limit=2000 \
		--set training.epochs=2 --set scoring.at=[0,1,2] --set scoring.grand-at=[0,1] --set window.retrainings=1

# Trains nothing: the outcomes are in git, their reports are not.
results: build
	for folder in results/cifar10-*/*/ results/wordnet-*/*/; do $(DATADIET) report "$$folder" || exit 1; done

# Goes on where it was; ONLY=NAME makes one table.
published-scores: build python
	$(DATADIET) data fetch cifar10
	$(PY) scripts/published-scores --datadiet $(DATADIET) $(addprefix --only ,$(ONLY))

cifar10n: torch-python
	.torch/python scripts/cifar10n-labels

wordnet:
	scripts/wordnet-glosses

wordnet-minilm: $(PY_READY) wordnet
	$(PY) scripts/wordnet-minilm

clean:
	cargo clean
