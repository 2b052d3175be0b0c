"""How much networks gain from further steps on the beginnings of the very videos that they are scored on.

    python benchmarks/specialised_on_video.py data/rivals TEACHER NETWORK --steps 150 [--delta]

TEACHER is imitated, NETWORK trained: both files of a per-frame network, such as teacher.pt of
pretrain_teacher and network.pt of a training. Videos are of the tune split; their first frames are learned
from without a label, later ones scored. --delta: NETWORK, so trained, then gets students whose ranks are
chosen there, and which learn there as long.
"""

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

import deltadistill as dd
from deltadistill.data.beginnings import beginnings
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame, Manifest
from deltadistill.evaluation.frames import inputs
from deltadistill.evaluation.positions import over_all_clips, position_runs, score_positions
from deltadistill.pipeline import params
from deltadistill.pipeline.recipe_per_frame import train_per_frame
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.predictors.predictor import build
from deltadistill.stored.architecture import load_network
from deltadistill.tasks import of_dataset as tasks

LENGTHS = (1, 3, 5, 10)
STEPS_OF_CLIPS = ((0, 1, 2), (0, 2, 4), (0, 3, 5))  # frames of a clip that students learn from


def main() -> None:
    """Score, train on, score again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of a prepared data set")
    parser.add_argument("teacher", type=Path, help="network file of who is imitated")
    parser.add_argument("network", type=Path, help="network file of who is trained on")
    parser.add_argument("--steps", type=int, default=300, help="of the optimiser; with --delta twice")
    parser.add_argument("--frames", type=int, default=9, help="of each video to learn from")
    parser.add_argument("--clips", type=int, default=8, help="so many of the tune split's")
    parser.add_argument("--delta", action="store_true", help="give it students there")
    parser.add_argument("--cost", type=float, default=0.495, help="of a frame at T = 3, with --delta")
    given = parser.parse_args()
    torch.set_num_threads(1)
    store, network = FrameStore.open(given.data, cache_gib=1.0), load_network(given.network)
    clips = dict(list(store.manifest.clips("tune").items())[: given.clips])
    told = partial(tell, store, clips)
    told("before", network, "per_frame")
    begun = FrameStore(of_test(store.manifest, clips, given.frames))
    specialise(network, load_network(given.teacher), begun, given.steps)
    told(f"after {given.steps} steps there", network, "per_frame")
    if given.delta:
        found = torch.stack([inputs(store, clip[: given.frames]) for clip in clips.values()])
        told("students there", with_students(network, found, given.cost, given.steps), "stream")


def of_test(manifest: Manifest, clips: dict[str, list[Frame]], frames: int) -> Manifest:
    """The beginnings of clips, as `beginnings` has those of the test split."""
    shown = [replace(frame, split="test") for clip in clips.values() for frame in clip]
    return beginnings(Manifest.of(shown, manifest.info), frames)


def specialise(network: nn.Module, teacher: nn.Module, begun: FrameStore, steps: int) -> None:
    """Train on by the teacher's output, with the settings of params.yaml."""
    settings = params.load(Path("params.yaml")).pretrain_teacher
    settings = settings.model_copy(update={"steps": steps, "evaluate_every": steps})
    task = tasks.build(begun.manifest.info, boxes={}, loss=None)
    alone = {"teacher": teacher, "labels": False, "run": TrainingRun()}
    train_per_frame(network, task, begun, settings, seed=0, **alone)
    network.eval()


def with_students(network: nn.Module, found: Tensor, cost: float, steps: int) -> nn.Module:
    """A delta network of it, students started and trained on frames (N, T, 3, H, W)."""
    starts = range(found.shape[1] - max(map(max, STEPS_OF_CLIPS)))
    clips = torch.stack(
        [clip[[at + step for step in each]] for clip in found for at in starts for each in STEPS_OF_CLIPS]
    )
    design = dd.choose_ranks(network, clips[:: len(STEPS_OF_CLIPS)], cost=cost, progress=False)
    delta = dd.convert(network, design, dd.inner_convolutions, clips=clips, progress=False)
    dd.distill(delta, clips, steps=steps, batch=4, progress=False)
    return dd.deploy(delta)


def tell(
    store: FrameStore, clips: dict[str, list[Frame]], what: str, network: nn.Module, predict: str
) -> None:
    """Print the main score, percent, at several lengths of sequences."""
    task = tasks.build(store.manifest.info, boxes={}, loss=None)
    runs = position_runs(clips, max(LENGTHS), counts=store.is_annotated)
    given = {"longest": max(LENGTHS), "batch": 8}
    found = score_positions(build(predict, network, task), task, store, runs, task.reference(store), **given)
    each = [100 * task.score(metric) for metric in over_all_clips(found)]
    scores = "  ".join(f"T = {length}: {sum(each[:length]) / length:.2f}" for length in LENGTHS)
    print(f"{what}: {scores}", flush=True)


if __name__ == "__main__":
    main()
