"""The parameters of an experiment with two steps in every training, small enough for this machine."""

from copy import deepcopy
from math import ceil
from typing import Any

from deltadistill.data.dataset_info import KINDS_OF_BOXES
from deltadistill.pipeline.params import NO_WEIGHTS

STEPS = 2
DISTANCE = 2  # frames between the key frame and the last one of a training clip
LENGTHS = [1, 2]
ONCE = ("batches", "threads", "precisions")  # of the times, one measurement
CALM = 1e-6  # of the learning rates: what a trial learns is thrown away
PROCESSOR_BATCH, PROCESSOR_CROP = 2, (128, 256)


def clip_frames(values: dict[str, Any]) -> int:
    """Frames in a row that a trial with these parameters needs."""
    trainings = values["distill"]["trainings"].values()
    learns_clips = any(training["method"] != "pooled" for training in trainings)
    return max(_lengths(values)[-1], values["distill"]["max_distance"] + 1 if learns_clips else 1)


def _lengths(values: dict[str, Any]) -> list[int]:
    """Sequence lengths of a trial: single pictures have no longer ones."""
    longest = max(values["sweep_sequence_length"]["lengths"])
    return [length for length in LENGTHS if length <= longest]


def trial_parameters(
    values: dict[str, Any], *, start_from: str | None, gpus: int
) -> tuple[dict[str, Any], list[str]]:
    """The content of params.yaml for a trial, and what was made smaller, in words.

    start_from: path of the weights that are there, or None: then random ones. gpus: 0 takes small batches
    and crops; otherwise one process takes its share of the configured batch.
    """
    trial, said = deepcopy(values), []
    teacher, distill = trial["pretrain_teacher"], trial["distill"]
    if start_from is None:
        teacher |= {"start_from": NO_WEIGHTS, "steps": STEPS, "batch_norm": "synchronised"}
        if values["pretrain_teacher"]["start_from"] != NO_WEIGHTS:
            said.append("random weights")
    else:
        teacher |= {"start_from": start_from, "steps": min(STEPS, teacher["steps"])}
    distill |= {"steps": STEPS, "max_distance": max(DISTANCE, distill["clip_length"] - 1)}
    for section in (teacher, distill):
        section["evaluate_every"] = STEPS
        _calm(section["optimiser"])
        _fit(section, gpus, crop_is_free=trial["prepare_dataset"]["kind"] not in KINDS_OF_BOXES, said=said)
    distill["students"]["initialisation_clips"] = 2
    trial["seeds"] = trial["seeds"][:1]
    trial["training"] |= {"cache_gib": 0.2, "checkpoint_minutes": 60.0}
    trial["sweep_sequence_length"] |= {"lengths": _lengths(values), "example_clips": 1}
    trial["write_report"]["picture_lengths"] = _lengths(values)[-1:]
    trial["measure_latency"] |= {"runs": 5, "warmup": 0}
    trial["measure_latency"] |= {key: trial["measure_latency"][key][:1] for key in ONCE}
    return trial, list(dict.fromkeys(said))


def _calm(optimiser: dict[str, Any]) -> None:
    """Learn next to nothing: two steps from random weights at the full rate may end in infinity."""
    optimiser |= {key: rate * CALM for key, rate in optimiser.items() if key.startswith("learning_rate")}


def _fit(section: dict[str, Any], gpus: int, *, crop_is_free: bool, said: list[str]) -> None:
    configured = section["batch"]
    section["batch"] = ceil(configured / gpus) if gpus else min(configured, PROCESSOR_BATCH)
    if section["batch"] < configured:
        said.append(f"batch {section['batch']} of {configured}")
    crop = section["augment"]["crop"]
    if not gpus and crop_is_free:
        section["augment"]["crop"] = [min(pair) for pair in zip(crop, PROCESSOR_CROP, strict=True)]
        if section["augment"]["crop"] != list(crop):
            said.append("crop {}×{} of {}×{}".format(*section["augment"]["crop"], *crop))
