"""The rule of feature distillation, the rival of delta distillation: the student's output itself (Eq. 1)."""

from typing import Any

from torch import Tensor, nn

from deltadistill.blocks.delta_rule import run_candidates
from deltadistill.blocks.prediction import OfFeatures
from deltadistill.blocks.rule import Parts, Rule, State
from deltadistill.blocks.straight_through import Choice


class FeatureRule(Rule):
    """z = g(x) plus the teacher's bias, on every frame but the key frame; no state is kept.

    A delta has no use for a bias, so the students of `DeltaRule` have none; a feature has.
    """

    prediction = OfFeatures()

    def state_of(self, parts: Parts, x: Tensor, z: Tensor) -> State:
        """Nothing to remember."""
        return ()

    def delta(self, parts: Parts, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Student's output; no state is needed."""
        return self.predict(parts, x, x, x, parts.choice), state

    def predict(self, parts: Parts, x: Tensor, x_key: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """g(x) plus the teacher's bias (see Rule.predict)."""
        features = run_candidates(parts, self.student_input(x, x_key), choice)
        bias: Any = parts.teacher.bias
        if bias is None:
            return features
        return features + (bias if isinstance(parts.teacher, nn.Linear) else bias[:, None, None])

    def student_input(self, x: Tensor, x_key: Tensor) -> Tensor:
        """What the student reads: the block's input."""
        return x
