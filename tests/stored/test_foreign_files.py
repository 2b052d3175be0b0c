"""Files of other programs: what they keep beside weights, what they are instead of weights, safetensors."""

import argparse
import codecs
import collections
import datetime
import pathlib
import pickle
import re
import subprocess
import types
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from stored.small_network import network, saved, seed_of, weights
from torch import nn

import deltadistill as dd
from deltadistill.files.stand_ins import StandIn
from deltadistill.files.tensors import read_tensors


class Holder:
    """Pickled as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = network(1)


SETTINGS = {
    "namespace": argparse.Namespace(lr=0.1, out=pathlib.Path("/out"), nested=argparse.Namespace(a=[1])),
    "paths": [pathlib.PurePosixPath("a/b"), pathlib.PureWindowsPath("c")],
    "scores": {"best": np.float64(3.25), "step": np.int64(7), "good": np.bool_(True)},
    "array": np.arange(6.0).reshape(2, 3),
    "bytes": [b"", b"ab\xff"],
    "defaults": collections.defaultdict(list, loss=[0.5, 0.25]),
    "counts": collections.Counter("aab"),
    "types": [
        collections.defaultdict(int, steps=3),
        collections.defaultdict(str),
        bool,
        bytes,
        complex,
        dict,
    ],
    "times": [datetime.datetime(2020, 1, 2), datetime.timedelta(seconds=3)],
    "simple": types.SimpleNamespace(a=1),
    "set": {1, 2},
}


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("kind", SETTINGS)
def test_what_programs_keep_beside_weights_does_not_stop_them(tmp_path, kind, archive):
    path, made = tmp_path / "theirs.pt", network(0)
    content = {"state_dict": weights(1), kind: SETTINGS[kind]}
    torch.save(content, path, _use_new_zipfile_serialization=archive)
    report = dd.load_weights(made, path, strict=True)
    assert (seed_of(made), report.elsewhere) == (1, {})


def test_weights_in_a_mapping_with_defaults_are_weights(tmp_path):
    made = network(0)
    content = collections.defaultdict(dict, model=collections.defaultdict(list, weights(1)))
    dd.load_weights(made, saved(tmp_path / "theirs.pt", content), strict=True)
    assert seed_of(made) == 1


def test_an_object_is_read_as_something_that_only_says_what_it_was(tmp_path):
    tensor = torch.arange(3.0)
    path = saved(tmp_path / "theirs.pt", {"args": argparse.Namespace(first=1, tensor=tensor)})
    stand_in = read_tensors(path, checksums=False, settings=True)["args"]
    assert isinstance(stand_in, StandIn)
    assert not isinstance(stand_in, argparse.Namespace)
    assert repr(stand_in) == "<argparse.Namespace, not read>"
    assert torch.equal(stand_in.parts[0]["tensor"], tensor)
    report = dd.load_weights(
        network(0), saved(path, {"m": weights(1), "args": argparse.Namespace(inside=tensor)})
    )
    assert list(report.elsewhere) == ["args.0.inside"]


def test_objects_are_no_part_of_files_that_this_project_writes(tmp_path):
    path = saved(tmp_path / "own.pt", {"args": argparse.Namespace(first=1)})
    with pytest.raises(ValueError, match=r"more than tensors and plain values: argparse\.Namespace"):
        read_tensors(path, checksums=True)


@pytest.mark.parametrize(
    "call",
    [
        Holder(codecs.encode, "ab", "punycode"),
        Holder(codecs.encode, Holder(codecs.encode, "ab", "latin1"), "hex"),
        Holder(codecs.encode, ["ab"], "latin1"),
        [codecs.encode],
    ],
)
def test_bytes_are_made_as_torch_save_does_or_refused(tmp_path, call):
    path = saved(tmp_path / "theirs.pt", {"state_dict": weights(1), "more": call})
    with pytest.raises(ValueError, match=r"theirs\.pt: .*it makes bytes otherwise than torch\.save"):
        dd.load_weights(network(0), path)


def test_a_network_as_an_object_is_refused_with_a_command_that_converts_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for content in (Net(), {"epoch": 3, "model": Net().half(), "ema": None}):
        saved(tmp_path / "yolo.pt", content)
        with pytest.raises(ValueError, match="it is a network as an object") as caught:
            dd.load_weights(network(0), "yolo.pt")
        assert f"{Net.__module__}.Net" in str(caught.value)
        exec(re.search(r'python -c "(.*?)"', str(caught.value))[1], {})
        made = network(0)
        assert dd.load_weights(made, "tensors.pt", part="body").missing == ()
        torch.testing.assert_close(made.c.weight, network(1).c.weight, rtol=1e-3, atol=1e-3)


def test_a_class_of_another_program_is_named_with_a_command_that_converts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for key in ("state_dict", "model"):
        saved(tmp_path / "theirs.pt", {key: weights(1), "cfg": Theirs()})
        with pytest.raises(
            ValueError, match=r"more than tensors and plain values: .*Theirs;.*if you trust"
        ) as caught:
            dd.load_weights(network(0), "theirs.pt")
        exec(re.search(r'python -c "(.*?)"', str(caught.value))[1], {})
        made = network(0)
        dd.load_weights(made, "tensors.pt", strict=True)
        assert seed_of(made) == 1


class Theirs:
    pass


@pytest.mark.parametrize("call", [Holder(subprocess.run, "true"), Holder(getattr, "a", "upper")])
def test_a_file_that_would_call_what_no_program_needs_is_refused_without_advice_to_trust_it(tmp_path, call):
    path = saved(tmp_path / "theirs.pt", {"state_dict": weights(1), "cfg": Theirs(), "more": call})
    with pytest.raises(ValueError, match="more than tensors and plain values") as caught:
        dd.load_weights(network(0), path)
    assert "trust" not in str(caught.value)


def test_safetensors_are_read_whatever_the_name(tmp_path):
    for name in ("model.safetensors", "model.pt"):
        save_file(weights(1, "module."), tmp_path / name, metadata={"format": "pt"})
        made = network(0)
        report = dd.load_weights(made, tmp_path / name, strict=True)
        assert (seed_of(made), report.taken, report.unused) == (1, "", ())


def test_safetensors_keep_their_types_until_they_are_loaded(tmp_path):
    tensors = {"w": torch.arange(6).reshape(2, 3).bfloat16(), "n": torch.tensor([True]), "i": torch.tensor(3)}
    save_file(tensors, tmp_path / "model.safetensors")
    found = read_tensors(tmp_path / "model.safetensors", checksums=False, settings=True)
    assert {n: (t.dtype, t.tolist()) for n, t in found.items()} == {
        n: (t.dtype, t.tolist()) for n, t in tensors.items()
    }


def test_safetensors_of_a_wrong_length_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_file(weights(1), path)
    data = path.read_bytes()
    for content, fault in (
        (data[:-1], "damaged or truncated safetensors"),
        (data + b"\0", "damaged or truncated safetensors"),
        (data[:100], r"truncated, only 100 bytes are there and its header has \d+"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"model\.safetensors: not readable as tensors: it is.*{fault}"):
            dd.load_weights(network(0), path)
    path.write_bytes(data)
    monkeypatch.setattr("deltadistill.files.safetensors_file.MOST_PICKLE_BYTES", 100)
    with pytest.raises(ValueError, match=r"its header has \d+ bytes, 100 allowed"):
        dd.load_weights(network(0), path)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
OTHER_FILES = {
    "page": (b"\n<!DOCTYPE html><html>Sign in</html>", "a web page, so the download failed"),
    "answer": (b'{"error": "Invalid credentials"}', "server's answer.*Invalid credentials"),
    "message": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "the download failed"),
    "pointer": (POINTER, "pointer of Git LFS, not the file itself; `git lfs pull` brings it"),
    "packed": (b"\x1f\x8b\x08\0", "packed; unpack it first"),
    "tar": (b"a.pth".ljust(257, b"\0") + b"ustar", "packed; unpack it first"),
    "keras": (b"\x89HDF\r\n\x1a\n", "HDF5 file, as Keras"),
    "pickle": (pickle.dumps({"model": [1.0]}, protocol=4), "pickle that torch.save did not write"),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
@pytest.mark.parametrize("load", [lambda path: dd.load_weights(network(0), path), dd.load_network])
def test_a_file_of_another_kind_is_called_what_it_is(tmp_path, kind, load):
    content, said = OTHER_FILES[kind]
    (tmp_path / "theirs.pt").write_bytes(content)
    with pytest.raises(ValueError, match=rf"theirs\.pt: not [^\n]*{said}[^\n]*$") as caught:
        load(tmp_path / "theirs.pt")
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (["m/code/a.py", "m/constants.pkl", "m/data.pkl"], r"TorchScript program; torch\.save\(torch\.jit"),
        (["notes.txt", "best.PTH"], r"zip archive that holds best\.PTH; unpack it first"),
        (["a.txt", "b.txt", "c.txt", "d.txt"], r"did not write, of a\.txt, b\.txt, c\.txt"),
    ],
)
def test_an_archive_of_another_kind_is_called_what_it_is(tmp_path, parts, said):
    with zipfile.ZipFile(tmp_path / "theirs.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            archive.writestr(part, b"content")
    for load in (lambda path: dd.load_weights(network(0), path), dd.load_network):
        with pytest.raises(ValueError, match=rf"theirs\.pt: not [^\n]*{said}"):
            load(tmp_path / "theirs.pt")
