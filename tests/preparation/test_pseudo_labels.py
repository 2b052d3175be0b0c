"""Labels of frames without one: made, kept over a kill, put together, used by trainings alone."""

import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from data.small_box_dataset import make_box_manifest
from data.small_dataset import SIZE, make_manifest
from preparation.small_labellers import RightOf

from deltadistill.data.batches import TrainingBatches
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Manifest
from deltadistill.data.transforms import Augment
from deltadistill.preparation.class_map import map_classes
from deltadistill.preparation.labeller import Labeller
from deltadistill.preparation.pseudo_labels import class_shares, label_frames, places_of_labels, put_together
from deltadistill.processes.group import Group

ROOT = Path(__file__).resolve().parents[2]
HALVES = [[0] * 12 + [5] * 12] * SIZE[0]  # road left, car right: what the small data set shows


@pytest.fixture
def store(tmp_path):
    """Two clips of six frames to train on, with a label on the frame 4; likewise to tune and test on."""
    (tmp_path / "data").mkdir()
    manifest = make_manifest(tmp_path / "data", labelled=[4])
    manifest.write(tmp_path / "data" / "manifest.csv")
    return FrameStore.open(tmp_path / "data")


def labels(store, network=None, threshold=0.9):
    classes = map_classes(store.manifest.info.classes, 8, None, source="net")
    labeller = Labeller(network or RightOf(), None, "net")
    return lambda frames: classes.label(labeller.logits(frames), threshold=threshold)


def made(store, folder, *, network=None, threshold=0.9, batch=4, **changes):
    places = places_of_labels(store.manifest)
    label_frames(store, places, folder / "kept", labels(store, network, threshold), batch=batch, **changes)
    return FrameStore(put_together(store.manifest, places, folder / "kept", folder / "labelled"))


def test_every_training_frame_without_a_label_gets_one(store, tmp_path):
    labelled = made(store, tmp_path)
    frames = labelled.manifest.clips("train")["train1"]
    assert [frame.origin for frame in frames] == ["pseudo"] * 4 + ["true", "pseudo"]
    assert all(labelled.label(frame).tolist() == HALVES for frame in frames)
    assert labelled.manifest.counts()["labelled"] == {"train": 12, "tune": 1, "test": 1}
    assert labelled.manifest.counts()["pseudo"] == {"train": 10, "tune": 0, "test": 0}


def test_frames_and_true_labels_stay_where_they_are(store, tmp_path):
    labelled = made(store, tmp_path)
    assert [frame.image for frame in labelled.manifest.frames] == [
        frame.image for frame in store.manifest.frames
    ]
    own = sorted(path.relative_to(tmp_path / "labelled") for path in (tmp_path / "labelled").rglob("*.png"))
    numbers = (0, 1, 2, 3, 5)
    assert own == [Path(f"labels/0000{clip}/00000{n}.png") for clip in (0, 1) for n in numbers]


def test_what_is_measured_has_the_true_labels_alone(store, tmp_path):
    labelled = made(store, tmp_path)
    for split in ("tune", "test"):
        assert labelled.manifest.clips(split) == store.manifest.clips(split)


def test_trainings_see_the_new_labels(store, tmp_path):
    options = {
        "steps": 8,
        "batch": 4,
        "clip_length": 2,
        "max_distance": 2,
        "augment": Augment(SIZE),
        "seed": 0,
    }
    before = TrainingBatches(store, "train", **options)
    after = TrainingBatches(made(store, tmp_path), "train", **options)
    assert all((before[step]["label"][:, 0] == 255).all() for step in range(8))
    assert all(after[step]["label"].tolist() == [[HALVES] * 2] * 4 for step in range(8))
    ends = {int(index) for step in range(8) for index in after[step]["clip"][:, 1, 1, 0, 0]}
    assert ends == {1, 2, 3, 4, 5}  # not only the frame that people labelled


def test_pixels_that_the_network_is_unsure_of_are_ignored(store, tmp_path):
    unsure = made(store, tmp_path, network=RightOf(sure=1.0), threshold=0.9)  # 0.73 and 0.27
    frame = unsure.manifest.clips("train")["train0"][0]
    assert (unsure.label(frame) == 255).all()
    assert class_shares(unsure.manifest, [frame.label])["ignored"] == 1


def test_shares_of_the_classes_count_pixels(store, tmp_path):
    labelled = made(store, tmp_path, network=RightOf(column=18))
    pseudo = [frame.label for frame in labelled.manifest.frames if frame.origin == "pseudo"]
    shares = class_shares(labelled.manifest, pseudo)
    assert (shares["road"], shares["car"], shares["ignored"]) == (0.75, 0.25, 0)
    assert sum(shares.values()) == 1


class _KilledAfter:
    """A labeller that is interrupted after so many batches, and counts the frames it saw."""

    def __init__(self, label, batches):
        self._label, self._left, self.frames = label, batches, 0

    def __call__(self, frames):
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1
        self.frames += len(frames)
        return self._label(frames)


def test_an_interrupted_run_goes_on_with_the_frames_that_have_no_label(store, tmp_path):
    expected = made(store, tmp_path / "whole")
    places, done = places_of_labels(store.manifest), []
    first, second = _KilledAfter(labels(store), 2), _KilledAfter(labels(store), -1)
    with pytest.raises(KeyboardInterrupt):
        label_frames(store, places, tmp_path / "kept", first, batch=3)
    label_frames(store, places, tmp_path / "kept", second, batch=3, on_frames=done.append)
    assert (first.frames, second.frames, done) == (6, 4, [6, 3, 1])
    manifest = put_together(store.manifest, places, tmp_path / "kept", tmp_path / "labelled")
    assert contents(manifest) == contents(expected.manifest)


def contents(manifest):
    return [frame.label.read_bytes() for frame in manifest.frames if frame.origin == "pseudo"]


KILLED = """
    import os, signal, sys
    from pathlib import Path
    import cv2
    from deltadistill.data.frames import FrameStore
    from deltadistill.preparation import pseudo_labels

    data, kept = map(Path, sys.argv[1:])
    store = FrameStore.open(data)
    label = lambda frames: frames.new_full((len(frames), 16, 24), 7).byte().numpy()
    encode, written = cv2.imencode, []

    def die_in_the_fourth(*arguments):
        written.append(arguments)
        return encode(*arguments)

    def killed_while_writing(path, data):
        path.write_bytes(data[: len(data) // 2] if len(written) == 4 else data)
        if len(written) == 4:
            os.kill(os.getpid(), signal.SIGKILL)

    cv2.imencode = die_in_the_fourth
    pseudo_labels.atomic.write_bytes = killed_while_writing
    pseudo_labels.label_frames(
        store, pseudo_labels.places_of_labels(store.manifest), kept, label, batch=2
    )
"""


def test_a_kill_in_the_middle_of_a_file_leaves_whole_files_only(store, tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), tmp_path / "data", tmp_path / "kept"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -9
    kept = [path for path in (tmp_path / "kept").rglob("*.png") if not path.name.startswith(".")]
    assert len(kept) == 3
    assert all(cv2.imread(str(path), cv2.IMREAD_UNCHANGED).tolist() == [[7] * 24] * 16 for path in kept)
    whole = made(store, tmp_path)
    assert whole.manifest.counts()["pseudo"]["train"] == 10
    assert not [path for path in (tmp_path / "labelled").rglob("*") if path.name.startswith(".")]


def test_processes_share_the_frames(store, tmp_path):
    places = places_of_labels(store.manifest)
    for rank, share in ((0, [0, 1, 2, 3, 8, 9]), (1, [4, 5, 6, 7])):
        group = _Half(rank, 2)
        label_frames(store, places, tmp_path / str(rank), labels(store), batch=4, group=group)
        written = {path.relative_to(tmp_path / str(rank)) for path in (tmp_path / str(rank)).rglob("*.png")}
        assert written == {list(places.values())[index] for index in share}


class _Half(Group):
    """One of two processes whose other one is not there: what they would tell each other is the same."""

    def of_first(self, value):
        return value

    def largest(self, number):
        return number


def test_a_data_set_whose_frames_all_have_labels_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"every frame of the split train has a label.*folders to \[\]"):
        places_of_labels(make_manifest(tmp_path))


def test_a_data_set_with_boxes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has boxes; only label maps can be made"):
        places_of_labels(make_box_manifest(tmp_path))


def test_a_frame_that_cannot_be_read_ends_it_and_keeps_the_others(store, tmp_path):
    places = places_of_labels(store.manifest)
    broken = list(places)[6]
    broken.image.write_bytes(broken.image.read_bytes()[:-30])
    with pytest.raises(ValueError, match=f"{broken.image.name} is truncated"):
        label_frames(FrameStore(store.manifest), places, tmp_path / "kept", labels(store), batch=1)
    assert len(list((tmp_path / "kept").rglob("*.png"))) == 6


def test_an_id_image_reads_back_as_it_was_written(tmp_path):
    from deltadistill.preparation.pseudo_labels import write_label

    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_label(tmp_path / "a" / "b.png", ids)
    assert (cv2.imread(str(tmp_path / "a" / "b.png"), cv2.IMREAD_UNCHANGED) == ids).all()


def test_a_manifest_with_pseudo_labels_reads_back(store, tmp_path):
    labelled = made(store, tmp_path)
    assert Manifest.read(tmp_path / "labelled" / "manifest.csv") == labelled.manifest
    assert torch.equal(labelled.image(labelled.manifest.frames[0]), store.image(store.manifest.frames[0]))
