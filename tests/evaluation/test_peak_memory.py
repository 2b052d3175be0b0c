"""Memory of a frame of a variant, by hand, on its way into the files of results."""

import pytest
from pydantic import TypeAdapter
from torch import nn

import deltadistill as dd
from deltadistill.evaluation.peak_memory import peak_memory
from deltadistill.pipeline.results.sweep_file import LengthScore
from deltadistill.predictors.predictor import build
from deltadistill.tasks.classification import Classification
from deltadistill.tasks.segmentation import Segmentation

SIZE = (3, 64, 64)
FRAME, MAP = 3 * 64 * 64 * 4 / 2**20, 8 * 64 * 64 * 4 / 2**20  # MiB


def network():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, 2, 1), nn.Flatten())


def test_a_per_frame_variant_needs_the_frame_and_its_first_map():
    plain = network()
    found = peak_memory(build("per_frame", plain, Classification(2)), plain, SIZE)
    assert found == pytest.approx({"peak_mib": FRAME + MAP, "published_peak_mib": FRAME + MAP})


def test_of_a_stream_the_peaks_and_the_kept_maps_are_told_where_that_is_asked_for():
    """Kept are 4 planes of the output at 32×32 and 4 of the coarse one at 16×16."""
    plain = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, 2, 1)).eval()
    delta = dd.convert(plain, dd.ReducedResolution(), dd.whole_network)
    delta.decide("compressed")
    predictor = build("stream", delta, Segmentation(4))
    assert peak_memory(predictor, delta, SIZE) == {}
    found = peak_memory(predictor, delta, SIZE, of_streams=True)
    kept = (4 * 32 * 32 + 4 * 16 * 16) * 4 / 2**20
    assert found["kept_mib"] == pytest.approx(kept)
    assert found["peak_mib"] == pytest.approx(FRAME + MAP + 4 * 16 * 16 * 4 / 2**20)  # a key frame's
    assert found["delta_peak_mib"] == pytest.approx(kept + FRAME + FRAME / 4)  # while the frame is averaged


def test_of_a_predictor_that_does_more_nothing_is_said():
    plain = network()
    assert peak_memory(build("copy", plain, Classification(2)), plain, SIZE) == {}


def test_a_sweeps_file_has_it_where_it_is_known():
    score = {"top1": 50.0, "top5": 100.0, "ece": 5.0, "top1_of_class": {}, "top1_per_distance": [50.0]}
    costs, file = {"gmacs": 1.0, "macs_ratio": 1.0}, TypeAdapter(LengthScore)
    known = file.validate_python({**score, **costs, "peak_mib": 1.5, "published_peak_mib": 2.0})
    assert (known.peak_mib, known.more["ece"]) == (1.5, 5.0)
    assert file.dump_python(known)["published_peak_mib"] == 2.0
    stream = file.validate_python({**score, **costs, "peak_mib": 1.5, "delta_peak_mib": 1.0, "kept_mib": 0.5})
    assert file.dump_python(stream)["kept_mib"] == 0.5
    memory = {"peak_mib", "published_peak_mib", "delta_peak_mib", "kept_mib"}
    assert not memory & set(file.dump_python(file.validate_python(score | costs)))
