"""Scores of trained networks on the tune split, T by T: what settings are chosen by.

    python workflow/tune_scores.py --data data/street --lengths 3 6 10 \\
        stream:artifacts/street/seed0/distill/delta/network.pt \\
        copy:artifacts/street/seed0/distill/finetuned/network.pt

Each is given as how it predicts (per_frame, stream, copy) and its file. As sweep_sequence_length does it for
the test split, which only the report sees: every annotated frame that can stand at all positions of the
longest sequence, at each of them.
"""

import argparse
import sys
from pathlib import Path

from deltadistill.data.frames import FrameStore
from deltadistill.evaluation.counting import Counting, batch_bar
from deltadistill.evaluation.positions import position_runs, score_positions, scored, scores_by_length
from deltadistill.pipeline import params
from deltadistill.predictors import predictor as predictors
from deltadistill.stored.architecture import load_network
from deltadistill.tasks import of_dataset as tasks


def main() -> None:
    """Score and print, one line per network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="+", metavar="PREDICT:FILE")
    parser.add_argument("--data", type=Path, required=True, help="folder of manifest.csv")
    parser.add_argument("--lengths", type=int, nargs="+", default=[3, 10], help="sequence lengths T")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="for its section boxes")
    arguments = parser.parse_args()
    store = FrameStore.open(arguments.data)
    settings = params.load(arguments.params)
    task = tasks.build(store.manifest.info, boxes=settings.boxes.model_dump(), named=settings.task)
    longest = max(arguments.lengths)
    runs = position_runs(store.manifest.clips("tune"), longest, counts=store.is_annotated)
    print(f"{task.measure.name} on {len(scored(runs))} frames of the tune split")
    for given in arguments.networks:
        predict, _, file = given.rpartition(":")
        metrics = score_positions(
            predictors.build(predict, load_network(Path(file)), task),
            task,
            store,
            runs,
            task.reference(store),
            longest=longest,
            batch=8,
            counting=Counting(progress=batch_bar(given)),
        )
        found = scores_by_length(task, metrics, arguments.lengths, store.classes)
        shown = ", ".join(f"T = {length}: {found[length][task.measure.key]:.1f}" for length in found)
        print(f"{given}  {shown}")


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        sys.exit(str(error))
