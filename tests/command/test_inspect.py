"""deltadistill inspect: figures worked by hand, layers that stay, and what it says of what it cannot use."""

import json

import pytest
import torch
from torch import nn

from deltadistill.command.main import main

NETWORK = """
from torch import nn

def net():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1),
        nn.Conv2d(8, 8, 1, groups=8), nn.Conv2d(8, 4, 1),
    )

def heads(*, classes, wide=8):
    return nn.Sequential(nn.Conv2d(3, wide, 1), nn.Conv2d(wide, wide, 3), nn.Conv2d(wide, classes, 1))

def flat():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4))

def words():
    return 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(NETWORK)
    return tmp_path


def inspected(capsys, *line):
    assert main(["inspect", *line, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_macs_students_and_the_bound_are_those_worked_by_hand(folder, capsys):
    found = inspected(capsys, "mine.py:net", "--size", "16x32", "--lengths", "2,4")
    positions, layers = 16 * 32, {row["layer"]: row for row in found["layers"]}
    # teacher: 3·8·9, 8·8·9, 8 and 8·4 a position; student of layer 2 at rank 8/4: 8·2·3 + 2·8·3
    teacher, student = 216 + 576 + 8 + 32, 96
    assert found["macs"] == positions * teacher
    assert (layers["2"]["teacher_macs"], layers["2"]["compressed_macs"]) == (
        positions * 576,
        positions * student,
    )
    assert found["delta_macs"] == positions * (teacher - 576 + student)
    bounds = {row["length"]: row["by_macs"] for row in found["bounds"]}
    assert bounds == pytest.approx({2: teacher / (teacher - 480 / 2), 4: teacher / (teacher - 480 * 3 / 4)})
    assert all(row["ms"] > 0 for row in found["layers"])
    assert found["frame_ms"] > sum(row["ms"] for row in found["layers"]) * 0.2


def test_memory_of_a_frame_and_of_a_stream_is_that_worked_by_hand(folder, capsys):
    found = inspected(capsys, "mine.py:net", "--size", "16x32")
    plane, frame, stream = 16 * 32 * 4, found["memory"], found["stream_memory"]
    assert (frame["peak"], frame["peak_at"]) == ((8 + 8) * plane, "2")
    assert (frame["published"], frame["published_at"]) == ((8 + 8) * plane, "2")
    assert frame["weights"] == 4 * (8 * 3 * 9 + 8 + 8 * 8 * 9 + 8 + 8 + 8 + 8 * 4 + 4)
    assert frame["pytorch"] >= (8 + 8) * plane
    assert stream["maps"] == 8 * plane
    assert stream["delta_peak"] == (8 + 8 + 8) * plane  # the map, and what layer 3 reads and makes
    assert main(["inspect", "mine.py:net", "--size", "16x32"]) == 0
    text = capsys.readouterr().out
    assert "a frame 0.031, the most at layer 2; as ReDistill counts it 0.031 at layer 2; eager" in text
    assert "a stream: maps 0.016, with them a key frame" in text


def test_lower_peaks_are_those_worked_by_hand(folder, capsys):
    """All four layers in 2×2 patches of 8×16: of the first map 9×17 places are needed, 18·34 in all of 512.

    Beside frame and output, 7 planes, layer 2 then reads 8·9·17 values and makes 8·8·16.
    """
    line = ["mine.py:net", "--size", "16x32", "--memory-mib", "0.0223"]
    found = inspected(capsys, *line)
    within = next(row for row in found["lower_peaks"] if row["within"] == 0.0223 * 2**20)
    assert (within["plan"]["layers"], within["plan"]["sides"], within["plan"]["until"]) == (4, 2, "4")
    assert within["peak"] == 4 * (7 * 16 * 32 + 8 * 9 * 17 + 8 * 8 * 16)
    assert within["macs"] == found["macs"] + (18 * 34 - 512) * 216
    assert main(["inspect", *line]) == 0
    text = capsys.readouterr().out
    assert "0.022  ×1.05  patch by patch within 0.022: 4 layers, up to 4, in 2×2 patches" in text
    assert "no pooling 2, 4, 8 times earlier: factor 2 cannot be taken from the strides []" in text
    assert inspected(capsys, *line[:3], "--peaks")["lower_peaks"][0]["within"] is None
    assert inspected(capsys, *line[:3])["lower_peaks"] is None


def test_every_layer_that_stays_says_why(folder, capsys):
    found = inspected(capsys, "mine.py:net", "--size", "16x32")
    reasons = {row["layer"]: row["reason"] for row in found["layers"] if not row["convertible"]}
    assert reasons["0"] == reasons["4"] == "not selected"
    assert "student dearer than its teacher" in reasons["3"]


def test_the_text_names_layers_reasons_and_bounds(folder, capsys):
    assert main(["inspect", "mine.py:net", "--size", "16x32"]) == 0
    text = capsys.readouterr().out
    assert "1 of 4 layers convert, 69% of the MACs" in text
    assert "2 not: not selected" in text
    assert "T = 10  at most ×" in text


def test_a_network_of_which_nothing_converts_is_told_so_and_still_timed(folder, capsys):
    found = inspected(capsys, "mine.py:flat", "--size", "32")
    assert "nothing was converted" in found["nothing_converts"]
    assert found["stream_memory"] is None
    assert found["macs"] == 3 * 32 * 32 * 4
    assert [bound["by_macs"] for bound in found["bounds"]] == [1.0] * 5


def test_classes_and_options_reach_the_builder(folder, capsys):
    found = inspected(capsys, "mine.py:heads", "--size", "16", "--classes", "5", "--option", "wide=4")
    assert found["layers"][-1]["teacher_macs"] == 14 * 14 * 4 * 5
    assert (
        "19 classes, as nothing says how many" in inspected(capsys, "mine.py:heads", "--size", "16")["notes"]
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["mine.py:other"], "mine.py: defines no other"),
        (["mine.py:words"], "mine.py:words returned int; expected a function that returns a network"),
        (["nothing"], "unknown network 'nothing'; expected file.py:function, package.module:function, torch"),
        (
            ["mine.py:flat", "--size", "16"],
            "mine.py:flat does not run on one frame of 3×16×16: mat1 and mat2",
        ),
        (["mine.py:net", "--classes", "3"], "mine.py:net takes no number of classes; leave it out"),
        (["mine.py:heads", "--option", "deep=4"], "mine.py:heads does not take its options: "),
        (
            ["torchvision:resnet18@none.pth"],
            "no file of weights none.pth; torchvision's own, to be downloaded",
        ),
        (["mine.py"], "unknown network 'mine.py'"),
    ],
)
def test_what_cannot_be_inspected_is_said_in_a_sentence(folder, capsys, line, says):
    assert main(["inspect", *line]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_a_detector_of_torchvision_is_inspected_as_it_takes_pictures(capsys):
    found = inspected(capsys, "torchvision:ssdlite320_mobilenet_v3_large", "--size", "64x96")
    assert found["nothing_converts"] is None
    assert found["macs"] > 3e8


def test_weights_say_how_many_classes_and_how_pictures_go_in(tmp_path):
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    from deltadistill.stored.named_network import open_network

    theirs = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3).eval()
    torch.save(theirs.state_dict(), tmp_path / "w@1.pth")
    named = open_network(f"torchvision:lraspp_mobilenet_v3_large@{tmp_path / 'w@1.pth'}")
    frames = torch.rand(1, 3, 32, 32)
    assert torch.equal(named.network(frames), theirs(frames)["out"])
    assert named.model["classes"] == 3
    assert named.pictures == {"mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225)}
    assert len(named.categories) == 21


def test_weights_of_another_network_are_refused(tmp_path):
    from deltadistill.stored.named_network import open_network

    torch.save(nn.Conv2d(3, 4, 1).state_dict(), tmp_path / "w.pth")
    with pytest.raises(ValueError, match="nothing in it belongs to the network"):
        open_network(f"torchvision:resnet18@{tmp_path / 'w.pth'}")
