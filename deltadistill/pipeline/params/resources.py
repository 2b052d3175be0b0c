"""The section `resources`: what single stages ask of a machine or a cluster."""

from typing import Literal

from deltadistill.pipeline.params.section import Count, Positive, Section

Stage = Literal[
    "trace_code",
    "prepare_dataset",
    "label_frames",
    "pretrain_teacher",
    "profile_macs",
    "distill",
    "collect_networks",
    "sweep_sequence_length",
    "analyze_consistency",
    "measure_latency",
    "write_report",
]


class StageResources(Section):
    """What takes the place of a stage's meta.resources in dvc.yaml; None leaves what is there.

    cpus: processor threads. mem_mb: memory, MB. runtime: minutes. gpu: GPUs, one process each.
    """

    cpus: Positive | None = None
    mem_mb: Positive | None = None
    runtime: Positive | None = None
    gpu: Count | None = None
