"""Before anything runs: can these parameters work? The network is built and every search checked for reach.

    python -m deltadistill.pipeline.preflight [params.yaml …]

Prints nothing when all is well. What only the data can tell (a Cityscapes frame's size) is left to the
stages.
"""

import json
import sys
from pathlib import Path
from typing import Any

from torch import nn

from deltadistill import models
from deltadistill.blocks.delta_network import require_candidates
from deltadistill.blocks.designs import shape_design
from deltadistill.conversion.convert import convert
from deltadistill.conversion.registry import SELECTORS
from deltadistill.data.dataset_info import KINDS_OF_BOXES, KINDS_OF_CLASSES
from deltadistill.data.label_table import ClassEntry
from deltadistill.models import sources
from deltadistill.objectives.registry import OBJECTIVES
from deltadistill.pipeline import params as parameters
from deltadistill.pipeline.kept_costs import COUNTED, require_cost_options
from deltadistill.pipeline.params.distill import Distill
from deltadistill.pipeline.params.trainings import NetworkTraining
from deltadistill.pipeline.recipe_of_search import search_costs, search_course
from deltadistill.pipeline.recipe_of_student import early_student
from deltadistill.pipeline.stage_names import require_stages
from deltadistill.predictors.key_schedules import build_schedule
from deltadistill.predictors.predictor import require_options
from deltadistill.preparation.celeba import CLASS as FACE
from deltadistill.preparation.cifar10 import NAMES as CIFAR10
from deltadistill.preparation.class_table import read_class_table
from deltadistill.preparation.fashion_mnist import NAMES as FASHION
from deltadistill.preparation.label_table_file import open_label_table
from deltadistill.preparation.moving_shapes import SHAPES
from deltadistill.preparation.street.objects import NAMES as OBJECTS
from deltadistill.tasks.detection import detector_of

_ANY = 10  # classes, where only the data tell how many


def check(*paths: Path) -> None:
    """Raise ValueError that names file, key and fault where the parameters in one of `paths` cannot work.

    The files of a sweep mostly agree in what is looked at, which is then done once.
    """
    checked: set[str] = set()
    for path in paths:
        params = parameters.load(path)
        key = json.dumps(_checked_values(params), sort_keys=True)
        if key not in checked:
            try:
                _require_workable(params)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from None
            checked.add(key)


def _checked_values(params: parameters.Params) -> dict[str, Any]:
    """All that is looked at, and a little more."""
    loss = {"pretrain_teacher": {"loss": {"class_weights"}, "augment": {"crop"}}}
    distill = {"distill": {"steps", "students", "search", "trainings", "augment"}}
    whole = {"model": True, "prepare_dataset": True, "label_frames": True, "resources": True}
    evaluated = {"variants": True, "evaluate_videos": True}
    return params.model_dump(mode="json", include=whole | loss | distill | evaluated)


def _require_workable(params: parameters.Params) -> None:
    require_stages(params.resources)
    _require_labels_can_be_made(params)
    _require_predictors(params)
    _require_students(params)
    classes = _classes(params)
    if classes is None:
        return
    _require_weights(params, classes)
    network = _built("model", params.model.name, classes, params.model.options)
    _require_detector(network, params)
    reached: set[str] = set()  # trainings that differ in neither students nor search are looked at once
    for name, training in params.distill.trainings.items():
        key = f"distill.trainings.{name}"
        if training.method == "small":
            named, options = training.network(params.model.name, params.model.options)
            _require_loadable(key, named, params)
            _built(key, named, classes, options)
            _require_objectives(key, params, name)
        elif training.predicts:
            _require_boxes(key, params, training)
            _require_objectives(key, params, name)
            _require_cost(key, params, name)
            settings = params.distill.of_training(name)
            decides = settings.model_dump_json(include={"students", "search", "steps"})
            if decides not in reached:
                _require_reach(key, network, params, settings)
            reached.add(decides)


def _require_students(params: parameters.Params) -> None:
    """Students that pool earlier can be made of the teacher's network, and keep rows at every map."""
    size = _frame_size(params)
    for name, training in params.distill.trainings.items():
        if training.student is None or size is None:
            continue
        key, classes = f"distill.trainings.{name}", _classes(params) or _ANY
        _require_objectives(key, params, name)
        network = _built("model", params.model.name, classes, params.model.options)
        try:
            early_student(network, network, training.student, (3, *size))
        except ValueError as error:
            raise ValueError(f"{key}.student: {error}") from None


def _require_loadable(key: str, named: str, params: parameters.Params) -> None:
    """Network files name no code anywhere but the teacher's, which the parameters vouch for."""
    if named != params.model.name and sources.source_of(named) in sources.LEAD_ANYWHERE:
        raise ValueError(
            f"{key}.model {named!r} leads to code outside networks/; put a file with build(*, classes, …) "
            "there and name it by its stem"
        )


def _require_predictors(params: parameters.Params) -> None:
    """Predictors and schedules of key frames can be found, and take the options that they are given."""
    for name, variant in params.variants.items():
        try:
            require_options(variant.predict, variant.options, networks=variant.networks)
        except ValueError as error:
            raise ValueError(f"variants.{name}: {error}") from None
    for name, key_frames in params.evaluate_videos.schedules.items():
        try:
            build_schedule(key_frames.schedule, key_frames.options)
        except ValueError as error:
            raise ValueError(f"evaluate_videos.schedules.{name}: {error}") from None


def _classes(params: parameters.Params) -> int | None:
    """How many classes the data set has; None where only the data tell."""
    dataset = params.prepare_dataset
    if dataset.kind == "generated_classification":
        return len(SHAPES)
    if dataset.kind in _NAMES_OF_KIND:
        return len(_NAMES_OF_KIND[dataset.kind])
    if dataset.kind in ("coco_video", "imagefolder", "stl10"):
        return None
    if dataset.kind in ("generated_detection", "imagenet_vid"):
        return len(read_class_table(Path(getattr(dataset, dataset.kind).class_table)))
    if _has_boxes(params):
        return 1  # what a video's truth calls its boxes
    return len(_label_table(params))


_NAMES_OF_KIND = {
    "generated_objects": OBJECTS,
    "fashion_mnist": FASHION,
    "cifar10": CIFAR10,
    "celeba": (FACE,),
}


def _label_table(params: parameters.Params) -> tuple[ClassEntry, ...]:
    """The classes of a data set with label maps."""
    dataset = params.prepare_dataset
    return open_label_table(getattr(getattr(dataset, dataset.kind), "label_table", "street_8"))


def _require_labels_can_be_made(params: parameters.Params) -> None:
    mine, dataset = params.label_frames, params.prepare_dataset
    if not mine.folders:
        return
    if dataset.kind in (*KINDS_OF_BOXES, *KINDS_OF_CLASSES):
        what = "boxes" if dataset.kind in KINDS_OF_BOXES else "a class for each frame"
        raise ValueError(
            f"label_frames.folders: prepare_dataset.kind {dataset.kind} has {what}, not label maps"
        )
    names = [entry.name for entry in _label_table(params)]
    if unknown := sorted(set(mine.classes or {}) - set(names)):
        raise ValueError(
            f"label_frames.classes: {unknown} are no classes of the data set, which has {', '.join(names)}"
        )


def _frame_size(params: parameters.Params) -> tuple[int, int] | None:
    dataset = params.prepare_dataset
    known = getattr(dataset, dataset.kind)
    return None if dataset.kind in ("cityscapes", "masks", "davis") else (known.height, known.width)


def _require_weights(params: parameters.Params, classes: int) -> None:
    weights = params.pretrain_teacher.loss.class_weights
    if weights is not None and len(weights) != classes:
        raise ValueError(
            f"pretrain_teacher.loss.class_weights: {len(weights)} weights for {classes} classes; "
            "give one for each class"
        )


def _require_detector(network: nn.Module, params: parameters.Params) -> None:
    """Boxes ask for a detector, and the anchors of some lie in frames of one size."""
    kind, size = params.prepare_dataset.kind, _frame_size(params)
    if not _has_boxes(params):
        return
    try:
        taken = detector_of(network).image_size(network)
    except ValueError:
        raise ValueError(
            f"model.name: {params.model.name} is no detector, and prepare_dataset.kind {kind} has boxes"
        ) from None
    if taken is None:
        return
    if taken != size:
        raise ValueError(
            f"model.options: the network is for frames of {taken[0]}×{taken[1]}, "
            f"those of prepare_dataset.{kind} have {size[0]}×{size[1]}; set image_size: {[*size]}"
        )
    crops = {"pretrain_teacher": params.pretrain_teacher.augment, "distill": params.distill.augment}
    for section, augment in crops.items():
        if tuple(augment.crop) != size:
            raise ValueError(
                f"{section}.augment.crop: {[*augment.crop]}, but the network's anchors are for frames of "
                f"{size[0]}×{size[1]}; crop to {[*size]}"
            )


def _has_boxes(params: parameters.Params) -> bool:
    dataset = params.prepare_dataset
    return dataset.kind in KINDS_OF_BOXES or (dataset.kind == "video" and dataset.video.truth is not None)


def _require_boxes(key: str, params: parameters.Params, training: NetworkTraining) -> None:
    kind = params.prepare_dataset.kind
    if training.method == "fgfi" and kind not in KINDS_OF_BOXES:
        raise ValueError(
            f"{key}: method fgfi imitates features near objects, and prepare_dataset.kind {kind} has no "
            "boxes; take method feature"
        )


def _require_objectives(key: str, params: parameters.Params, training: str) -> None:
    try:
        for name in params.distill.of_training(training).loss.objectives:
            OBJECTIVES.find(name)
    except ValueError as error:
        raise ValueError(f"{key} (loss.objectives): {error}") from None


def _require_cost(key: str, params: parameters.Params, training: str) -> None:
    try:
        require_cost_options(params.distill.of_training(training).search)
    except ValueError as error:
        raise ValueError(f"{key} (search.cost_options): {error}") from None


def _built(key: str, name: str, classes: int, options: dict) -> nn.Module:
    try:
        return models.build(name, classes=classes, **options).eval()
    except (TypeError, ValueError) as error:
        raise ValueError(f"{key}: {error}") from None


def _require_reach(key: str, network: nn.Module, params: parameters.Params, settings: Distill) -> None:
    size = _frame_size(params)
    if size is None:
        return
    try:
        converted = convert(
            network, shape_design(settings.students.design), SELECTORS.find(settings.students.where)
        )
        require_candidates(converted)
        course = search_course(settings.search, settings.steps)
        if settings.search.cost == COUNTED:  # others are measured when the training begins
            course.require_reachable(converted, search_costs(converted, settings.search, size=(3, *size)))
    except ValueError as error:
        raise ValueError(f"{key} (students, search): {error}") from None


def main() -> None:
    """Check the parameter files named on the command line, or params.yaml."""
    try:
        check(*(Path(name) for name in sys.argv[1:] or ["params.yaml"]))
    except ValueError as error:
        raise SystemExit(f"{error}\nNothing was run.") from None


if __name__ == "__main__":
    main()
