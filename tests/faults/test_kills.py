"""The pipeline killed again and again: nothing half-written, no stale result, the same results in the end.

A few kills, of the trainings and what they need, in every test run; at 36 moments over all stages with
`make test-faults`, at others with DELTADISTILL_FAULTS_SEED=1 make test-faults.
"""

import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from faults.pipeline import STAGES, TOOLS, Pipeline, moments, read_whole

pytestmark = pytest.mark.pipeline

SEED = int(os.environ.get("DELTADISTILL_FAULTS_SEED", "0"))  # of the moments
START_S = 4  # a stage's imports
TRIES = 5


def durations(pipeline: Pipeline) -> dict[str, float]:
    """Seconds that one run of each stage took, from its start."""
    records = [json.loads(path.read_text()) for path in pipeline.folder.rglob("provenance.json")]
    known = {record["stage"]: 60 * record["minutes"] + START_S for record in records}
    return {stage: known.get(stage, START_S) for stage in STAGES}


def kill_again_and_again(folder: Path, stages: Sequence[str], times: int) -> None:
    """Kill a pipeline in each stage at random moments, look at what is there after each, and finish it."""
    whole, pipeline = Pipeline(folder / "whole", stages), Pipeline(folder / "killed", stages)
    whole.finish(TOOLS[0])
    known = durations(whole)
    kills = [(stage, moment) for stage in stages for moment in moments(stage, times, known[stage], SEED)]
    expected = {address: whole.digests(outs) for address, outs in whole.outputs().items()}
    for (stage, seconds), tool in zip(kills, itertools.cycle(TOOLS), strict=False):
        kill(pipeline, stage, tool, seconds)
        for file in pipeline.written():
            read_whole(file)
        stale = pipeline.status()
        for address, outs in pipeline.outputs().items():
            if address not in stale:
                assert pipeline.digests(outs) == expected[address], (stage, seconds, address)
    pipeline.finish(TOOLS[0])
    assert pipeline.status() == {}
    assert {address: pipeline.digests(outs) for address, outs in pipeline.outputs().items()} == expected
    leftovers = [f for f in pipeline.folder.glob("[dar]*/**/.*.tmp*") if f.name != ".gitignore"]
    assert leftovers == []


def kill(pipeline: Pipeline, stage: str, tool: tuple[str, ...], seconds: float) -> None:
    """Kill a run in a stage; of one that ended before its moment, as a short one may, another one sooner."""
    for _ in range(TRIES):
        pipeline.let_run(stage)
        if pipeline.kill_in(stage, tool, seconds):
            return
        seconds /= 2
    pytest.fail(f"no run of {stage} was killed")


def test_a_few_kills_change_nothing(tmp_path):
    kill_again_and_again(tmp_path, ("prepare_dataset", "pretrain_teacher", "distill"), 1)


@pytest.mark.faults
def test_kills_over_all_stages_change_nothing(tmp_path):
    kill_again_and_again(tmp_path, STAGES, 4)
