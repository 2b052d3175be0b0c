"""The section `resources`: what single stages ask of a machine or a cluster."""

from deltadistill.pipeline.params.section import Count, Positive, Section


class StageResources(Section):
    """What takes the place of a stage's meta.resources in dvc.yaml; None leaves what is there.

    cpus: processor threads. mem_mb: memory, MB. runtime: minutes. gpu: GPUs, one process each.
    """

    cpus: Positive | None = None
    mem_mb: Positive | None = None
    runtime: Positive | None = None
    gpu: Count | None = None
