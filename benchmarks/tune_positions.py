"""Scores of a trained network on the tune split, by distance to the key frame and length of sequences.

    python benchmarks/tune_positions.py data/rivals artifacts/rivals/seed0/distill/delta_data/network.pt
    python benchmarks/tune_positions.py data/rivals NETWORK --predict moved_between \\
        --options '{predict: moved_stream, every: 2, options: {motion: encoded, coarsest: 4}}'

    python benchmarks/tune_positions.py data/rivals TEACHER --predict skip_convolutions \\
        --networks '{gates: NETWORK}'

Tables of docs/decisions.md by which settings are chosen; what an experiment reports is of the test split.
"""

import argparse
from pathlib import Path

import torch
import yaml

from deltadistill.account.macs import count_macs
from deltadistill.data.frames import FrameStore
from deltadistill.evaluation.positions import over_all_clips, position_runs, score_positions
from deltadistill.predictors.predictor import Predictor, build
from deltadistill.stored.architecture import load_network
from deltadistill.tasks import of_dataset as tasks
from deltadistill.tasks.task import Task


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of a prepared data set")
    parser.add_argument("network", type=Path, help="network.pt of a training, or teacher.pt")
    parser.add_argument("--predict", default="stream", help="a predictor, by its name")
    parser.add_argument("--options", type=yaml.safe_load, default={}, help="its own, as in params.yaml")
    parser.add_argument(
        "--networks", type=yaml.safe_load, default={}, help="files of networks beside it, by their names"
    )
    parser.add_argument("--longest", type=int, default=12, help="length of the longest sequence, frames")
    parser.add_argument("--clips", type=int, default=8, help="so many of the tune split's")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    store, network = FrameStore.open(arguments.data, cache_gib=1.0), load_network(arguments.network)
    table = count_macs(network, (3, *store.size))
    print(f"a delta frame has {table.delta / table.teacher:.3f} of the teacher's MACs, without motion")
    task = tasks.build(store.manifest.info, boxes={}, loss=None)
    beside = {name: load_network(Path(path)) for name, path in arguments.networks.items()}
    predictor = build(arguments.predict, network, task, networks=beside, options=arguments.options)
    each = scores(store, predictor, task, arguments)
    for length in range(1, arguments.longest + 1):
        mean, last = sum(each[:length]) / length, each[length - 1]
        print(f"T = {length:2}  {mean:6.2f}   at distance {length - 1:2}  {last:6.2f}")


def scores(store: FrameStore, predictor: Predictor, task: Task, arguments: argparse.Namespace) -> list[float]:
    """The main score at each distance to the key frame, percent."""
    clips = dict(list(store.manifest.clips("tune").items())[: arguments.clips])
    runs = position_runs(clips, arguments.longest, counts=store.is_annotated)
    found = score_positions(
        predictor, task, store, runs, task.reference(store), longest=arguments.longest, batch=8
    )
    return [100 * task.score(metric) for metric in over_all_clips(found)]


if __name__ == "__main__":
    main()
