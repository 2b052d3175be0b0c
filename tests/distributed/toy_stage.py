"""A stage with a toy training, for tests of how several processes start, stop and fail.

    python toy_stage.py FOLDER TROUBLE

It trains with checkpoints in FOLDER and writes FOLDER/result.json. TROUBLE is "none", or what happens in the
process of rank 1 at its fourth step: "bug", "mend" (an error of the user), "kill"; "mend everywhere" happens
in all of them, "slow" makes every step take a while, and "slow look" the first look at the tune split.
"""

import json
import os
import sys
import time
from pathlib import Path
from signal import SIGKILL

from deltadistill.pipeline import stage_arguments
from deltadistill.processes import launch


def main():
    folder, trouble = Path(sys.argv[1]), sys.argv[2]
    launch.over_all_processes()
    import equal_trainings

    from deltadistill.processes import group as processes
    from deltadistill.processes.checkpoint import Checkpoint
    from deltadistill.training.loop import train
    from deltadistill.training.passes import Passes

    class Troubled(equal_trainings.Streets):
        def __getitem__(self, step):
            if step == 3:
                meet(trouble, group.rank)
            if trouble == "slow":
                (folder / f"step{step}").touch()
                time.sleep(0.6)  # so that a signal in the first step comes before the look after the fourth
            return super().__getitem__(step)

    with processes.joined() as group:
        (folder / "processes").write_text(str(group.size))
        passes = Passes(group)
        trainee = equal_trainings.distill(passes)
        if trouble == "slow look":
            trainee.tune_score = lambda between: look(folder, between)
        outcome = train(
            trainee,
            Troubled(2, passes.share(equal_trainings.CLIPS, 2)),
            steps=equal_trainings.STEPS,
            evaluate_every=4,
            seed=0,
            log_every=1,
            checkpoint=Checkpoint(folder / "checkpoint", minutes=60),
            group=group,
        )
        if group.is_first:
            weights = {name: value.tolist() for name, value in trainee.network.state_dict().items()}
            result = {"curve": outcome.curve, "weights": weights, "processes": group.size}
            (folder / "result.json").write_text(json.dumps(result))


def look(folder, between):
    (folder / "look").touch()
    for _ in range(200):
        time.sleep(0.1)
        between()


def meet(trouble, rank):
    if trouble == "mend everywhere" or (trouble == "mend" and rank == 1):
        raise ValueError("clip street3 is damaged; make it again")
    if trouble == "bug" and rank == 1:
        raise KeyError("no such block")
    if trouble == "kill" and rank == 1:
        os.kill(os.getpid(), SIGKILL)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    stage_arguments.run(main)
