"""A small results tree in the stages' formats, with made-up figures: what the report is tested on."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deltadistill.data.manifest import COLUMNS
from deltadistill.pipeline.results.results import read_results
from deltadistill.pipeline.results.variants import Variant, default_role

LENGTHS = (1, 2, 3, 5, 8, 10)
CLASSES = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "vegetation": (107, 142, 35),
    "sky": (70, 130, 180),
    "car": (0, 0, 142),
    "person": (220, 20, 60),
    "pole": (220, 220, 0),
}
STREET = {
    "teacher": "per_frame",
    "finetuned": "per_frame",
    "delta": "stream",
    "feature": "stream",
    "small": "per_frame",
    "copy": "copy",
}
VIDEO = {"teacher": "per_frame", "delta": "stream", "copy": "copy"}
PARTS = {"stem": 3, "low resolution": 18, "high resolution": 14, "pyramid pooling": 8, "head": 4}
START = {"teacher": 75.6, "finetuned": 76.4, "delta": 76.2, "feature": 76.0, "small": 72.3, "copy": 76.4}
DROP = {"teacher": 0.0, "finetuned": 0.0, "delta": 0.42, "feature": 2.1, "small": 0.0, "copy": 1.65}


@dataclass(frozen=True)
class Tree:
    """Where an experiment lies, and how it was run."""

    base: Path
    experiment: str
    variants: Mapping[str, str]
    seeds: tuple[int, ...]
    distilled: tuple[str, ...]
    clips: dict = field(repr=False)

    @property
    def results(self) -> Path:
        return self.base / "results" / self.experiment

    @property
    def artifacts(self) -> Path:
        return self.base / "artifacts" / self.experiment

    @property
    def data(self) -> Path:
        return self.base / "data" / self.experiment


def build_tree(base: Path, *, seeds=(0,), video=False, clips=None) -> Tree:
    """Write a whole tree; ``clips`` maps names to (images (F, H, W, 3), labels (F, H, W))."""
    variants = dict(VIDEO if video else STREET)
    distilled = ("delta",) if video else ("finetuned", "delta", "feature", "small")
    clips = clips or {f"test_{i}": moving_blocks(i) for i in range(2)}
    tree = Tree(base, "real_video" if video else "street", variants, tuple(seeds), distilled, clips)
    _write_data(tree, video=video)
    _write_profile(tree)
    for seed in seeds:
        _write_teacher(tree, seed)
        for name in distilled:
            _write_distilled(tree, seed, name)
        for name, predict in variants.items():
            _write_sweep(tree, seed, name, predict, video=video)
            _write_consistency(tree, seed, name, predict, video=video)
            _write_examples(tree, seed, name, predict)
    _write_latency(tree)
    return tree


def moving_blocks(seed: int, *, frames=12, height=32, width=64):
    """A block that crosses stripes: images and labels."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((frames, height, width), np.uint8)
    labels[:, : height // 3] = 4
    labels[:, height // 3 : height // 2] = 2
    for frame in range(frames):
        labels[frame, height // 2 - 4 : height // 2 + 6, 4 + 3 * frame : 18 + 3 * frame] = 5
    colors = np.array(list(CLASSES.values()), np.float32)
    images = 0.6 * colors[labels] + 60 + rng.normal(0, 6, (*labels.shape, 1))
    return np.clip(images, 0, 255).astype(np.uint8), labels


def _write_data(tree: Tree, *, video: bool) -> None:
    rows = []
    some = next(iter(tree.clips.values()))
    splits = {"train": {"train_0": some}, "tune": {"tune_0": some}, "test": tree.clips}
    for split, clips in splits.items():
        for clip, (images, labels) in clips.items():
            rows += _write_clip(tree, split, clip, images, None if video else labels)
    _csv(tree.data / "manifest.csv", COLUMNS, rows)
    infos = [{"name": n, "color": c, "label_ids": [i]} for i, (n, c) in enumerate(CLASSES.items())]
    frames = {split: sum(len(images) for images, _ in clips.values()) for split, clips in splits.items()}
    content = {
        "kind": "video" if video else "generated",
        "size": list(some[1].shape[1:]),
        "classes": infos,
        "ignore_id": 255,
        "frames": frames,
        "clips": {split: len(clips) for split, clips in splits.items()},
        "flow": None if video else "exact",
        "source": "made up for tests",
    }
    _json(tree.data / "dataset.json", content)
    _json(tree.results / "prepare_dataset" / "dataset.json", content)
    sheet = np.concatenate([images[0] for images, _ in tree.clips.values()], axis=1)
    Image.fromarray(sheet).save(tree.results / "prepare_dataset" / "contact_sheet.png")
    _provenance(tree.results / "prepare_dataset", 0.4)


def _write_clip(tree: Tree, split, clip, images, labels):
    folder = tree.data / "frames" / clip
    folder.mkdir(parents=True)
    for index, image in enumerate(images):
        path, label = folder / f"{index:06d}.png", ""
        Image.fromarray(image).save(path)
        if labels is not None:
            label = path.with_name(f"{index:06d}_labelIds.png")
            Image.fromarray(labels[index]).save(label)
            label = label.relative_to(tree.data)
        yield [clip, index, path.relative_to(tree.data), label, split, "", "", "generated" if label else ""]


def layers():
    """(name, part, teacher MACs, compressed MACs) of a made-up network."""
    rng = np.random.default_rng(3)
    for part, count in PARTS.items():
        for index in range(count):
            macs = int(rng.uniform(1e6, 12e6))
            yield f"{part.replace(' ', '_')}.{index}.conv", part, macs, int(macs * rng.uniform(0.12, 0.4))


def _write_profile(tree: Tree) -> None:
    folder = tree.results / "profile_macs"
    head = (
        "layer,part,operator,input_shape,output_shape,kernel,stride,groups,teacher_macs,compressed_macs,rank"
    )
    rows = [
        [name, part, "conv2d", "16x24x48", "32x24x48", "3x3", "1x1", 1, macs, small, 8, True, ""]
        for name, part, macs, small in layers()
    ]
    first = ["stem.first", "stem", "conv2d", "3x96x192", "16x48x96", "3x3", "2x2", 1, 2_000_000, "", ""]
    rows.insert(0, [*first, False, "first convolution"])
    _csv(folder / "macs.csv", [*head.split(","), "convertible", "reason"], rows)
    teacher = 2_000_000 + sum(macs for _, _, macs, _ in layers())
    delta = 2_000_000 + sum(small for *_, small in layers())
    totals = {
        name: {
            "teacher": int(teacher * extra),
            "key": int(teacher * extra),
            "delta": int(delta * extra),
            "amortised": {str(t): (teacher + (t - 1) * delta) / t * extra for t in LENGTHS},
        }
        for name, extra in (("convolution", 1), ("published", 1.03))
    }
    uncounted = [{"operator": "interpolate", "calls": 6, "elements": 884_736, "frames": "every"}]
    _json(folder / "totals.json", {"size": [3, 96, 192], **totals, "uncounted": uncounted})
    _provenance(folder, 0.1)


def _write_teacher(tree: Tree, seed: int) -> None:
    folder = tree.results / "per_seed" / f"seed{seed}" / "pretrain_teacher"
    rng = np.random.default_rng(seed)
    rows = []
    for step in range(0, 1501, 25):
        tune = 76 * (1 - np.exp(-step / 350)) + rng.normal(0, 0.3) if step and step % 150 == 0 else ""
        rows.append([step, 2 * np.exp(-step / 300) + 0.2 + rng.uniform(0, 0.05), 0.003, tune])
    _csv(folder / "curve.csv", ["step", "loss", "learning_rate", "tune_score"], rows)
    _csv(folder / "per_class.csv", ["class", "score"], [[name, 75.0] for name in CLASSES])
    _json(folder / "metrics.json", {"tune_score": 75.2, "best_step": 1500})
    _provenance(folder, 3.1, seed=seed)


def _write_distilled(tree: Tree, seed: int, name: str) -> None:
    folder = tree.results / "per_seed" / f"seed{seed}" / "distill" / name
    rng = np.random.default_rng(10 + seed)
    columns = ["step", "loss", "task", "distillation", "cost", "compressed_share", "tune_score"]
    rows = []
    for step in range(0, 601, 20):
        share = min(0.8, step / 350 * 0.8) if name != "finetuned" else ""
        tune = 76 - 8 * np.exp(-step / 120) * (name != "finetuned") + rng.normal(0, 0.2)
        rows.append([step, 0.4, 0.3, 0.05, 0.05, share, tune if step % 100 == 0 else ""])
    _csv(folder / "curve.csv", columns, rows)
    _json(folder / "metrics.json", {"tune_score": 75.9})
    if name in ("delta", "feature"):
        chosen = [
            {
                "name": layer,
                "part": part,
                "candidate": "compressed" if (p := float(rng.beta(3, 1))) > 0.5 else "uncompressed",
                "gate_probability": p,
                "teacher_macs": macs,
                "macs": small if p > 0.5 else macs,
            }
            for layer, part, macs, small in layers()
        ]
        delta = sum(layer["macs"] for layer in chosen)
        macs = {"teacher": 316_000_000, "key": 316_000_000, "delta": delta}
        students = {"kind": "linear", "gamma": 4, "rank": "out", "initialisation": "svd"}
        _json(
            folder / "architecture.json",
            {"predicts": name, "students": students, "layers": chosen, "macs": macs},
        )
        errors = [
            [layer, part, e := rng.uniform(0.05, 0.7), e * rng.uniform(0.1, 0.7)]
            for layer, part, *_ in layers()
        ]
        _csv(folder / "layers.csv", ["layer", "part", "error_before", "error_after"], errors)
    _provenance(folder, 1.8, seed=seed, variant=name)


def _write_sweep(tree: Tree, seed, name, predict, *, video: bool) -> None:
    folder = tree.results / "per_seed" / f"seed{seed}" / "sweep_sequence_length" / name
    rng = np.random.default_rng(100 * seed + len(name))
    start = (
        (100.0 if name == "teacher" or predict == "copy" else 98.5)
        if video
        else START[name] + rng.normal(0, 0.2)
    )
    lengths = {}
    for t in (1,) if predict == "per_frame" else LENGTHS:
        jump = 12.0 if name == "feature" else 0.0
        per_distance = [start - (jump * (d > 0)) - DROP[name] * d**0.85 for d in range(t)]
        miou = float(np.mean(per_distance))
        ratio = {
            "per_frame": 0.47 if name == "small" else 1.0,
            "copy": 1 / t,
            "stream": (1 + (t - 1) * 0.21) / t,
        }[predict]
        iou = {c: min(max(0.0, miou + rng.uniform(-20, 18)), 100.0) for c in CLASSES} | {"pole": None}
        lengths[str(t)] = {
            "miou": miou,
            "iou": iou,
            "miou_per_distance": per_distance,
            "miou_per_clip": {"shot_00": miou, "shot_01": miou - 1},
            "gmacs": 0.316 * ratio,
            "macs_ratio": ratio,
        }
    reference = "teacher" if video else "labels"
    _json(
        folder / "sweep.json",
        {"variant": name, "reference": reference, "labelled_frames": 210, "lengths": lengths},
    )
    rows = [[t, r["miou"], r["gmacs"], r["macs_ratio"]] for t, r in lengths.items()]
    _csv(folder / "sweep.csv", ["length", "score", "gmacs", "macs_ratio"], rows)
    _provenance(folder, 0.2, seed=seed, variant=name)


def _write_consistency(tree: Tree, seed, name, predict, *, video: bool) -> None:
    folder = tree.results / "per_seed" / f"seed{seed}" / "analyze_consistency" / name
    bases = {"teacher": 82.4, "finetuned": 82.9, "delta": 83.4, "feature": 82.7, "small": 81.5, "copy": 82.9}
    base = bases[name] + 0.1 * seed
    lengths = {}
    for t in (1,) if predict == "per_frame" else LENGTHS:
        value = base + {"feature": -20 * (t > 1) + t, "copy": (t > 1) * (0.35 * t - 2.5)}.get(name, 0.05 * t)
        both = {
            "all": {"consistency": value - 3, "coverage": 99.0},
            "visible": {"consistency": value, "coverage": 91.4},
        }
        lengths[str(t)] = {"dis": both} if video else {"exact": both, "dis": both}
    _json(folder / "consistency.json", {"variant": name, "lengths": lengths})
    _provenance(folder, 0.3, seed=seed, variant=name)


def _write_examples(tree: Tree, seed, name, predict) -> None:
    path = tree.artifacts / f"seed{seed}" / "sweep_sequence_length" / name / "examples.npz"
    path.parent.mkdir(parents=True)
    streams = {}
    for period in (3, 10):
        clips = [_predict(labels, name, predict, period) for _, labels in tree.clips.values()]
        streams[f"predictions_T{period}"] = np.stack(clips)
    np.savez_compressed(path, clips=np.array(list(tree.clips)), period=10, **streams)


def _predict(labels, name, predict, period):
    """Labels with mistakes near borders; those of a stream grow with the distance, a copy stands still."""
    rng = np.random.default_rng(len(name))
    predicted = labels.copy()
    for frame in range(len(labels)):
        source = frame - frame % period if predict == "copy" else frame
        reach = 1 + (frame % period) // 4 if predict == "stream" else 1
        moved = np.roll(labels[source], rng.integers(-reach, reach + 1, 2), (0, 1))
        predicted[frame] = np.where(rng.random(labels.shape[1:]) < 0.75, labels[source], moved)
    return predicted


# Milliseconds of a frame, or of a key and a delta frame, in eager PyTorch; half of that in the engine "fast".
FRAME_MS = {"teacher": 18.2, "finetuned": 18.2, "small": 9.1}
KEY_AND_DELTA_MS = {"delta": (21.4, 9.7), "feature": (18.4, 8.0), "copy": (18.2, 0.0)}
MACS_SHARE = {"delta": 0.21, "feature": 0.21, "copy": 0.0}


def _write_latency(tree: Tree) -> None:
    conditions = [_condition(tree, batch, threads) for batch, threads in ((1, 1), (8, 1), (1, 2))]
    content = {
        "size": [3, 96, 192],
        "conditions": conditions,
        "macs_bound": {name: _bounds(MACS_SHARE.get(name, 1)) for name in tree.variants},
        "machine": {"processor": "made up", "logical_cores": 2, "features": ["avx2", "amx"]},
        "versions": {"python": "3.11.2", "torch": "2.14.1"},
    }
    _json(tree.results / "measure_latency" / "latency.json", content)
    _provenance(tree.results / "measure_latency", 0.5)


def _bounds(share: float):
    return {str(t): t / (1 + (t - 1) * share) for t in LENGTHS}


def _condition(tree: Tree, batch: int, threads: int):
    slower = batch / threads
    engines = {
        engine: {
            name: {part: _times(name, slower * share, slower / 2, extra) for part, extra in PARTS_MS.items()}
            | ({"state_bytes": 1_830_000 * batch} if name == "delta" else {})
            for name in tree.variants
        }
        for engine, share in (("eager", 1), ("fast", 0.5))
    }
    baselines = {"network": "fast", "end_to_end": "fast"}
    return {"batch": batch, "threads": threads, "rounds": 20, "baselines": baselines, "engines": engines}


PARTS_MS = {"network": 0.0, "end_to_end": 2.0}


def _times(name: str, slower: float, fastest: float, extra: float):
    def time(ms):
        return {"median": ms, "p95": ms * 1.12}

    teacher = FRAME_MS["teacher"] * fastest + extra
    if name in FRAME_MS:
        frame = FRAME_MS[name] * slower + extra
        return {"frame_ms": time(frame), "speedup": {"1": teacher / frame}}
    key, delta = (ms * slower + extra for ms in KEY_AND_DELTA_MS[name])
    amortised = {str(t): (key + (t - 1) * delta) / t for t in LENGTHS}
    return {
        "key_ms": time(key),
        "delta_ms": time(delta),
        "amortised_ms": amortised,
        "speedup": {t: teacher / ms for t, ms in amortised.items()},
    }


def _provenance(folder: Path, minutes, *, seed=None, variant=None) -> None:
    stage = next(part for part in reversed(folder.parts) if part != variant)
    content = {
        "stage": stage,
        "seed": seed,
        "variant": variant,
        "started": "2026-01-01T12:00:00+00:00",
        "finished": "2026-01-01T12:03:00+00:00",
        "minutes": minutes,
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "params": {stage: {"steps": 600, "learning_rate": 0.003}},
        "versions": {"python": "3.11.2", "torch": "2.14.1", "numpy": "2.4.6"},
    }
    _json(folder / "provenance.json", content)


def _json(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _csv(path: Path, header, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


_METHODS = {"finetuned": "per_frame", "delta": "delta", "feature": "feature", "small": "small"}


def shown(variants: Mapping[str, str]):
    """Variants as the report takes them, by the names of this tree and how they predict."""
    return {name: Variant(p, default_role(_METHODS.get(name), p), name) for name, p in variants.items()}


def read_tree(tree: Tree):
    """The tree as the report reads it."""
    variants = shown(tree.variants)
    return read_results(
        tree.results, data=tree.data, seeds=tree.seeds, variants=variants, distilled=tree.distilled
    )


@pytest.fixture
def tree(tmp_path):
    return build_tree(tmp_path)


@pytest.fixture(scope="session")
def build():
    """The function that writes a tree: build(base, seeds=…, video=…)."""
    return build_tree


@pytest.fixture(scope="session", name="shown")
def shown_of():
    """The function that makes variants of the report of {name: how it predicts}."""
    return shown


@pytest.fixture(scope="session")
def read():
    """The function that reads a tree into Results."""
    return read_tree


@pytest.fixture(scope="session")
def street(tmp_path_factory):
    """A tree of three seeds that tests only read."""
    return build_tree(tmp_path_factory.mktemp("street"), seeds=(0, 1, 2))


@pytest.fixture(scope="session")
def real_video(tmp_path_factory):
    """An unlabelled tree of one seed that tests only read."""
    return build_tree(tmp_path_factory.mktemp("video"), video=True)
