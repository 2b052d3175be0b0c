"""The rule of delta distillation: the key frame's output plus what the student makes of the change."""

from torch import Tensor

from deltadistill.blocks.prediction import OfChange, for_each_later_frame
from deltadistill.blocks.rule import Parts, Rule, State
from deltadistill.blocks.straight_through import Choice, drawn_output


class DeltaRule(Rule):
    """z = z_key + g(x − x_key), for students g that are linear and have no bias."""

    prediction = OfChange()

    def state_of(self, parts: Parts, x: Tensor, z: Tensor) -> State:
        """The frame's input and output."""
        return x.clone(), z.clone()

    def delta(self, parts: Parts, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame: the state's features plus the predicted delta.

        The state comes back unchanged, for deltas relative to the key frame. For deltas relative to the
        previous frame go on with `state_of(x, z)`; for a linear student both agree, as deltas telescope.
        """
        x_before, z_before = state
        prediction = self.predict(parts, x, x_before, z_before, parts.choice)
        return self.prediction.integrate(prediction, z_before), state

    def predict(self, parts: Parts, x: Tensor, x_key: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """g(x − x_key), the change of the teacher's output (see Rule.predict)."""
        return run_candidates(parts, self.student_input(x, x_key), choice)

    def student_input(self, x: Tensor, x_key: Tensor) -> Tensor:
        """What the student reads: the change of the block's input."""
        return x - for_each_later_frame(x_key, x)


def run_candidates(parts: Parts, x: Tensor, choice: Choice) -> Tensor:
    """Run the chosen candidate on `x`.

    choice: a candidate's name, or a gate's sample (see `drawn_output`).
    """
    return drawn_output(lambda candidate: getattr(parts, candidate)(x), choice)
