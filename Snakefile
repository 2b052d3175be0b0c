"""The stages of dvc.yaml as jobs: in order, side by side, with the resources that each one names.

DVC owns what is up to date; Snakemake owns where and when (docs/pipeline.md).

    snakemake                                                    on this machine (profiles/default)
    snakemake --workflow-profile workflow/profiles/slurm         on a cluster, by the Slurm executor
    snakemake --workflow-profile workflow/profiles/generic       on a cluster, by a command of your own
    snakemake --config sweep=NAME                                the stages of a sweep (sweeps/NAME.yaml)
"""

from snakemake.utils import min_version

min_version("9.13")


configfile: "params.yaml"


include: "workflow/rules/planning.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        [stamp(stage.address) for stage in STAGES],


include: "workflow/rules/stages.smk"
