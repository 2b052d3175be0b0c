"""Data sets of single pictures with a class each."""

from typing import Annotated

from pydantic import Field

from deltadistill.pipeline.params.section import Count, Positive, Section


class ImageFolder(Section):
    """Folders of classes, with pictures or clips of frames in each, read in place."""

    root: str
    train: Annotated[list[str], Field(min_length=1)]
    tune: list[str]
    tune_every: Annotated[int, Field(ge=2)]
    test: Annotated[list[str], Field(min_length=1)]
    height: Annotated[int, Field(ge=16)]
    width: Annotated[int, Field(ge=16)]


class _Stills(Section):
    """Pictures with a class each, in files of a known layout."""

    tune_every: Annotated[int, Field(ge=2)]
    height: Annotated[int, Field(ge=16)]
    width: Annotated[int, Field(ge=16)]


class GeneratedObjects(_Stills):
    """Pictures of things of generated streets, written in the layout of STL-10."""

    train_pictures: Annotated[int, Field(ge=2)]
    test_pictures: Positive
    noise: Annotated[float, Field(ge=0, le=0.5)]
    seed: Count
    workers: Positive


class Stl10(_Stills):
    """STL-10's binary files."""

    root: str


class FashionMnist(_Stills):
    """Fashion-MNIST's idx files."""

    root: str


class Cifar10(_Stills):
    """CIFAR-10's binary files."""

    root: str


class Celeba(Section):
    """CelebA's aligned faces, of which the middle is cut out; its own list says which are tuned on."""

    root: str
    height: Annotated[int, Field(ge=16)]
    width: Annotated[int, Field(ge=16)]
