"""The report accounts for every layer that holds weights, and so does the error of no conversion."""

import re

import pytest
import torch
from torch import nn
from torch.ao.nn import qat
from torch.ao.quantization import get_default_qat_qconfig
from torch.nn.utils import parametrizations
from torchvision.ops import DeformConv2d

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks

STUDENT = dd.LinearStudent(gamma=4)


class Same(nn.Conv2d):
    """Changes nothing."""


class Activates(nn.Conv2d):
    def forward(self, x):
        return super().forward(x).relu()


def every_kind():
    return nn.ModuleDict(
        {
            "plain": nn.Conv2d(8, 12, (3, 1)),
            "same": Same(8, 12, (1, 3)),
            "parametrised": parametrizations.weight_norm(nn.Conv2d(8, 12, 3, bias=False)),
            "linear": nn.Linear(16, 12),
            "activates": Activates(8, 12, 3),
            "line": nn.Conv1d(8, 12, 3),
            "volume": nn.Conv3d(8, 12, 3),
            "up": nn.ConvTranspose2d(8, 12, 3),
            "deform": DeformConv2d(8, 12, 3),
            "qat": qat.Conv2d(8, 12, 3, qconfig=get_default_qat_qconfig("fbgemm")),
            "attention": nn.MultiheadAttention(8, 2),
            "memory": nn.LSTM(8, 12),
            "norm": nn.BatchNorm2d(8),
            "activation": nn.ReLU(),
        }
    )


KINDS = {
    "line": "Conv1d has no student; .*Conv2d with a kernel of",
    "volume": "Conv3d has no student",
    "up": "ConvTranspose2d has no student; .*Upsample",
    "deform": "DeformConv2d samples its input",
    "qat": "Conv2d is quantised, or trains for it; convert the network in floats",
    "attention": "MultiheadAttention holds weights that attention reads",
    "memory": "LSTM keeps a state of its own",
}


def reasons(where):
    delta = dd.convert(every_kind(), STUDENT, where)
    return {row.name: row.reason for row in dd.conversion_report(delta)}, delta


def test_every_layer_with_weights_is_in_the_report():
    found, delta = reasons(dd.all_layers)
    network = every_kind()
    accounted = {name.split(".")[0] for name in found}
    assert accounted == {name.split(".")[0] for name, _ in network.named_parameters()}
    assert "activation" not in found
    assert not [name for name in found if "parametrizations" in name]
    assert list(delta_blocks(delta)) == ["plain", "same", "parametrised", "linear"]
    assert found["norm"] == "not selected"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("selected", [True, False])
def test_kinds_without_a_student_are_named_with_what_to_do(kind, selected):
    found, _ = reasons(lambda _: ["plain", kind] if selected else ["plain"])
    assert re.match(KINDS[kind] if selected else f"not selected; {KINDS[kind]}", found[kind])


def test_a_selected_layer_with_a_forward_of_its_own_is_named_with_the_reason():
    found, _ = reasons(dd.all_layers)
    assert found["activates"].startswith(
        "Activates has a forward of its own, which changes what the kernel gives"
    )


def test_the_projection_inside_attention_is_left_alone_with_the_reason():
    found, _ = reasons(dd.all_layers)
    assert "reads without a call" in found["attention.out_proj"]


def test_where_nothing_is_converted_the_error_counts_the_kinds_with_their_reasons():
    network = nn.Sequential(
        nn.Conv1d(3, 8, 3), nn.BatchNorm1d(8), nn.ReLU(), nn.Conv1d(8, 8, 3), nn.Conv1d(8, 2, 1)
    )
    with pytest.raises(ValueError, match="nothing was converted: 0 module") as caught:
        dd.convert(network, STUDENT, dd.all_layers)
    assert "3 Conv1d (not selected; Conv1d has no student" in str(caught.value)
    assert "1 BatchNorm1d (not selected)" in str(caught.value)
    assert "dd.matching" in str(caught.value)


def test_the_error_names_selected_modules_without_weights_too():
    with pytest.raises(
        ValueError, match=r"1 module\(s\) selected.*1 ReLU \(ReLU is neither Conv2d nor Linear\)"
    ):
        dd.convert(every_kind(), STUDENT, lambda _: ["activation"])


def test_many_kinds_are_cut_short_with_their_number():
    with pytest.raises(ValueError, match=r"[0-9]+ more kinds or reasons"):
        dd.convert(every_kind(), STUDENT, lambda _: [])


def test_a_network_without_weights_is_called_that():
    with pytest.raises(ValueError, match="no layer with weights"):
        dd.convert(nn.Sequential(nn.ReLU()), STUDENT)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated:DeprecationWarning")
def test_packed_layers_of_a_quantised_network_are_named():
    quantised = torch.ao.nn.quantized.Linear(8, 12)
    with pytest.raises(ValueError, match=r"1 Linear .*is quantised"):
        dd.convert(nn.Sequential(quantised, nn.ReLU()), STUDENT, dd.all_layers)
