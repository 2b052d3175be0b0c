"""What there is to run: the stages of dvc.yaml or of a sweep, and which of them DVC calls stale."""

import os
import signal
import sys

from pathlib import Path

from snakemake.utils import validate

sys.path[:0] = [str(Path(workflow.basedir)), str(Path(workflow.basedir, "workflow"))]

import cancelling
import dvc_files
import graph
import pipeline_lock
from stamps import refresh, stamp


ROOT = os.getcwd()

# Slurm's warning is for the stage, which writes a checkpoint and ends. What is ignored here is ignored by DVC too.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
ALONE = workflow.is_main_process and pipeline_lock.take(
    " ".join(["snakemake", *sys.argv[1:]]), wait=not pipeline_lock.only_looks(sys.argv)
)


SWEEP = config.pop("sweep", None)

if workflow.is_main_process:
    cancelling.cancel_all_jobs()
    dvc_files.mend(ROOT, dvc_files.projects(ROOT))
    from deltadistill.pipeline import params as parameters
    from sweep.write import resources as resources_of_sweep
    from sweep.write import write as write_sweep

    # No defaults set here: Snakemake would set those of a section that may be null on the null; load knows them all.
    validate(config, str(Path(workflow.basedir, "workflow", "params.schema.yaml")), set_default=False)
    parameters.load("params.yaml")  # what no schema can say: values that do not fit together
    if SWEEP and ALONE:
        write_sweep(SWEEP)
    RESOURCES = resources_of_sweep(SWEEP) if SWEEP else config.get("resources", {})
    STAGES, STALE = graph.load(
        ROOT,
        sweep=SWEEP,
        resources=RESOURCES,
        ask_what_is_stale=ALONE,
        may_run=not pipeline_lock.only_looks(sys.argv),
    )
    if ALONE:
        refresh(ROOT, [stage.address for stage in STAGES], stale=STALE)
        graph.remember(ROOT, STAGES, sweep=SWEEP)
else:  # in the job of one stage
    STAGES = graph.remembered(ROOT, graph.asked_for(sys.argv), sweep=SWEEP)
    dvc_files.mend(ROOT, {stage.project for stage in STAGES})
