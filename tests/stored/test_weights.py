"""Weights from files: public names and nesting, delta-distilled ones, backbones, what does not fit."""

import pytest
import timm
import torch
from models.key_lists import DDRNETS, DELTA_DISTILLED, EFFICIENTDET, HRNET, read_shapes
from torchvision.models import resnet

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.stored.architecture import found_architecture
from deltadistill.stored.network_file import save_network
from deltadistill.stored.weight_names import NO_STUDENTS, NO_SUCH_NAME, NO_TENSOR, REPEATED, STUDENT_BIAS

LISTS = {"ddrnet23_slim": (DDRNETS["ddrnet23_slim"], 19), "hrnet_w18_small": (HRNET, 19)}
LISTS["efficientdet_d0"] = (EFFICIENTDET, 30)
STUDENTS = dd.LinearStudent(gamma=4, initialisation="random", pointwise_stride="split", keep_dearer=True)
TINY = {"classes": 4, "options": {"width": 8, "stem_strides": (2, 1)}}
DETECTOR = {"classes": 3, "features": 8, "box_features": 16, "layers": (1, 1, 1, 1)}
DETECTOR_NAMES = {
    "backbone.body.": "backbone.",
    "backbone.neck.0.": "neck.convs.0.conv.",
    "rpn.head.conv.0.0.": "rpn_head.rpn_conv.",
    "rpn.head.cls_logits.": "rpn_head.rpn_cls.",
    "rpn.head.bbox_pred.": "rpn_head.rpn_reg.",
    "roi_heads.box_head.fc6.": "roi_head.bbox_head.shared_fcs.0.",
    "roi_heads.box_head.fc7.": "roi_head.bbox_head.shared_fcs.1.",
    "roi_heads.box_predictor.cls_score.": "roi_head.bbox_head.fc_cls.",
    "roi_heads.box_predictor.bbox_pred.": "roi_head.bbox_head.fc_reg.",
}


def random_tensors(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()}


def written(path, content):
    torch.save(content, path)
    return path


def tiny(seed=0):
    torch.manual_seed(seed)
    return dd.models.build("ddrnet23_slim", classes=TINY["classes"], **TINY["options"]).eval()


def tiny_delta(seed=0):
    network = dd.convert(tiny(seed), STUDENTS)
    for number, block in enumerate(delta_blocks(network).values()):
        block.gate.logit.data.fill_(1.0 if number % 3 else -1.0)
    return network


def public_delta(network):
    """A delta network's tensors as the public code of training names them, its copied biases included."""
    tensors = {}
    for name, value in network.state_dict().items():
        if name.endswith(".decision"):
            continue  # public code has none
        for here, there in (("teacher", "W"), ("uncompressed", "g_Wa"), ("compressed", "g_Wb")):
            name = name.replace(f".{here}.", f".{there}.")
        tensors[name.replace(".gate.logit", ".g_gate.bias")] = value.clone()
    for name, block in delta_blocks(network).items():
        if block.teacher.bias is not None:
            tensors[f"{name}.g_Wa.bias"] = tensors[f"{name}.g_Wb.1.bias"] = block.teacher.bias.clone()
    return tensors


def public_deployed(network):
    """The same as the public code deploys them: the chosen candidate only."""
    tensors = public_delta(network)
    for name, block in delta_blocks(network).items():
        chosen = "g_Wa" if block.choice == "uncompressed" else "g_Wb"
        for key in [key for key in tensors if key.startswith(f"{name}.g_")]:
            value = tensors.pop(key)
            if key.startswith(f"{name}.{chosen}."):
                tensors[key.replace(f".{chosen}.", ".g_W.")] = value
    return tensors


def outputs(network):
    clip = torch.randn(3, 1, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    step = dd.Stream(network, period=3) if delta_blocks(network) else network
    with torch.no_grad():
        return torch.cat([step(frame) for frame in clip])


def assert_same(network, other):
    torch.testing.assert_close(outputs(network), outputs(other), rtol=0, atol=0)


@pytest.mark.parametrize("name", LISTS)
def test_public_per_frame_checkpoints_load_completely(name, tmp_path):
    keys, classes = LISTS[name]
    tensors = random_tensors(read_shapes(keys))
    network = dd.models.build(name, classes=classes)
    report = dd.load_weights(network, written(tmp_path / "public.pth", tensors), strict=True)
    assert (set(report.loaded), report.unused, report.missing) == (set(tensors), (), ())
    assert all(torch.equal(v, tensors[k].to(v.dtype)) for k, v in network.state_dict().items())


@pytest.mark.parametrize("wrapper", ["model.", "module.", "module.model."])
def test_wrapped_and_nested_names_are_understood(wrapper, tmp_path):
    tensors = {f"{wrapper}{name}": value for name, value in tiny(1).state_dict().items()}
    tensors["loss.weight"] = torch.ones(4)
    path = written(tmp_path / "public.pth", {"epoch": 3, "state_dict": tensors})
    network = tiny()
    report = dd.load_weights(network, path)
    assert (report.unused, report.missing) == (("loss.weight",), ())
    assert report.reasons == {"loss.weight": NO_SUCH_NAME}
    assert_same(network, tiny(1))


def test_the_public_delta_distilled_checkpoint_loads_completely(tmp_path):
    tensors = random_tensors(read_shapes(DELTA_DISTILLED))
    for number, name in enumerate(name for name in tensors if name.endswith("g_gate.bias")):
        tensors[name] = torch.tensor(0.5 if number % 2 else -0.5)
    network = dd.convert(dd.models.build("ddrnet23_slim", classes=19), STUDENTS)
    report = dd.load_weights(network, written(tmp_path / "public.pth", tensors), strict=True)
    assert report.missing == ()
    assert set(report.reasons.values()) == {STUDENT_BIAS, REPEATED}
    biases = {name for name, reason in report.reasons.items() if reason == STUDENT_BIAS}
    assert biases == {"conv1.3.g_Wa.bias", "conv1.3.g_Wb.1.bias", "conv1.3.g_W.1.bias"}
    for name, block in delta_blocks(network).items():
        assert torch.equal(block.teacher.weight, tensors[f"{name}.W.weight"])
        assert torch.equal(block.uncompressed.weight, tensors[f"{name}.g_Wa.weight"])
        assert torch.equal(block.compressed[1].weight, tensors[f"{name}.g_Wb.1.weight"])
        positive = tensors[f"{name}.g_gate.bias"] > 0
        assert block.choice == ("uncompressed" if positive else "compressed")


def test_a_public_training_checkpoint_gives_the_network_it_came_from(tmp_path):
    path = written(tmp_path / "public.pth", public_delta(tiny_delta(1)))
    network = dd.convert(tiny(), STUDENTS)
    dd.load_weights(network, path)
    assert_same(network, tiny_delta(1))


def test_a_gate_of_one_element_fits(tmp_path):
    tensors = public_delta(tiny_delta(1))
    tensors = {k: v.reshape(1) if k.endswith("g_gate.bias") else v for k, v in tensors.items()}
    network = dd.convert(tiny(), STUDENTS)
    assert dd.load_weights(network, written(tmp_path / "public.pth", tensors)).missing == ()
    assert_same(network, tiny_delta(1))


def test_a_public_deployed_checkpoint_deploys_the_network(tmp_path):
    path = written(tmp_path / "public.pth", public_deployed(tiny_delta(1)))
    network = dd.convert(tiny(), STUDENTS)
    report = dd.load_weights(network, path, strict=True)
    assert report.missing == ()
    choices = [block.choice for block in delta_blocks(network).values()]
    assert choices == [block.choice for block in delta_blocks(tiny_delta(1)).values()]
    assert all(block.gate is None for block in delta_blocks(network).values())
    assert_same(network, tiny_delta(1))


def test_the_teachers_of_a_delta_distilled_checkpoint_make_a_per_frame_network(tmp_path):
    path = written(tmp_path / "public.pth", public_delta(tiny_delta(1)))
    network = tiny()
    report = dd.load_weights(network, path)
    assert report.missing == ()
    assert set(report.reasons.values()) == {NO_STUDENTS, STUDENT_BIAS}
    assert_same(network, tiny(1))


def test_per_frame_weights_are_refused_by_a_converted_network(tmp_path):
    path = written(tmp_path / "teacher.pth", tiny(1).state_dict())
    with pytest.raises(
        ValueError, match=r"no students for conv1\.3, .*load per-frame weights before convert"
    ):
        dd.load_weights(dd.convert(tiny(), STUDENTS), path)


def test_own_files_load_per_frame_and_deployed(tmp_path):
    model = {"name": "ddrnet23_slim", **TINY}
    save_network(tmp_path / "teacher.pt", tiny(1), model)
    network = tiny()
    assert dd.load_weights(network, tmp_path / "teacher.pt", strict=True).unused == ()
    assert_same(network, tiny(1))
    deployed = dd.deploy(tiny_delta(1))
    path = tmp_path / "student.pt"
    save_network(path, deployed, model, architecture=found_architecture(deployed, STUDENTS))
    for network in (dd.convert(tiny(), STUDENTS), dd.deploy(tiny_delta())):
        assert dd.load_weights(network, path, strict=True).missing == ()
        assert_same(network, deployed)


def test_a_checkpoint_of_a_running_training_loads(tmp_path):
    trainee = {"network": tiny_delta(1).state_dict(), "optimiser": {}}
    path = written(tmp_path / "last.pt", {"trainee": trainee, "steps_done": 5})
    network = dd.convert(tiny(), STUDENTS)
    assert dd.load_weights(network, path, strict=True).unused == ()
    assert_same(network, tiny_delta(1))


def test_an_imagenet_ddrnet_without_head_loads_as_backbone(tmp_path):
    tensors = {k: v for k, v in tiny(1).state_dict().items() if not k.startswith(("spp.", "final_layer."))}
    tensors |= {"module.linear.weight": torch.ones(1000, 64), "module.linear.bias": torch.ones(1000)}
    network = tiny()
    report = dd.load_weights(network, written(tmp_path / "imagenet.pth", tensors))
    assert {name.split(".")[0] for name in report.missing} == {"spp", "final_layer"}
    assert report.unused == ("module.linear.weight", "module.linear.bias")


def test_timms_hrnet_loads_as_backbone(tmp_path):
    tensors = timm.create_model("hrnet_w18_small_v2", pretrained=False).state_dict()
    network = dd.models.build("hrnet_w18_small", classes=19)
    report = dd.load_weights(network, written(tmp_path / "imagenet.pth", tensors))
    assert {name.split(".")[0] for name in report.missing} == {"last_layer"}
    heads = {"incre_modules", "downsamp_modules", "final_layer", "classifier"}
    assert {name.split(".")[0] for name in report.unused} == heads
    name = "stage4.1.fuse_layers.3.0.1.0.weight"
    assert torch.equal(network.state_dict()[name], tensors[name])


def test_timms_efficientnet_loads_as_backbone(tmp_path):
    tensors = timm.create_model("tf_efficientnet_b0", pretrained=False).state_dict()
    network = dd.models.build("efficientdet_d0", classes=3)
    report = dd.load_weights(network, written(tmp_path / "imagenet.pth", tensors))
    assert {name.split(".")[0] for name in report.missing} == {"fpn", "class_net", "box_net"}
    assert {name.split(".")[0] for name in report.unused} == {"conv_head", "bn2", "classifier"}


def test_torchvisions_resnet_loads_as_the_detectors_body(tmp_path):
    tensors = resnet.ResNet(resnet.Bottleneck, [1, 1, 1, 1]).state_dict()
    network = dd.models.build("faster_rcnn_r101", **DETECTOR)
    report = dd.load_weights(network, written(tmp_path / "imagenet.pth", tensors))
    assert report.unused == ("fc.weight", "fc.bias")
    assert not [name for name in report.missing if name.startswith("backbone.body.")]
    assert torch.equal(network.backbone.body.layer4[0].conv2.weight, tensors["layer4.0.conv2.weight"])


def public_detector(tensors):
    """The detector's tensors as the public code names them, the background as the last class."""
    public = {}
    for name, value in tensors.items():
        here = next(beginning for beginning in DETECTOR_NAMES if name.startswith(beginning))
        public["detector." + DETECTOR_NAMES[here] + name.removeprefix(here)] = value
    for kind in ("weight", "bias"):
        head = "detector.roi_head.bbox_head."
        public[f"{head}fc_cls.{kind}"] = public[f"{head}fc_cls.{kind}"][[1, 2, 3, 0]]
        public[f"{head}fc_reg.{kind}"] = public[f"{head}fc_reg.{kind}"][4:]
    return public


def detector(seed=0):
    torch.manual_seed(seed)
    return dd.models.build("faster_rcnn_r101", **DETECTOR)


def test_the_public_detectors_background_becomes_the_first_class(tmp_path):
    other = detector(1).state_dict()
    path = written(tmp_path / "public.pth", {"state_dict": public_detector(other)})
    network = detector()
    report = dd.load_weights(network, path, strict=True)
    assert (report.unused, report.missing) == ((), ())
    for name, value in network.state_dict().items():
        expected = other[name].clone()
        if name.startswith("roi_heads.box_predictor.bbox_pred"):
            expected[:4] = 0  # the background has no box
        assert torch.equal(value, expected), name


def test_the_public_delta_distilled_detector_loads_completely(tmp_path):
    other, network = (
        dd.convert(detector(seed), STUDENTS, dd.models.published_convolutions) for seed in (1, 0)
    )
    path = written(tmp_path / "public.pth", public_detector(public_delta(other)))
    report = dd.load_weights(network, path, strict=True)
    assert set(report.reasons.values()) == {STUDENT_BIAS}
    assert report.missing == ()
    for name, block in delta_blocks(other).items():
        loaded = network.get_submodule(name)
        assert torch.equal(loaded.teacher.weight, block.teacher.weight)
        assert torch.equal(loaded.compressed[0].weight, block.compressed[0].weight)


def test_shapes_that_do_not_fit_are_refused_by_name_and_nothing_is_loaded(tmp_path):
    tensors = tiny(1).state_dict()
    tensors["final_layer.conv2.weight"] = torch.zeros(7, 16, 1, 1)
    network, before = tiny(), tiny().state_dict()
    words = r"public\.pth: .*final_layer\.conv2\.weight has shape \(7, 16, 1, 1\), expected \(4, 16, 1, 1\)"
    with pytest.raises(ValueError, match=words):
        dd.load_weights(network, written(tmp_path / "public.pth", tensors))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_file_of_which_nothing_belongs_to_the_network_is_refused(tmp_path):
    path = written(tmp_path / "other.pth", {"encoder.weight": torch.zeros(3), "epoch": 3})
    with pytest.raises(ValueError, match=r"nothing in it belongs to the network: the file has \['encoder"):
        dd.load_weights(tiny(), path)


def test_strict_refuses_what_is_missing_or_unused(tmp_path):
    tensors = tiny(1).state_dict()
    del tensors["conv1.0.bias"]
    path = written(tmp_path / "public.pth", {**tensors, "extra": torch.zeros(1), "epoch": 3})
    with pytest.raises(ValueError, match=r"missing: conv1\.0\.bias; unused: extra \(the network has no"):
        dd.load_weights(tiny(), path, strict=True)
    report = dd.load_weights(tiny(), path)
    assert (report.missing, report.reasons["epoch"]) == (("conv1.0.bias",), NO_TENSOR)


def test_two_tensors_for_one_name_are_refused(tmp_path):
    tensors = tiny(1).state_dict()
    tensors["model.conv1.0.bias"] = torch.zeros(8)
    with pytest.raises(ValueError, match=r"both conv1\.0\.bias and model\.conv1\.0\.bias belong to conv1"):
        dd.load_weights(tiny(), written(tmp_path / "public.pth", tensors))


class Harmful:
    def __reduce__(self):
        return print, ("code ran",)


def test_files_that_cannot_be_read_say_why(tmp_path, capsys):
    path = tmp_path / "file.pth"
    with pytest.raises(ValueError, match=r"file\.pth: no such file"):
        dd.load_weights(tiny(), path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"file\.pth: the file is empty"):
        dd.load_weights(tiny(), path)
    written(path, tiny().state_dict())
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"file\.pth: not readable as tensors"):
        dd.load_weights(tiny(), path)
    with pytest.raises(ValueError, match="not readable as tensors"):
        dd.load_weights(tiny(), written(path, {"state_dict": tiny().state_dict(), "more": Harmful()}))
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="tensors by name are expected, got list"):
        dd.load_weights(tiny(), written(path, [torch.zeros(3)]))


def test_missing_names_are_logged(tmp_path, caplog):
    tensors = tiny(1).state_dict()
    del tensors["conv1.0.bias"]
    dd.load_weights(tiny(), written(tmp_path / "public.pth", tensors))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "1 missing" in caplog.text


def test_a_searched_network_comes_back_from_its_state_dict_with_the_choices_of_the_search(tmp_path):
    searched = tiny_delta()
    for number, block in enumerate(delta_blocks(searched).values()):
        block.decide("compressed" if number % 2 else "uncompressed")
    fresh = tiny_delta(seed=1)
    done = dd.load_weights(fresh, written(tmp_path / "searched.pt", searched.state_dict()), strict=True)
    assert (done.missing, done.unused) == ((), ())
    choices = [[block.choice for block in delta_blocks(network).values()] for network in (fresh, searched)]
    assert choices[0] == choices[1]


@pytest.mark.parametrize("place", ["model", "model_state_dict"])
def test_tensors_under_model_are_found(tmp_path, place):
    path = written(tmp_path / "nested.pt", {place: tiny(1).state_dict(), "epoch": 3})
    assert dd.load_weights(tiny(), path).missing == ()


def test_a_file_of_another_kind_is_refused_without_advice_to_run_its_code(tmp_path):
    path = tmp_path / "notes.pt"
    path.write_text("no checkpoint")
    with pytest.raises(ValueError, match="no archive of PyTorch, they begin with b'no checkpoint'") as caught:
        dd.load_weights(tiny(), path)
    assert "weights_only" not in str(caught.value)
