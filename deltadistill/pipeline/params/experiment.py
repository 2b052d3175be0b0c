"""The whole of params.yaml: its sections, and what must fit together across them."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from deltadistill.pipeline.params.boxes import Boxes
from deltadistill.pipeline.params.dataset import PrepareDataset
from deltadistill.pipeline.params.distill import Distill
from deltadistill.pipeline.params.evaluation import (
    AnalyzeConsistency,
    EvaluatedVariant,
    EvaluateVideos,
    MeasureLatency,
    ProfileMacs,
    SweepSequenceLength,
    WriteReport,
)
from deltadistill.pipeline.params.labelling import LabelFrames
from deltadistill.pipeline.params.named import named_in
from deltadistill.pipeline.params.resources import StageResources
from deltadistill.pipeline.params.section import Count, Name, Section
from deltadistill.pipeline.params.training import NO_WEIGHTS, OWN_WEIGHTS, PretrainTeacher, Training
from deltadistill.tasks.registry import TASKS


class Model(Section):
    """The per-frame network."""

    name: str
    options: dict[str, Any]


class Params(Section):
    """The whole of params.yaml."""

    experiment: Name
    seeds: Annotated[list[Count], Field(min_length=1)]
    task: named_in(TASKS, or_none=True) = None
    model: Model
    boxes: Boxes
    prepare_dataset: PrepareDataset
    label_frames: LabelFrames
    pretrain_teacher: PretrainTeacher
    training: Training
    resources: dict[Name, StageResources]  # by stage; which there are, stage_names.py looks up
    profile_macs: ProfileMacs
    distill: Distill
    variants: dict[Name, EvaluatedVariant]
    sweep_sequence_length: SweepSequenceLength
    evaluate_videos: EvaluateVideos
    analyze_consistency: AnalyzeConsistency
    measure_latency: MeasureLatency
    write_report: WriteReport

    @model_validator(mode="after")
    def _there_is_a_teacher(self) -> "Params":
        if self.pretrain_teacher.steps == 0 and self.pretrain_teacher.start_from == NO_WEIGHTS:
            raise ValueError(
                f"pretrain_teacher.steps is 0 and start_from is {NO_WEIGHTS}: nothing to keep; train some "
                f"steps, start from a checkpoint, or from {OWN_WEIGHTS} with a network that brings weights"
            )
        return self

    @model_validator(mode="after")
    def _small_networks_learn_their_statistics(self) -> "Params":
        small = [name for name, training in self.distill.trainings.items() if training.method == "small"]
        if small and self.pretrain_teacher.batch_norm == "frozen":
            raise ValueError(
                f"distill.trainings.{small[0]} is trained from random weights with the settings of "
                "pretrain_teacher, whose batch_norm is frozen: it has no statistics to keep; take the "
                "training out, or set batch_norm to synchronised"
            )
        return self

    @model_validator(mode="after")
    def _nothing_is_learnt_from_frames_that_are_scored(self) -> "Params":
        special = {name: each for name, each in self.distill.trainings.items() if each.specialise}
        longest = max(self.sweep_sequence_length.lengths)
        for name, training in special.items():
            if training.specialise.frames >= longest:
                raise ValueError(
                    f"distill.trainings.{name}.specialise.frames is {training.specialise.frames}, and frames "
                    f"from number {longest} of a clip on are scored (the longest of "
                    f"sweep_sequence_length.lengths); {longest - 1} at most may be learnt from"
                )
            uses = [v for v, entry in self.variants.items() if entry.network == f"distill/{name}"]
            if wrong := set(uses) & set(self.evaluate_videos.variants):
                raise ValueError(
                    f"evaluate_videos scores whole videos, and {min(wrong)} has learnt from their first "
                    f"frames (distill.trainings.{name}.specialise); take it out of evaluate_videos.variants"
                )
        return self

    @model_validator(mode="after")
    def _sequences_fit_into_the_clips(self) -> "Params":
        kind = self.prepare_dataset.kind
        if not kind.startswith("generated"):
            return self  # how long the clips are is known when they have been read
        frames = getattr(getattr(self.prepare_dataset, kind), "frames", 1)  # objects are single pictures
        asked = {
            "distill.max_distance": self.distill.max_distance + 1,
            "sweep_sequence_length.lengths": max(self.sweep_sequence_length.lengths),
        }
        if all(training.method == "pooled" for training in self.distill.trainings.values()):
            del asked["distill.max_distance"]  # students that pool earlier learn single frames
        for key, length in asked.items():
            if length > frames:
                raise ValueError(
                    f"{key} asks for {length} frames in a row, but prepare_dataset.{kind}.frames is {frames}"
                )
        return self

    @model_validator(mode="after")
    def _streams_have_students(self) -> "Params":
        with_students = {
            f"distill/{name}" for name, training in self.distill.trainings.items() if training.predicts
        }
        for name, variant in self.variants.items():
            inner = variant.options.get("predict", "stream") if variant.predict == "moved_between" else None
            streams = {variant.predict, inner} & {
                "stream",
                "moved_stream",
                "checked_stream",
                "adaptive_width",
            }
            if streams and variant.network not in with_students:
                raise ValueError(
                    f"variants.{name} predicts as a stream with {variant.network!r}, which has no students; "
                    f"allowed: {sorted(with_students)}, or predict: per_frame or copy"
                )
            if variant.predict == "online" and ("teacher" in variant.networks) == (
                variant.network in with_students
            ):
                raise ValueError(
                    f"variants.{name} learns online with {variant.network!r}: a network needs "
                    f"networks: {{teacher: …}}, and one with students ({sorted(with_students)}) has its own"
                )
        return self

    @model_validator(mode="after")
    def _names_refer_to_something(self) -> "Params":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds {self.seeds} must differ from one another")
        trained = {"pretrain_teacher", *(f"distill/{name}" for name in self.distill.trainings)}
        for name, variant in self.variants.items():
            named = {"network": variant.network}
            named |= {f"networks.{argument}": network for argument, network in variant.networks.items()}
            for key, network in named.items():
                if network not in trained:
                    raise ValueError(
                        f"variants.{name}.{key} is {network!r}, which nothing trains; "
                        f"allowed: {sorted(trained)}"
                    )
        if "teacher" not in self.variants:
            raise ValueError("variants.teacher is missing; every figure is given beside the teacher's")
        self._require_roles_that_the_report_can_tell_apart()
        if unknown := sorted(set(self.evaluate_videos.variants) - set(self.variants)):
            raise ValueError(
                f"evaluate_videos.variants {unknown}: no such variants; there are {', '.join(self.variants)}"
            )
        unknown = set(self.write_report.picture_lengths) - set(self.sweep_sequence_length.lengths)
        if unknown:
            raise ValueError(
                f"write_report.picture_lengths {sorted(unknown)} are not among "
                f"sweep_sequence_length.lengths {self.sweep_sequence_length.lengths}"
            )
        return self

    def _require_roles_that_the_report_can_tell_apart(self) -> None:
        report = self.write_report
        if unknown := sorted(set(report.shown_as) - set(self.variants)):
            raise ValueError(
                f"write_report.shown_as.{unknown[0]}: no such variant; there are {', '.join(self.variants)}"
            )
        if (role := report.look_of("teacher").role) not in (None, "teacher"):
            raise ValueError(
                f"write_report.shown_as.teacher.role is {role!r}, but it is the teacher, beside which every "
                "figure is given; leave the role out"
            )
        labels = [report.look_of(name).label or name for name in self.variants]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(
                f"write_report.shown_as: {twice[0]!r} is the label of two variants; give each one of its own"
            )
