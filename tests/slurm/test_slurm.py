"""On a real Slurm: both profiles run the graph, survive killed jobs, and leave nothing to do."""

import re

import pytest

pytestmark = pytest.mark.slurm

SLOWEST_S = 150  # a time limit of a minute, which Slurm looks at twice a minute, and the slowest question
AT_ONCE_S = 60  # the slowest question alone
WARNED = "analyze_consistency_street_0_delta"


def test_an_interrupt_cancels_the_jobs(story):
    assert story.interrupted.code
    assert story.interrupted.seconds < AT_ONCE_S
    assert story.jobs_after_interrupt == []


def test_cancelled_and_overlong_jobs_are_reported_and_not_waited_for(story):
    assert story.failed.code
    assert story.failed.reported("analyze_consistency_street_0_teacher") - story.cancelled < AT_ONCE_S
    assert (
        story.failed.reported("profile_macs_street") - story.failed.began("profile_macs_street") < SLOWEST_S
    )


def test_the_other_stages_keep_their_results(story):
    assert story.stale_after_failure == {
        "profile_macs@street",
        "analyze_consistency@street-0-teacher",
        "analyze_consistency@street-0-delta",
        "write_report@street",
    }, story.failed.said


def test_a_cancelled_job_is_tried_again(story):
    assert "Error in rule measure_latency_street" in story.finished.said
    assert story.finished.code == 0, story.finished.said


def test_a_job_out_of_memory_gets_more_when_it_is_tried_again(story):
    assert "Error in rule profile_macs_street" in story.finished.said
    memory = [
        re.search(r"MinMemoryNode=(\S+)", job)[1] for rule, job in story.jobs if rule == "profile_macs_street"
    ]
    assert memory == ["500M", "500M", "1000M"]  # the first was overlong


def test_slurms_warning_reaches_the_stage_which_ends(story):
    assert story.warned == "a checkpoint"
    # It was at work when the other job was cancelled; the warning comes in the two minutes after it began.
    assert story.failed.reported(WARNED) - story.cancelled < 120 + AT_ONCE_S
    assert "Traceback" not in (story.folder / "logs" / f"{WARNED}.log").read_text()


def test_afterwards_neither_tool_finds_anything_to_do(story):
    assert "Data and pipelines are up to date." in story.status
    assert "Nothing to be done" in story.dry_run


def test_every_stage_was_a_job_with_what_it_needs(story):
    jobs = dict(story.jobs)
    teacher = jobs["pretrain_teacher_street_0"]
    for asked in ("Partition=toy", "TimeLimit=02:00:00", "NumCPUs=1", "mem=3000M", "gpu:fake:1"):
        assert asked in teacher, asked
    assert "OverSubscribe=NO" in jobs["measure_latency_street"]  # a node for itself
    assert len(jobs) == 11


def test_logs_and_benchmarks_tell_the_stage(story, profile):
    logs = story.folder / "logs"
    assert "stages/distill.py" in (logs / "distill_street_0_delta.log").read_text()
    assert (logs / "benchmarks" / "distill_street_0_delta.tsv").is_file()
    pattern = {
        "slurm": "rule_distill_street_0_delta/*.log",
        "generic": "distill_street_0_delta-*.log",
    }
    assert list((logs / "slurm").glob(pattern[profile]))
