"""The section of the stage label_frames."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from deltadistill.pipeline.params.section import Count, Positive, Section, Share

Folder = Literal["data", "labelled"]
Side = Annotated[int, Field(ge=32)]


class LabelFrames(Section):
    """Stage label_frames, which there is only where `folders` names one."""

    folders: Annotated[list[Literal["labelled"]], Field(max_length=1)]
    pretrain_teacher: Folder
    distill: Folder
    network: str
    kind: Literal["checkpoint", "torchvision", "onnx"]
    architecture: Literal[
        "fcn_resnet50",
        "fcn_resnet101",
        "deeplabv3_resnet50",
        "deeplabv3_resnet101",
        "deeplabv3_mobilenet_v3_large",
        "lraspp_mobilenet_v3_large",
    ]
    gives: Literal["logits", "probabilities"]
    classes: dict[str, list[Count]] | None
    threshold: Share
    size: Annotated[tuple[Side, Side], Field(strict=False)] | None
    batch: Positive

    @model_validator(mode="after")
    def _what_is_trained_on_is_made(self) -> "LabelFrames":
        for stage in ("pretrain_teacher", "distill"):
            if getattr(self, stage) == "labelled" and not self.folders:
                raise ValueError(
                    f"{stage} is to train on labelled/, which nothing makes; set folders to [labelled]"
                )
        return self
