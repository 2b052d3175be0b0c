"""Features of a video by a vision transformer: cosine with the full network's against MACs, way by way.

    python benchmarks/video_transformers.py vtest.avi
    python benchmarks/video_transformers.py vtest.avi --network timm:vit_base_patch16_224 --weights vit.pth
    python benchmarks/video_transformers.py vtest.avi --options img_size=96 patch_size=8 --contrast 150

The first 60 % of every video are learnt from, without labels, and the last 20 % are tested on. Without a file
of weights they are random, which is said; `--contrast` steps then make the transformer tell frames of the
learning part apart (InfoNCE of neighbouring frames), so that its features mean something.
Printed per way, over the frames between key frames: MACs a frame with the key frames in them, over the
network's; the mean cosine with the network's features, as they are and less the mean feature of the learning
part (random and average features are all alike); and the share of frames whose nearest frame of the test
part, `--apart` frames away or more, stays the nearest.
"""

import argparse
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

import deltadistill as dd
from deltadistill import models
from deltadistill.acceleration.footage import Shot, read_footage, split
from deltadistill.account.cost import mean
from deltadistill.account.network_costs import network_costs
from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.command.values import setting
from deltadistill.data.frames import normalise
from deltadistill.metrics.feature_similarity import cosine, nearest_kept
from deltadistill.models.vit_form import vit_form
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, Predictor, build
from deltadistill.tasks.features import Features

TASK = Features(classes=1)
GATES, MERGED, WIDTHS = (0.1, 0.2, 0.4), (4, 8), (0.25, 0.5)
"""Thresholds of gates, patches that merge in each block, and mean widths of tokens that are aimed at."""


def main() -> None:
    """Measure and print."""
    given = arguments()
    network = built(given)
    parts, notes = read_footage(given.videos, size=vit_form(network).size, fit="crop")
    shots = split(parts)
    print(*notes, f"{len(shots.learning)} shots to learn from, {len(shots.testing)} to test on", sep="\n")
    learning = [frames_of(shot) for shot in shots.learning]
    if given.contrast:
        told_apart(network, learning, given.contrast)
    testing = [frames_of(shot) for shot in shots.testing]
    wanted = [features(network, normalise(frames)) for frames in testing]
    average = features(network, normalise(torch.cat(learning)[::5])).mean(0)
    print(f"{'way':44} {'MACs':>6} {'cosine':>7} {'centred':>8} {'nearest':>8}")
    for name, predictor, of in ways(network, learning, given):
        said, macs = answered(predictor, of, testing, given.period)
        print(f"{name:44} {row(said, wanted, average, macs / whole(network), given)}", flush=True)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--network", default="timm:vit_tiny_patch16_224", help="with classes: 0")
    parser.add_argument("--options", nargs="*", type=setting, default=[], metavar="NAME=VALUE")
    parser.add_argument("--weights", help="a file; none: random")
    parser.add_argument("--contrast", type=int, default=0, help="steps, see above")
    parser.add_argument("--rate", type=float, default=0.85, help="share of patches that is dropped")
    parser.add_argument("--choices", nargs="+", default=["uniform", "motion"])
    parser.add_argument("--period", type=int, default=3, help="frames from key frame to key frame")
    parser.add_argument("--steps", type=int, default=200, help="of distillation")
    parser.add_argument("--apart", type=int, default=10, help="frames around one that are not looked among")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def built(given: argparse.Namespace) -> nn.Module:
    """The network; its classifier, where it is timm's, is left out."""
    torch.manual_seed(given.seed)
    classes = {"classes": 0} if given.network.startswith("timm:") else {}
    network = models.build(given.network, **classes, **dict(given.options)).eval()
    if given.weights:
        print(dd.load_weights(network, given.weights).missing or "all weights are the file's")
    else:
        print(f"random weights{f', then {given.contrast} steps of contrast' if given.contrast else ''}")
    return network


def frames_of(shot: Shot) -> Tensor:
    """The frames of a shot, uint8 (F, 3, H, W)."""
    return torch.from_numpy(np.stack(shot.frames)).movedim(-1, 1)


@torch.no_grad()
def features(network: nn.Module, frames: Tensor) -> Tensor:
    """The network's features (F, C), a few frames at a time."""
    return torch.cat([network(some) for some in frames.split(16)])


def told_apart(network: nn.Module, shots: Sequence[Tensor], steps: int, batch: int = 12) -> None:
    """Let the network tell frames of far places apart: each is nearest to the one that follows it."""
    draws = np.random.default_rng(0)
    pairs = [pair for shot in shots for pair in pairwise(shot)]
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-4)
    for _ in tqdm(range(steps), desc="contrast", unit="step"):
        some = [pairs[index] for index in draws.choice(len(pairs), batch, replace=False)]
        one, other = (
            F.normalize(network(normalise(torch.stack(each))), dim=1) for each in zip(*some, strict=True)
        )
        optimiser.zero_grad()
        F.cross_entropy(one @ other.T / 0.1, torch.arange(batch)).backward()
        optimiser.step()


def ways(network: nn.Module, learning: Sequence[Tensor], given: argparse.Namespace) -> Any:
    """Yield a name, a predictor, and the network whose costs it is made of."""
    yield "copy: the key frame's feature", build("copy", network, TASK), network
    for choice in given.choices:
        dropped = dd.convert(
            network, dd.ResidualTokens(given.rate, choice, residual=False), dd.vision_transformers
        )
        yield f"tokens dropped, {choice}", build("stream", dropped, TASK), dropped
        torch.manual_seed(given.seed)
        delta = dd.convert(network, dd.ResidualTokens(given.rate, choice), dd.vision_transformers)
        yield f"residual token, {choice}, not learnt", build("stream", delta, TASK), delta
        learn(delta, learning, given)
        yield f"residual token, {choice}, learnt", build("stream", delta, TASK), delta
    for threshold in GATES:
        predictor = build("gated_tokens", network, TASK, options={"threshold": threshold})
        yield f"gated tokens, threshold {threshold}", predictor, network
    for merged in MERGED:
        predictor = build("merged_tokens", network, TASK, options={"merged": merged})
        yield f"merged tokens, {merged} a block", predictor, network
    for target in WIDTHS:
        torch.manual_seed(given.seed)
        adaptive = dd.convert(network, dd.AdaptiveWidth(), dd.transformer_mlps)
        learn(adaptive, learning, given, {"token_width": {"weight": 1.0, "options": {"target": target}}})
        yield f"adaptive width, target {target}, learnt", build("adaptive_width", adaptive, TASK), adaptive
    linear = dd.convert(network, dd.LinearStudent(gamma=4, rank="min"), dd.inner_layers)
    learn(linear, learning, given)
    yield "linear students, γ 4, learnt", build("stream", linear, TASK), linear


def learn(
    network: nn.Module,
    learning: Sequence[Tensor],
    given: argparse.Namespace,
    objectives: Mapping[str, Any] | None = None,
) -> None:
    """Distil without labels, on clips that go on for a period, by the changes and `objectives`."""
    length = given.period
    clips = [
        normalise(shot[start : start + length])
        for shot in learning
        for start in range(0, len(shot) - length + 1)
    ]
    dd.distill(network, clips, steps=given.steps, batch=4, seed=given.seed, objectives=objectives)


def answered(
    predictor: Predictor, network: nn.Module, shots: Sequence[Tensor], period: int
) -> tuple[list[Tensor], float]:
    """What is said about the frames of every shot, and what a frame costs in MACs."""
    size = tuple(shots[0].shape[-2:])
    costs, networks, said = [], network_costs({MAIN: network}, (3, *size)), []
    for shot in shots:
        predictor.begin(StreamInfo(1, (size[0], size[1]), schedule=FixedPeriod(period)))
        answers = []
        for frame in shot.split(1):
            answers.append(predictor.answer(FrameBatch(frame)))
            costs.append(predictor.last_cost(networks))
        said.append(torch.cat(answers))
    return said, mean(costs).macs or 0.0


def whole(network: nn.Module) -> float:
    """MACs of the network on every frame."""
    return dd.count_macs(network, (3, *vit_form(network).size)).teacher


def row(
    said: Sequence[Tensor],
    wanted: Sequence[Tensor],
    average: Tensor,
    share: float,
    given: argparse.Namespace,
) -> str:
    """The numbers of one way: of frames between key frames, and of all for the nearest."""
    between = [torch.arange(len(shot)) % given.period != 0 for shot in said]
    made, true = (
        torch.cat([shot[which] for shot, which in zip(each, between, strict=True)]) for each in (said, wanted)
    )
    near, centred = cosine(made, true).mean(), cosine(made - average, true - average).mean()
    kept = nearest_kept(torch.cat(list(said)), torch.cat(list(wanted)), apart=given.apart)
    return f"{share:6.3f} {near:7.4f} {centred:8.4f} {kept:8.3f}"


if __name__ == "__main__":
    main()
