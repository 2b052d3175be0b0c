"""The section of the stage prepare_dataset."""

from typing import Literal

from pydantic import Field, model_validator

from deltadistill.pipeline.params.annotated import Cityscapes, CocoVideo, Davis, ImagenetVid, Masks
from deltadistill.pipeline.params.generated import (
    GeneratedClassification,
    GeneratedDetection,
    GeneratedStreets,
)
from deltadistill.pipeline.params.section import Section, unless_given
from deltadistill.pipeline.params.stills import (
    Celeba,
    Cifar10,
    FashionMnist,
    GeneratedObjects,
    ImageFolder,
    Stl10,
)
from deltadistill.pipeline.params.videos import Video

Kind = Literal[
    "generated",
    "cityscapes",
    "video",
    "masks",
    "davis",
    "generated_detection",
    "imagenet_vid",
    "coco_video",
    "generated_classification",
    "imagefolder",
    "generated_objects",
    "stl10",
    "fashion_mnist",
    "cifar10",
    "celeba",
]


class PrepareDataset(Section):
    """Stage prepare_dataset."""

    kind: Kind
    generated: GeneratedStreets
    cityscapes: Cityscapes
    video: Video
    masks: Masks
    davis: Davis | None = Field(default=None, exclude_if=unless_given)
    generated_detection: GeneratedDetection
    imagenet_vid: ImagenetVid
    coco_video: CocoVideo
    generated_classification: GeneratedClassification | None = None
    imagefolder: ImageFolder | None = None
    generated_objects: GeneratedObjects | None = None
    stl10: Stl10 | None = None
    fashion_mnist: FashionMnist | None = None
    cifar10: Cifar10 | None = Field(default=None, exclude_if=unless_given)
    celeba: Celeba | None = Field(default=None, exclude_if=unless_given)

    @model_validator(mode="after")
    def _the_kind_is_described(self) -> "PrepareDataset":
        if getattr(self, self.kind) is None:
            raise ValueError(f"kind is {self.kind}, but there is no section {self.kind} that describes it")
        return self
