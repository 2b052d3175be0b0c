"""From a network and a video to a runner's folder: in truth, at toy size, and where it is interrupted."""

import json
from dataclasses import replace

import numpy as np
import pytest
from acceleration.conftest import ONE, Clock, Times, run, shot

from deltadistill.acceleration import course as courses
from deltadistill.acceleration import designs, kept
from deltadistill.acceleration.accelerate import accelerate
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.designs import Design
from deltadistill.acceleration.fills import FLOWS
from deltadistill.acceleration.footage import split
from deltadistill.acceleration.timing import ImpossibleSpeedError
from deltadistill.acceleration.truth import BoxTruth
from deltadistill.runtime.runner import Runner


def test_a_delta_network_that_keeps_what_is_asked_becomes_the_runner(case, tmp_path, quick):
    case = replace(case, asked=0.0)
    outcome = run(case, tmp_path / "runner", beside={"adapter.yaml": "threshold: 0.4\n"})
    assert outcome.choice.is_faster
    assert outcome.choice.taken.period == 4
    runner = Runner(tmp_path / "runner", engine="onnxruntime")
    assert runner.description.schedule.period == 4
    frame = case.parts.testing[0].frames[0][None]
    runner(frame)
    assert not (runner(frame), runner.is_key_frame)[1]
    assert (tmp_path / "runner" / "adapter.yaml").read_text() == "threshold: 0.4\n"
    assert 0 < outcome.tested.fidelity <= 1
    assert outcome.tested.frames > 1


def test_moved_answers_that_are_fastest_become_a_runner_that_moves(case, tmp_path, quick):
    quick(Times(filled=2.0))
    outcome = run(replace(case, asked=0.0), tmp_path / "runner")
    assert outcome.choice.taken.trial.kind in ("copied", "moved", "delta, moved")
    runner = Runner(tmp_path / "runner", engine="onnxruntime")
    assert runner.description.between.kind == outcome.choice.taken.trial.between.kind != "delta"
    frames = [frame[None] for frame in case.parts.testing[0].frames]
    runner(frames[0])
    runner(frames[1])
    assert not runner.is_key_frame
    page = (tmp_path / "runner" / "report.html").read_text()
    assert "cannot hold" not in page
    assert "a copied or moved answer" in page


def test_a_delta_network_may_compute_some_frames_and_answers_be_moved_between(case, tmp_path, quick):
    class Best(Times):
        def speedups(self, name, periods, *, between, fill=None):
            best = between.kind == "moved" and between.every == 2
            return {each: 3.0 if best and each == 4 else 1.1 for each in periods}

    quick(Best())
    outcome = run(replace(case, asked=0.0), tmp_path / "runner")
    taken = outcome.choice.taken
    assert (taken.trial.kind, taken.trial.design, taken.period) == ("delta, moved", "gamma4-spatial", 4)
    description = Runner(tmp_path / "runner", engine="onnxruntime").description
    assert (description.between.every, description.between.decoder) == (2, "labels")
    assert description.maps
    again = run(replace(case, asked=0.0), tmp_path / "runner").choice.taken  # its graphs are made again
    assert (again.trial.kind, again.trial.design) == (taken.trial.kind, taken.trial.design)


def test_key_frames_by_change_that_are_fastest_become_the_schedule_of_the_runner(case, tmp_path, quick):
    quick(Times(by_change=5.0))
    outcome = run(replace(case, asked=0.0), tmp_path / "runner")
    taken = outcome.choice.taken
    assert taken.trial.name.endswith("key frames by change")
    runner = Runner(tmp_path / "runner", engine="onnxruntime")
    said = runner.description.schedule
    assert (said.period, said.adaptive.threshold, said.adaptive.longest) == (4, taken.threshold, 8)
    choice = outcome.as_json()["choice"]
    assert (choice["threshold"], choice["key_share"]) == (taken.threshold, taken.key_share)
    page = (tmp_path / "runner" / "report.html").read_text()
    assert f"changed by {taken.threshold:g} grey levels, {taken.key_share:.0%} of the frames" in page
    assert "≈ 4" in page
    frames = [frame[None] for frame in case.parts.testing[0].frames]
    keys = [(runner(frame), runner.is_key_frame)[1] for frame in frames]
    assert outcome.tested.key_share == sum(keys) / len(keys)
    again = run(replace(case, asked=0.0), tmp_path / "runner").choice.taken
    assert (again.trial.name, again.threshold) == (taken.trial.name, taken.threshold)


def test_an_interruption_among_the_fills_keeps_what_there_is(case, tmp_path, quick, monkeypatch):
    asked = []

    def judged(self, way, trial, others=(), *, prunes=False):
        asked.append(trial.name)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return replace(trial, fidelities={2: 1.0}, kept={2: 1.0}, lower={2: 1.0})

    monkeypatch.setattr(courses.Judge, "judged", judged)
    outcome = run(replace(case, asked=0.0), tmp_path / "runner")
    assert outcome.was_interrupted
    assert [trial.kind for trial in outcome.trials] == ["per frame", "copied"]
    assert (tmp_path / "runner" / "runner.json").is_file()


def test_a_network_on_which_nothing_gains_is_run_per_frame_whatever_is_asked(case, tmp_path, quick):
    class Slow(Times):
        def speedups(self, name, periods, *, between, fill=None):
            return dict.fromkeys(periods, 0.8)

    quick(Slow())
    outcome = run(replace(case, asked=0.0), tmp_path / "runner")
    assert not outcome.choice.is_faster
    assert outcome.speedup >= 1
    assert Runner(tmp_path / "runner", engine="onnxruntime").description.schedule.period == 1


def test_layers_that_save_time_are_measured_and_kept_for_the_next_call(case, tmp_path, quick, monkeypatch):
    monkeypatch.setattr(courses, "DESIGNS", (Design(4, "timed"),))
    monkeypatch.setattr(designs, "DESIGNS", (Design(4, "timed"),))
    measured = []

    def saving_time(case, delta, name, *, length, seconds):
        measured.append(name)
        return ("2",)

    monkeypatch.setattr(designs, "saving_time", saving_time)
    case = replace(case, asked=0.0)
    taken = run(case, tmp_path / "runner").choice.taken.trial
    assert (taken.design, list(taken.compressed)) == ("gamma4-timed", ["2"])
    again = run(case, tmp_path / "runner").choice.taken.trial
    assert list(again.compressed) == ["2"]
    assert measured == [("onnxruntime", "fp32")]


def test_where_no_layer_saves_time_it_is_said(case, tmp_path, quick, monkeypatch):
    monkeypatch.setattr(courses, "DESIGNS", (Design(4, "timed"),))
    monkeypatch.setattr(designs, "saving_time", lambda *given, **options: ())
    outcome = run(replace(case, asked=1.0), tmp_path / "runner")
    ended = {trial.design: trial.ended for trial in outcome.trials}
    assert ended["gamma4-timed"] == "no layer's students save time"


def test_graphs_in_8_bits_are_a_precision_like_others(case, tmp_path, quick, monkeypatch):
    monkeypatch.setattr(courses, "distilled", lambda *given, **options: (0, {}))  # thousands of steps else
    case = replace(case, asked=0.0, precisions=("fp32", "int8"))
    outcome = run(case, tmp_path / "runner", budget=Budget(200, clock=Clock(0.5)))
    assert {trial.precision for trial in outcome.trials if trial.kind == "per frame"} == {"fp32", "int8"}


def test_where_nothing_keeps_what_is_asked_the_runner_computes_every_frame_and_the_page_says_so(
    case, tmp_path, quick
):
    outcome = run(replace(case, asked=1.0), tmp_path / "runner")
    assert not outcome.choice.is_faster
    assert outcome.tested.fidelity == 1
    assert Runner(tmp_path / "runner", engine="onnxruntime").description.schedule.period == 1
    page = (tmp_path / "runner" / "report.html").read_text()
    assert "every frame is computed in full" in page


def test_a_runner_that_proves_slower_once_it_is_written_is_replaced_by_the_per_frame_network(
    case, tmp_path, quick, monkeypatch
):
    monkeypatch.setattr("deltadistill.acceleration.accelerate._measured", lambda *given: 0.9)
    outcome = run(replace(case, asked=0.0), tmp_path / "runner")
    assert not outcome.choice.is_faster
    assert not Runner(tmp_path / "runner", engine="onnxruntime").description.maps


def test_the_same_call_goes_on_from_its_trials_and_chooses_the_same_design(case, tmp_path, quick):
    case = replace(case, asked=0.0)
    first, told = run(case, tmp_path / "runner"), []
    second = run(case, tmp_path / "runner", tell=told.append)
    assert any("going on from" in text for text in told)
    assert second.choice.taken.trial.design == first.choice.taken.trial.design
    steps = [trial.steps for trial in second.trials if trial.kind == "delta" and not trial.is_by_change]
    assert steps.count(0) == 1


def test_two_calls_anew_choose_the_same_design_with_the_same_fidelity(case, tmp_path, quick):
    case, found = replace(case, asked=0.0), []
    for name in "ab":
        taken = run(case, tmp_path / name).choice.taken
        found.append((taken.trial.design, taken.trial.steps, taken.period, taken.fidelity))
    assert found[0] == found[1]


def test_trials_of_another_network_are_not_gone_on_with(case, tmp_path, quick):
    run(case, tmp_path / "runner")
    case.network[0].weight.data += 0.1
    told = []
    run(case, tmp_path / "runner", tell=told.append)
    assert not any("going on from" in text for text in told)


@pytest.mark.parametrize(
    "changed",
    [
        lambda case: replace(case, truth=BoxTruth("gt.txt", {}, {}, digest="b")),
        lambda case: replace(case, parts=split([[brighter(case)]])),
    ],
)
def test_trials_against_another_truth_or_on_other_frames_are_not_gone_on_with(case, changed):
    case = replace(case, truth=BoxTruth("gt.txt", {}, {}, digest="a"))
    assert kept.question_of(case) == kept.question_of(
        replace(case, truth=replace(case.truth, name="copy.txt"))
    )
    assert kept.question_of(changed(case)) != kept.question_of(case)


def brighter(case):
    """The case's video with another frame somewhere in the middle."""
    parts = case.parts
    frames = [frame for part in (parts.learning, parts.choosing, parts.testing) for frame in part[0].frames]
    frames[len(frames) // 2] = frames[len(frames) // 2] + np.uint8(1)
    return shot(frames)


def test_an_interruption_keeps_the_best_so_far(case, tmp_path, quick, monkeypatch):
    def interrupted(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(courses, "distilled", interrupted)
    outcome = run(replace(case, asked=0.0), tmp_path / "runner")
    assert outcome.was_interrupted
    assert outcome.choice.is_faster
    assert "interrupted" in (tmp_path / "runner" / "report.html").read_text()
    kept = json.loads((tmp_path / "runner" / "trials.json").read_text())
    assert [trial["kind"] for trial in kept["trials"]] == [
        "per frame",
        "copied",
        *["moved"] * len(FLOWS),
        "delta",
        "delta",
        "students",
    ]
    assert kept["trials"][-2]["name"].endswith("key frames by change")


def test_an_error_of_the_network_is_not_taken_for_an_interruption(case, tmp_path, monkeypatch):
    monkeypatch.setattr(courses, "fills_of", lambda answer: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(case, tmp_path / "runner")
    assert not (tmp_path / "runner").exists()


def test_what_there_is_no_time_for_is_not_begun(case, tmp_path, monkeypatch):
    monkeypatch.setattr(courses.Course, "_delta_trial", lambda *given: pytest.fail("no time for it"))
    outcome = run(case, tmp_path / "runner", budget=Budget(0.05, clock=Clock()))
    assert {trial.kind for trial in outcome.trials} <= {"per frame", "copied", "moved"}


def test_damaged_trials_are_refused_with_what_to_do(case, tmp_path, quick):
    run(case, tmp_path / "runner")
    path = tmp_path / "runner" / "trials.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "trials": [{"kind": "magic"}]}))
    with pytest.raises(ValueError, match=r"trials\.json.*delete it"):
        run(case, tmp_path / "runner")


def test_the_page_is_whole_by_itself(case, tmp_path, quick):
    run(replace(case, asked=0.0, name="<net>"), tmp_path / "runner", command=lambda outcome: "run <it>")
    page = (tmp_path / "runner" / "report.html").read_text()
    assert "&lt;net&gt;" in page
    assert "run &lt;it&gt;" in page
    assert 'src="http' not in page
    assert page.count("<img") in (4, 6)  # of the worst frames, as many as there was time for
    assert page.count('src="data:video/mp4') == page.count('poster="data:image/jpeg') == 1
    for section in (
        "Side by side",
        "Time and fidelity",
        "What was tried",
        "milliseconds",
        "Worst",
        "What to try next",
    ):
        assert section in page


def test_with_real_times_a_runner_comes_out_that_answers(case, tmp_path, monkeypatch):
    monkeypatch.setattr(courses, "DESIGNS", ONE)
    outcome = accelerate(replace(case, asked=0.9), tmp_path / "runner", minutes=0.2)
    assert outcome.trials[0].kind == "per frame"
    assert outcome.tested.kept > 0.8
    runner = Runner(tmp_path / "runner", engine="onnxruntime")
    assert np.asarray(runner(case.parts.testing[0].frames[0][None])).shape == (1, 4, 48, 64)


def test_it_is_said_where_there_was_no_time_for_a_delta_network(case, tmp_path, quick, monkeypatch):
    monkeypatch.setattr(courses, "_LOADS", 1e6)
    told = []
    outcome = run(case, tmp_path / "runner", tell=told.append)
    assert not any(trial.design for trial in outcome.trials)
    assert any(line.startswith("no delta network was tried: one takes about ") for line in told)
    assert "No delta network was tried for want of time" in (tmp_path / "runner" / "report.html").read_text()


def test_a_speed_up_that_cannot_be_is_not_chosen_by(case, tmp_path, quick, monkeypatch):
    def impossible(*given, **options):
        raise ImpossibleSpeedError("×9.00 was measured over 4 frames")

    monkeypatch.setattr("deltadistill.acceleration.accelerate.runner_speedup", impossible)
    told = []
    outcome = run(replace(case, asked=0.0), tmp_path / "runner", tell=told.append)
    assert not outcome.choice.is_faster
    assert "the per-frame network is written instead: ×9.00 was measured over 4 frames" in told
