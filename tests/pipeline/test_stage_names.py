"""Which stages there are, and which may be named under `resources`."""

import pytest

from deltadistill.pipeline.stage_names import require_stages, stage_names


@pytest.fixture
def root(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages:\n  distill: {cmd: a}\n  report: {cmd: b}\n")
    (tmp_path / "extensions" / "speed").mkdir(parents=True)
    (tmp_path / "extensions" / "speed" / "dvc.yaml").write_text("stages: {measure_speed: {cmd: c}}\n")
    return tmp_path


def test_stages_of_extensions_follow_those_of_the_project(root):
    assert stage_names(root) == ["distill", "report", "measure_speed"]


def test_what_is_named_has_to_be_a_stage(root):
    require_stages(["distill", "measure_speed"], root)
    with pytest.raises(ValueError, match=r"resources: 'distil' is not one of \['distill', 'report', "):
        require_stages(["distill", "distil"], root)


def test_without_names_no_file_is_read(tmp_path):
    require_stages([], tmp_path)
    with pytest.raises(ValueError, match=r"dvc\.yaml cannot be read"):
        require_stages(["distill"], tmp_path)


def test_a_project_file_without_stages_is_said(root):
    (root / "extensions" / "speed" / "dvc.yaml").write_text("vars: [a]\n")
    with pytest.raises(ValueError, match=r"speed/dvc\.yaml: no stages in it"):
        stage_names(root)
