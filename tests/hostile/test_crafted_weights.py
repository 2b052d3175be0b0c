"""Files of weights made to harm: none runs code, takes more memory than it has bytes, or never ends."""

import io
import json
import os
import pickle
import zipfile
from collections import OrderedDict
from functools import partial

import pytest
import torch
from hostile.readers import MODEL, STUDENTS, deployed, make_network, plain

import deltadistill as dd
from deltadistill.stored.architecture import apply_architecture, found_architecture, load_network
from deltadistill.stored.network_file import read_network_file, save_network

BIG = 2**40


@pytest.fixture
def network(tmp_path):
    """A valid network file."""
    [path] = make_network(tmp_path)
    return path


def saved(path, content):
    torch.save(content, path)
    return path


def rewritten(path, change, *, kind=zipfile.ZIP_STORED):
    """The archive with `change(name, content)` for every part, and checksums that fit."""
    with zipfile.ZipFile(path) as archive:
        parts = [(part.filename, archive.read(part)) for part in archive.infolist()]
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in parts:
            archive.writestr(name, change(name, content))
    return path


class Calls:
    """Pickled as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def exit_code(command):
    return Calls(os.system, command)


def sparse():
    index = torch.zeros(1, 1, dtype=torch.long)
    return torch.sparse_coo_tensor(index, torch.ones(1), (BIG,), check_invariants=True)


def test_a_packed_archive_is_refused_unread(network):
    def zeros(name, content):
        return bytes(2**24) if name.endswith("data/0") else content

    rewritten(network, zeros, kind=zipfile.ZIP_DEFLATED)
    assert network.stat().st_size < 2**20  # a thousandth of what it unpacks to
    with pytest.raises(ValueError, match=r"network\.pt: .*data\.pkl is compressed, which torch\.save never"):
        read_network_file(network)
    with pytest.raises(ValueError, match=r"network\.pt: .*is compressed"):
        dd.load_weights(plain(), network)


def test_parts_that_lie_over_one_another_are_refused(network):
    """Many entries of the directory that name the same bytes."""
    data = rewritten(network, lambda _, content: content).read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        largest = max(archive.infolist(), key=lambda part: part.file_size)
        end = data[archive.start_dir :]
    names = largest.filename.encode()
    entry_end = end.index(names) + len(names)
    start = end.rindex(b"PK\x01\x02", 0, entry_end)
    length = end.index(b"PK\x01\x02", start + 4) - start
    more = end[start : start + length] * 2000
    place = end.rindex(b"PK\x05\x06")
    record = bytearray(end[place:])
    count = int.from_bytes(record[10:12], "little") + 2000
    record[8:10] = record[10:12] = count.to_bytes(2, "little")
    record[12:16] = (place + len(more)).to_bytes(4, "little")
    network.write_bytes(data[: archive.start_dir] + end[:start] + more + end[start:place] + record)
    with pytest.raises(ValueError, match="its parts together are larger than its"):
        read_network_file(network)


@pytest.mark.parametrize(
    ("named", "call"),
    [
        (r"os\.system|posix\.system", lambda: exit_code("touch ran")),
        (r"builtin__\.bytearray", lambda: Calls(bytearray, BIG)),
        (r"torch\._utils\._rebuild_meta_tensor", lambda: torch.zeros(BIG, device="meta")),
        (r"torch\._utils\._rebuild_sparse_tensor", sparse),
    ],
)
def test_calls_that_no_weights_need_are_refused_by_name(tmp_path, monkeypatch, named, call):
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path / "public.pth", {"state_dict": plain().state_dict(), "more": call()})
    with pytest.raises(ValueError, match=rf"public\.pth: .*holds more than tensors.*{named}"):
        dd.load_weights(plain(), path)
    assert [file.name for file in tmp_path.iterdir()] == ["public.pth"]


def test_pickles_of_other_programs_are_refused_before_torch_sees_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(exit_code("touch ran"), protocol=2))
    (tmp_path / "new.pkl").write_bytes(pickle.dumps(exit_code("touch ran"), protocol=4))
    for name in ("plain.pkl", "new.pkl"):
        with pytest.raises(ValueError, match=rf"{name}: not readable as tensors"):
            dd.load_weights(plain(), tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_a_view_of_one_value_as_a_gigantic_tensor_is_refused(tmp_path):
    weights = plain().state_dict()
    name = next(iter(weights))
    for shape in ((BIG,), (2**20, 2**20)):
        path = saved(tmp_path / "public.pth", weights | {name: torch.ones(1).expand(shape)})
        with pytest.raises(ValueError, match=rf"its tensor {name} of shape .* has only 4 bytes of values"):
            dd.load_weights(plain(), path)


def replace_in(_name, content, *, before, after):
    return content.replace(before, after)


def test_a_storage_that_claims_more_than_its_part_has_is_refused(tmp_path):
    path = saved(tmp_path / "public.pth", OrderedDict(w=torch.arange(4.0)))
    big = b"J" + (2**30).to_bytes(4, "little")
    for before, after in ((b"K\x04tq", big + b"tq"), (b"K\x00K\x04\x85", b"K\x00" + big + b"\x85")):
        saved(path, OrderedDict(w=torch.arange(4.0)))
        rewritten(path, partial(replace_in, before=before, after=after))
        with pytest.raises(ValueError, match=r"public\.pth: not readable as tensors"):
            dd.load_weights(plain(), path)


def test_an_old_file_whose_tensors_claim_more_values_than_it_has_is_refused(tmp_path):
    path = tmp_path / "public.pth"
    torch.save(OrderedDict(w=torch.arange(4.0)), path, _use_new_zipfile_serialization=False)
    count = b"K\x04Nt"  # four values, no view
    assert path.read_bytes().count(count) == 1
    path.write_bytes(path.read_bytes().replace(count, b"J" + (2**30).to_bytes(4, "little") + b"Nt"))
    with pytest.raises(ValueError, match=r"tensors are said to have more values than its \d+ bytes hold"):
        dd.load_weights(plain(), path)


def test_a_flipped_bit_in_a_network_file_is_found(network):
    data = bytearray(network.read_bytes())
    with zipfile.ZipFile(network) as archive:
        largest = max(archive.infolist(), key=lambda part: part.file_size)
    data[largest.header_offset + largest.file_size // 2] ^= 1
    network.write_bytes(data)
    with pytest.raises(ValueError, match="does not have the checksum it was written with"):
        read_network_file(network)


def test_a_mapping_that_holds_itself_ends(tmp_path):
    content = {}
    content["state_dict"] = content
    with pytest.raises(ValueError, match="mappings more than 10 deep"):
        dd.load_weights(plain(), saved(tmp_path / "public.pth", content))


@pytest.mark.parametrize("name", [7, ("a",), "module." * 100_000])
def test_names_that_are_none_are_refused(tmp_path, name):
    content = plain().state_dict() | {name: torch.zeros(1)}
    with pytest.raises(ValueError, match=r"public\.pth: tensors by name are expected, got the name"):
        dd.load_weights(plain(), saved(tmp_path / "public.pth", content))


def test_a_description_of_millions_of_tensors_is_refused_unread(tmp_path, monkeypatch):
    for module in ("tensors", "pickles"):
        monkeypatch.setattr(f"deltadistill.files.{module}.MOST_PICKLE_BYTES", 10_000)
    content = {f"layer{number}.weight": 0 for number in range(1000)}
    for archive in (True, False):
        torch.save(content, tmp_path / "public.pth", _use_new_zipfile_serialization=archive)
        with pytest.raises(ValueError, match=r"description of tensors has .* 10000"):
            dd.load_weights(plain(), tmp_path / "public.pth")


@pytest.mark.parametrize(
    "options", [{"width": 10**6}, {"width": 4, "spp_planes": 10**9}, {"width": 4, "head_planes": 10**8}]
)
def test_a_file_that_asks_for_a_gigantic_network_is_refused_before_it_is_built(tmp_path, options):
    model = MODEL | {"options": options}
    save_network(tmp_path / "network.pt", plain(), model)
    with pytest.raises(ValueError, match=r"network\.pt: .*cannot be built: it asks for more than \d+ values"):
        load_network(tmp_path / "network.pt")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"model": ["ddrnet23_slim"]}, r"the model is \['ddrnet23_slim'\]"),
        ({"model": MODEL | {"classes": -1}}, "'ddrnet23_slim' of -1 classes"),
        ({"model": MODEL | {"classes": True}}, "of True classes"),
        ({"model": MODEL | {"options": [4]}}, r"options are \[4\]"),
        ({"model": MODEL | {"name": "../../tmp/evil"}}, "cannot be built: unknown model"),
        ({"model": MODEL | {"options": {"width": "wide"}}}, "cannot be built: .*wide"),
        ({"architecture": [1]}, "the architecture is of type list"),
        ({"state_dict": {"w": 3}}, "other things than tensors by name"),
        ({"state_dict": {}}, r"weights do not fit|asks for more"),
    ],
)
def test_a_network_file_with_a_part_of_another_kind_is_refused_by_name(tmp_path, changes, fault):
    content = {"format": 1, "model": MODEL, "architecture": None, "state_dict": plain().state_dict()}
    path = saved(tmp_path / "network.pt", content | changes)
    with pytest.raises(ValueError, match=rf"network\.pt: .*{fault}"):
        load_network(path)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"blocks": []}, "without any blocks"),
        (
            {"blocks": {"conv1.3": "both"}},
            "block conv1.3 uses 'both'; expected 'uncompressed'",
        ),
        ({"blocks": ["conv1.3"]}, "expected values by block name"),
        ({"students": "linear"}, "the students are 'linear'"),
        ({"students": {"kind": ["linear"]}}, r"kind \['linear'\] are unknown"),
        ({"students": {"kind": "linear", "gamma": "4"}}, "gamma of students is '4'; expected int"),
        ({"students": {"kind": "spatial", "stride": 10**9}}, "stride 1000000000 of students is above 65536"),
        ({"students": {"kind": "linear", "width": 3}}, "linear students have no setting 'width'"),
        ({"predicts": "future"}, "predicts 'future' is unknown"),
        ({"rows_per_frame": {"conv1.3": -1}}, "rows_per_frame of conv1.3 is -1"),
        ({"rows_per_frame": {"nowhere": 1}}, "rows_per_frame of nowhere is 1"),
    ],
)
def test_an_architecture_with_a_part_of_another_kind_is_refused(changes, fault):
    found = json.loads(json.dumps(found_architecture(deployed(), STUDENTS)))
    with pytest.raises(ValueError, match=fault) as caught:
        apply_architecture(plain(), found | changes)
    assert type(caught.value) is ValueError


@pytest.mark.parametrize("kind", ["linear", "channel", "spatial", "channel_spatial", "reduced"])
def test_the_largest_students_that_may_be_asked_for_are_no_larger_than_their_teachers(kind):
    """gamma, stride and multiple as large as allowed: nothing is built, or nothing large."""
    setting = {
        "linear": {"multiple": 2**16},
        "channel": {"gamma": 2**16},
        "spatial": {"stride": 2**16},
        "channel_spatial": {"gamma": 2**16, "stride": 2**16},
        "reduced": {"factor": 2**16},
    }[kind]
    found = found_architecture(deployed(), STUDENTS) | {"students": {"kind": kind, **setting}}
    weights = sum(tensor.numel() for tensor in plain().state_dict().values())
    try:
        network = apply_architecture(plain(), found)
    except ValueError:
        return
    assert sum(tensor.numel() for tensor in network.state_dict().values()) < 5 * weights
