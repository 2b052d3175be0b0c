"""Network, students, objective, predictor of two networks and schedule of one's own, through every stage."""

import json
import sys

import pytest
import smoke
from extension.test_key_schedule import MINE
from extension.test_network_source import SOURCE

from deltadistill.files import commented_yaml

CODE = f"""{MINE}{SOURCE}
from dataclasses import dataclass
from deltadistill.blocks.linear import LinearStudent
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.taps import Taps

@dataclass(frozen=True)
class Thin(LinearStudent):
    rank: str = "min"

class SameMaps(Objective):
    taps = property(lambda self: Taps(modules=(self.module,)))

    def __init__(self, setting, *, module):
        super().__init__()
        self.module = module

    def extent(self, seen):
        return seen.teacher_maps(self.module)[0].square().sum()

    def loss(self, seen, of):
        return (seen.maps(self.module)[0] - seen.teacher_maps(self.module)[0]).square().sum() / of
"""
OWN = "extensions.code.mine:"
CHANGES = {"students": {"kind": f"{OWN}Thin"}, "search": {"target": {"cost": 0.9, "length": 3}}}
CHANGES["loss"] = {"objectives": {f"{OWN}SameMaps": {"weight": 0.5, "options": {"module": "1"}}}}
TWO = {"network": "pretrain_teacher", "networks": {"small": "distill/delta"}, "predict": f"{OWN}TwoNetworks"}
BRIGHT = {"bright": {"schedule": f"{OWN}Bright", "options": {"level": 90}}}

pytestmark = pytest.mark.pipeline


def test_the_report_shows_them_with_label_and_colour(tmp_path):
    smoke.copy_working_tree(tmp_path)
    (tmp_path / "extensions/code/mine.py").write_text(CODE)
    params = commented_yaml.load(tmp_path / "params.yaml")
    params["model"] = {"name": f"{OWN}by_recipe", "options": {"widths": [8, 16, 16]}}
    params["distill"]["trainings"] = {"delta": {"method": "delta", "changes": CHANGES}}
    params["variants"] = {name: params["variants"][name] for name in ("teacher", "delta")} | {"two": TWO}
    params["evaluate_videos"] |= {"variants": ["two"], "schedules": BRIGHT}
    params["write_report"]["shown_as"] = {"two": {"label": "Two nets", "colour": "#12ab9f"}}
    (tmp_path / "params.yaml").write_text(commented_yaml.dump(params))
    smoke.call(tmp_path, ("dvc", "repro", "prepare_dataset@smoke"))
    said = smoke.call(tmp_path, (sys.executable, "workflow/check/stages.py"))[1]
    assert [row for row in map(json.loads, said.splitlines()) if row["fault"]] == []
    page = (tmp_path / "results/smoke/report.html").read_text()
    assert '<span class="swatch" style="background: #12ab9f"></span>Two nets</th>' in page
    assert json.loads((tmp_path / "results/smoke/summary.json").read_text())["videos"]["two"]["bright"]
