import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from data import small_dataset

from deltadistill.data.manifest import COLUMNS, Frame, Manifest, find_faults
from deltadistill.files.limits import MOST_CLIP_FRAMES


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "data").mkdir()
    return small_dataset.make_manifest(tmp_path / "data")


def edited(manifest, **changes):
    """The manifest with its first frame changed."""
    return replace(manifest, frames=(replace(manifest.frames[0], **changes), *manifest.frames[1:]))


def test_a_manifest_reads_back_as_written(tmp_path, manifest):
    path = tmp_path / "data" / "manifest.csv"
    manifest.write(path)
    assert Manifest.read(path) == manifest
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert path.read_text().splitlines()[1] == "train0,0,train0_0.png,train0_0_label.png,train,,,true"


def test_its_folder_can_be_moved(tmp_path, manifest):
    manifest.write(tmp_path / "data" / "manifest.csv")
    shutil.move(tmp_path / "data", tmp_path / "elsewhere")
    moved = Manifest.read(tmp_path / "elsewhere" / "manifest.csv")
    assert moved.frames[0].image == tmp_path / "elsewhere" / "train0_0.png"


def test_files_outside_its_folder_are_written_absolute(tmp_path, manifest):
    (tmp_path / "apart").mkdir()
    path = tmp_path / "apart" / "manifest.csv"
    manifest.write(path)
    assert str(tmp_path / "data" / "train0_0.png") in path.read_text()
    assert Manifest.read(path) == manifest


def test_relative_paths_are_taken_from_the_working_folder(tmp_path, manifest, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames = tuple(
        replace(frame, image=frame.image.relative_to(tmp_path), label=frame.label.relative_to(tmp_path))
        for frame in manifest.frames
    )
    replace(manifest, frames=frames).write(Path("data/manifest.csv"))
    assert Manifest.read(Path("data/manifest.csv")) == manifest


def test_clips_are_grouped_by_split_and_in_order(manifest):
    clips = manifest.clips("train")
    assert list(clips) == ["train0", "train1"]
    assert [frame.index for frame in clips["train0"]] == list(range(6))
    with pytest.raises(ValueError, match="unknown split 'val'; there are train, tune, test"):
        manifest.clips("val")


def test_counts_and_facts_stand_beside_it(tmp_path, manifest):
    manifest.write(tmp_path / "data" / "manifest.csv")
    facts = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert facts["frames"] == {"train": 12, "tune": 6, "test": 6}
    assert facts["clips"] == {"train": 2, "tune": 1, "test": 1}
    assert facts["labelled"] == facts["frames"]
    assert facts["size"] == [16, 24]
    assert facts["ignore_id"] == 255
    assert facts["classes"][5] == {"name": "car", "color": [0, 0, 142], "label_ids": [26, 27, 28]}


def digest_of(manifest, path):
    manifest.write(path)
    return json.loads((path.parent / "dataset.json").read_text())["content_sha256"]


def test_the_digest_tells_any_change_of_the_files(tmp_path, manifest):
    path = tmp_path / "data" / "manifest.csv"
    first = digest_of(manifest, path)
    assert first == digest_of(manifest, path)
    label = manifest.frames[3].label
    label.write_bytes(label.read_bytes()[:-1] + b"x")
    assert digest_of(manifest, path) != first


def test_the_digest_does_not_depend_on_where_the_folder_lies(tmp_path):
    digests = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        digests.add(digest_of(small_dataset.make_manifest(tmp_path / name), tmp_path / name / "manifest.csv"))
    assert len(digests) == 1


def test_files_read_in_place_count_by_name_and_size(tmp_path, manifest):
    (tmp_path / "apart").mkdir()
    path = tmp_path / "apart" / "manifest.csv"
    first = digest_of(manifest, path)
    image = manifest.frames[0].image
    image.write_bytes(image.read_bytes() + b"x")
    assert digest_of(manifest, path) != first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "val"}, r"unknown split 'val' \(train, tune, test allowed\)"),
        ({"split": "test"}, "clip train0 is in splits test and train"),
        ({"index": 1}, "train0 frame 1 occurs 2 times"),
        ({"index": 1}, "clip train0 lacks frame 0"),
        ({"image": Path("/nowhere/a.png")}, "no file /nowhere/a.png"),
        ({"label": Path("/nowhere/b.png")}, "no file /nowhere/b.png"),
        ({"flow": Path("/nowhere/c.npz")}, "no file /nowhere/c.npz"),
        ({"origin": "guess"}, r"unknown origin 'guess' of a label \(true, generated, pseudo allowed\)"),
        ({"index": 9}, "rows are not sorted .*: train0 frame 1 comes after train0 frame 9"),
    ],
)
def test_a_faulty_manifest_is_neither_written_nor_read(tmp_path, manifest, changes, message):
    path = tmp_path / "data" / "manifest.csv"
    with pytest.raises(ValueError, match=message):
        edited(manifest, **changes).write(path)
    assert not path.exists()
    manifest.write(path)
    lines = path.read_text().splitlines()
    values = dict(zip(COLUMNS, lines[1].split(","), strict=True))
    names = {"index": "frame"}
    values |= {names.get(key, key): str(value) for key, value in changes.items()}
    path.write_text("\n".join([lines[0], ",".join(values[column] for column in COLUMNS), *lines[2:]]) + "\n")
    message = message.replace("no file /nowhere/", "/nowhere/.* lies outside the data set's folder|")
    with pytest.raises(ValueError, match=message):
        Manifest.read(path)


def test_labels_keep_their_origin(tmp_path, manifest):
    path = tmp_path / "data" / "manifest.csv"
    origins = ("generated", "pseudo", "true")
    frames = tuple(replace(f, origin=o) for f, o in zip(manifest.frames, origins, strict=False))
    replace(manifest, frames=frames + manifest.frames[3:]).write(path)
    assert [frame.origin for frame in Manifest.read(path).frames[:3]] == [*origins]
    assert Manifest.read(path).counts()["pseudo"] == {"train": 1, "tune": 0, "test": 0}
    assert json.loads((path.parent / "dataset.json").read_text())["pseudo"]["train"] == 1


def test_a_frame_without_a_label_has_no_origin(tmp_path, manifest):
    path = tmp_path / "data" / "manifest.csv"
    edited(manifest, label=None, origin="generated").write(path)
    assert path.read_text().splitlines()[1] == "train0,0,train0_0.png,,train,,,"
    assert "pseudo" not in Manifest.read(path).counts()


@pytest.mark.parametrize("split", ["tune", "test"])
def test_nothing_is_measured_with_pseudo_labels(tmp_path, manifest, split):
    path = tmp_path / "data" / "manifest.csv"
    manifest.write(path)
    clip = f"{split}0"
    measured = tuple(replace(f, origin="pseudo") if f.clip == clip else f for f in manifest.frames)
    with pytest.raises(ValueError, match=f"{clip} frame 5 of split {split} has a pseudo-label; only train"):
        replace(manifest, frames=measured).write(path)
    rows = path.read_text().splitlines()
    changed = [row.replace(",true", ",pseudo") if row.startswith(clip) else row for row in rows]
    path.write_text("\n".join(changed) + "\n")
    with pytest.raises(ValueError, match=f"has 6 faults.*\n.*{clip} frame 0 of split {split} has a pseudo"):
        Manifest.read(path)


def test_all_faults_are_named_together(tmp_path, manifest):
    frames = tuple(frame for frame in manifest.frames if frame.split != "tune" and frame.index != 3)
    with pytest.raises(ValueError, match=r"has 4 faults") as error:
        replace(manifest, frames=frames).write(tmp_path / "data" / "manifest.csv")
    for part in ("split tune is empty", "clip train0 lacks frame 3", "clip test0 lacks frame 3"):
        assert part in str(error.value)


def test_a_long_list_of_faults_is_cut(tmp_path, manifest):
    frames = tuple(replace(frame, image=Path(f"/nowhere/{n}.png")) for n, frame in enumerate(manifest.frames))
    frames = frames + tuple(replace(frame, clip=frame.clip + "x") for frame in frames)
    frames = tuple(replace(frame, label=Path(f"/no/{n}.png")) for n, frame in enumerate(frames))
    with pytest.raises(ValueError, match=r"and \d+ more"):
        replace(manifest, frames=frames).write(tmp_path / "data" / "manifest.csv")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train0,0,a.png", "line 2 has 3 columns; expected 8"),
        ("train0,one,a.png,,train,,,", "line 2: frame 'one' is not a whole number"),
        (",0,a.png,,train,,,", "line 2: clip and image must not be empty"),
        ("train0,0,,,train,,,", "line 2: clip and image must not be empty"),
        (
            "train0,0,a.png,,train,,,\ntrain0,1,b.png,,train,,\nx,2,",
            "line 3 has 7 columns; .*\n.*line 4 has 3",
        ),
        (f"train0,{MOST_CLIP_FRAMES},a.png,,train,,,", "line 2: frame '[0-9]+' is not a whole number from 0"),
        ("train0,-1,a.png,,train,,,", "line 2: frame '-1' is not a whole number from 0"),
        ("train\x070,1,a.png,,train,,,", "line 2: the clip's name .* holds control characters"),
    ],
)
def test_malformed_rows_are_named_by_line(tmp_path, line, message):
    path = tmp_path / "manifest.csv"
    path.write_text(",".join(COLUMNS) + "\n" + line + "\n")
    with pytest.raises(ValueError, match=message):
        Manifest.read(path)


@pytest.mark.parametrize(
    ("present", "words"),
    [
        ([0, 1, 3], "lacks frame 2"),
        ([2], "lacks frame 0, 1"),
        ([0, 6], "lacks frame 1, 2, 3, 4, 5"),
        ([0, 9], "lacks frame 1, 2, 3, 4, 5 and 3 more"),
    ],
)
def test_frames_that_a_clip_lacks_are_listed(present, words):
    frames = tuple(Frame("a", index, "train", Path("/nowhere/a.png")) for index in present)
    assert [fault for fault in find_faults(frames) if "lacks" in fault] == [f"clip a {words}"]


def test_a_file_that_lies_elsewhere_is_named_with_the_first_line_that_names_it(tmp_path, manifest):
    path = tmp_path / "data" / "manifest.csv"
    manifest.write(path)
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace(lines[3].split(",")[2], "/nowhere/b.png")
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=r"line 4: /nowhere/b\.png lies outside"):
        Manifest.read(path)


@pytest.mark.parametrize("column", ["image", "label", "flow", "boxes"])
def test_every_column_of_paths_is_looked_at(tmp_path, manifest, column):
    path = tmp_path / "data" / "manifest.csv"
    manifest.write(path)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    rows[2][COLUMNS.index(column)] = "/nowhere/b.png"
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    with pytest.raises(ValueError, match=r"line 3: /nowhere/b\.png lies outside"):
        Manifest.read(path)


def test_the_highest_frame_number_is_below_the_limit(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text(",".join(COLUMNS) + f"\ntrain0,{MOST_CLIP_FRAMES - 1},a.png,,train,,,\n")
    with pytest.raises(ValueError, match=r"no dataset\.json"):  # the rows are in order
        Manifest.read(path)


def test_missing_files_are_explained(tmp_path, manifest):
    path = tmp_path / "data" / "manifest.csv"
    with pytest.raises(ValueError, match=r"no manifest at .* run the stage prepare_dataset first"):
        Manifest.read(path)
    manifest.write(path)
    facts = path.parent / "dataset.json"
    facts.write_text("{}")
    with pytest.raises(ValueError, match=r"dataset.json is damaged"):
        Manifest.read(path)
    facts.unlink()
    with pytest.raises(ValueError, match=r"no dataset.json beside the manifest"):
        Manifest.read(path)
    path.write_text("clip,frame\n")
    with pytest.raises(ValueError, match="columns are clip,frame; expected clip,frame,image"):
        Manifest.read(path)
