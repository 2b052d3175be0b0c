"""Folders of unfinished work: one for what the same settings, inputs and code decide, and none other."""

from deltadistill import models
from deltadistill.processes import work_folders
from deltadistill.processes.checkpoint import checkpoint_of
from deltadistill.processes.work_folders import work_key


def test_the_key_changes_with_settings_and_inputs(tmp_path):
    file = tmp_path / "input"
    file.write_text("one")
    keys = {work_key({"steps": 1}, [file]), work_key({"steps": 2}, [file])}
    file.write_text("two")
    keys.add(work_key({"steps": 1}, [file]))
    assert len(keys) == 3


def test_other_code_does_not_go_on_from_a_checkpoint(tmp_path, monkeypatch, caplog):
    code = tmp_path / "block.py"
    code.write_text("gain = 1")
    monkeypatch.setattr(work_folders, "FOLDER", tmp_path / "checkpoints")
    monkeypatch.setattr(work_folders, "loaded_code", lambda: [code])
    before = checkpoint_of("teacher", {"steps": 1}, [], minutes=1)
    before.save({"steps_done": 1})
    before.wait()
    assert checkpoint_of("teacher", {"steps": 1}, [], minutes=1).load() == {"steps_done": 1}
    assert "not used" not in caplog.text
    code.write_text("gain = 2")
    assert checkpoint_of("teacher", {"steps": 1}, [], minutes=1).load() is None
    assert f"other parameters, inputs or code is not used: {before.path.parent.name}" in caplog.text


def test_the_code_of_a_training_is_that_which_is_loaded():
    names = {path.name for path in work_folders.loaded_code()}
    assert "checkpoint.py" in names
    assert "test_work_folders.py" not in names


def test_a_network_of_ones_own_counts_among_the_code_that_is_loaded(tmp_path, monkeypatch):
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "one_of_mine.py").write_text("def build(*, classes):\n    return classes\n")
    monkeypatch.chdir(tmp_path)
    assert models.build("one_of_mine", classes=3) == 3
    assert tmp_path / "networks" / "one_of_mine.py" in work_folders.loaded_code()
