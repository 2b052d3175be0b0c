"""Generated pictures of denoisers: FID, precision and recall, beside what a step of theirs costs.

    make experiment EXPERIMENT=ddpm_features && make experiment EXPERIMENT=ddpm
    python benchmarks/diffusion.py --data data/ddpm \\
        --features artifacts/ddpm_features/seed0/pretrain_teacher/teacher.pt \\
        teacher=artifacts/ddpm/seed0/pretrain_teacher/teacher.pt \\
        red=artifacts/ddpm/seed0/distill/red/network.pt alone=artifacts/ddpm/seed0/distill/alone/network.pt

Each network makes as many pictures as the data set's test split has, by DDIM; features are what the last
linear layer of a classifier takes, of this project's or of the standard Inception. The row "train" has the
pictures that were trained on in their place. Mean and standard deviation over seeds of the noise that
pictures begin with; peaks with lifetimes and as published, MiB, batch 1, fp32.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from deltadistill.account.machine import describe_machine
from deltadistill.account.macs import count_macs
from deltadistill.account.memory import count_memory
from deltadistill.account.memory_table import MIB
from deltadistill.data.frames import FrameStore
from deltadistill.evaluation.frames import split_frames
from deltadistill.evaluation.generated import features, made_batches, real_batches, scores
from deltadistill.evaluation.inception_fid import load_inception
from deltadistill.stored.architecture import load_network
from deltadistill.tasks.denoiser import Denoiser

COLUMNS = ("fid", "precision", "recall")


def main() -> None:
    """Make pictures, score them and print."""
    args = _arguments()
    store = FrameStore.open(args.data)
    classifier = load_inception(args.inception) if args.inception else load_network(args.features)
    real = {
        split: features(classifier, real_batches(store, split_frames(store, split)))
        for split in ("train", "test")
    }
    print(f"{'':12}{'GMACs':>8}{'peak':>8}{'published':>10}" + "".join(f"{name:>18}" for name in COLUMNS))
    found = {"train": {"scores": [asdict(scores(real["train"], real["test"]))]}}
    _print("train", found["train"])
    for named in args.networks:
        name, _, path = named.partition("=")
        found[name] = measured(load_network(path), store.size, classifier, real["test"], args)
        _print(name, found[name])
    if args.out:
        told = {"machine": describe_machine(), "steps": args.steps, "networks": found}
        args.out.write_text(json.dumps(told, indent=2))


def measured(
    network: nn.Module, size: tuple[int, int], classifier: nn.Module, real: Tensor, args: argparse.Namespace
) -> dict:
    """The costs of a step, and the scores of as many pictures as there are real features, for each seed."""
    if not isinstance(network, Denoiser):
        raise SystemExit(f"{type(network).__name__} makes no pictures; give networks of model ddpm")
    table, begun = count_memory(network, (3, *size)), time.process_time()
    given = {"count": args.pictures or len(real), "steps": args.steps}
    found = [
        scores(features(classifier, made_batches(network, size, seed=seed, **given)), real)
        for seed in args.seeds
    ]
    return {
        "gmacs": count_macs(network, (3, *size)).teacher / 1e9,
        "peak_mib": table.peak / MIB,
        "published_peak_mib": table.published_peak / MIB,
        "seconds": (time.process_time() - begun) / len(args.seeds),
        "scores": [asdict(each) for each in found],
    }


def _print(name: str, found: dict) -> None:
    costs = [found.get(key, float("nan")) for key in ("gmacs", "peak_mib", "published_peak_mib")]
    line = f"{name:12}{costs[0]:8.4f}{costs[1]:8.4f}{costs[2]:10.4f}"
    for key in COLUMNS:
        values = [each[key] for each in found["scores"]]
        line += f"{np.mean(values):11.3f} ±{np.std(values, ddof=min(1, len(values) - 1)):5.3f}"
    print(line, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="+", help="NAME=FILE of each denoiser")
    parser.add_argument("--data", type=Path, required=True, help="folder of manifest.csv")
    of = parser.add_mutually_exclusive_group(required=True)
    of.add_argument("--features", type=Path, help="a classifier's file, of this project")
    of.add_argument(
        "--inception", type=Path, help="pt_inception-2015-12-05-6726825d.pth, that FID is defined by"
    )
    parser.add_argument(
        "--pictures", type=int, help="so many of each network; default: as the test split has"
    )
    parser.add_argument("--steps", type=int, default=25, help="of DDIM")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the first noise")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
