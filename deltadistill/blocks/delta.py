"""A converted block: its teacher, the two candidate students, and the gate between them (§3, §3.2)."""

from collections.abc import Iterable
from inspect import signature
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from deltadistill.blocks.candidates import COMPRESSED, DECISION, DECISIONS, UNCOMPRESSED
from deltadistill.blocks.gate import Gate
from deltadistill.blocks.straight_through import Choice, drawn_output
from deltadistill.forward.modes import modes_kept

if TYPE_CHECKING:
    from deltadistill.blocks.seat import Seat

State = tuple[Tensor, ...]


class Student(Protocol):
    """A student design: which modules it fits, and how their candidates are made."""

    def reason_against(self, module: nn.Module) -> str | None:
        """Say why `module` cannot or should not be converted; None where it can."""

    def build(self, teacher: nn.Module) -> nn.Module:
        """Make the compressed candidate."""

    def build_uncompressed(self, teacher: nn.Module) -> nn.Module:
        """Make the uncompressed candidate."""

    def as_dict(self) -> dict[str, Any]:
        """Return the design's kind and settings as plain values."""


class DeltaBlock(nn.Module):
    """A Conv2d or Linear whose output on delta frames is the key frame's plus a predicted delta.

    Pure: `key` and `delta` return their state and keep none. Which of them a forward uses, and where the
    state lives, is decided by the session in `seat` (seat.py, sessions.py).
    name: the block's qualified name in its network. rows_per_frame: rows of its input that make up one
    frame: 1, or the number of windows. probed: whether that was seen on an example. All are set by `convert`.
    """

    name: str = ""
    rows_per_frame: int = 1
    probed: bool = False

    def __init__(self, teacher: nn.Module, student: Student, seat: "Seat"):
        nn.Module.__init__(self)  # not super(): of a block that passes for a convolution that is one's
        self.teacher = teacher
        self.uncompressed: nn.Module | None = student.build_uncompressed(teacher)
        self.compressed: nn.Module | None = student.build(teacher)
        self.gate: Gate | None = Gate().to(next(teacher.parameters()).device)
        self.seat = seat
        self.decided: str | None = None
        with modes_kept(teacher, self.uncompressed, self.compressed):
            self.train(teacher.training)

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        """Compute the block's output for its frames, as the session of the network says.

        They come as the teacher takes them: by position, or by the name that the teacher has for them.
        """
        if named:
            inputs = signature(self.teacher.forward).bind(*inputs, **named).args
        if len(inputs) != 1:
            raise ValueError(
                f"the block {self.name!r} got {len(inputs)} inputs, where one was expected; "
                "pass example= to convert, or leave it out in `where`"
            )
        return self.seat.session_for(self).run(self, inputs[0])

    def __getattr__(self, name: str) -> Any:
        """Answer for the teacher: modules read attributes of their children (`fc.in_features`)."""
        try:
            return nn.Module.__getattr__(self, name)
        except AttributeError:
            teacher = self.__dict__.get("_modules", {}).get("teacher")  # none while a copy is being made
            if teacher is None or name.startswith("__") or hasattr(type(self), name):
                raise
        return getattr(teacher, name)

    @property
    def choice(self) -> str:
        """The candidate in use: the decided one, else the one that the gate prefers."""
        if self.decided is not None:
            return self.decided
        return UNCOMPRESSED if self.gate.prefers_uncompressed else COMPRESSED

    def undecide(self) -> None:
        """Give the choice back to the gate."""
        if self.gate is None:
            raise ValueError("the block is deployed: it has one candidate and no gate")
        self.decided = None

    def decide(self, candidate: str) -> None:
        """Fix the choice; the gate has no say from here on."""
        if candidate not in (UNCOMPRESSED, COMPRESSED):
            raise ValueError(f"candidate {candidate!r} is unknown; allowed: {UNCOMPRESSED!r}, {COMPRESSED!r}")
        if getattr(self, candidate) is None:
            raise ValueError(f"the {candidate} candidate was dropped by deploy")
        self.decided = candidate

    def drop_unused(self) -> None:
        """Keep the chosen candidate only, and no gate."""
        self.decide(self.choice)
        if self.decided == UNCOMPRESSED:
            self.compressed = None
        else:
            self.uncompressed = None
        self.gate = None

    def student_parameters(self) -> Iterable[nn.Parameter]:
        """Parameters of the candidates that are still there."""
        for candidate in (self.uncompressed, self.compressed):
            if candidate is not None:
                yield from candidate.parameters()

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Add the decision: a search finds it, and the gate does not tell; deployed blocks have none."""
        nn.Module._save_to_state_dict(self, destination, prefix, keep_vars)
        if self.gate is not None:
            destination[prefix + DECISION] = torch.tensor(DECISIONS.index(self.decided))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take the decision where there is one: state dicts of other sources leave it as it is."""
        if self.gate is not None and (number := state_dict.pop(prefix + DECISION, None)) is not None:
            self.decided = DECISIONS[int(number)]
        nn.Module._load_from_state_dict(self, state_dict, prefix, *rest)

    def key(self, x: Tensor) -> tuple[Tensor, State]:
        """Teacher's output for a key frame, and the state that later deltas start from."""
        z = self.teacher(x)
        return z, self.state_of(x, z)

    def delta(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame: the state's features plus the predicted delta.

        The state comes back unchanged, for deltas relative to the key frame. For deltas relative to the
        previous frame go on with `state_of(x, z)`; for a linear student both agree, as deltas telescope.
        """
        x_before, z_before = state
        prediction = self.predict(x, x_before, z_before, self.choice)
        return self.integrate(prediction, z_before), state

    def state_of(self, x: Tensor, z: Tensor) -> State:
        """State of a frame with input x and output z: copies, as the network may change both in place."""
        return x.clone(), z.clone()

    def predict(self, x: Tensor, x_key: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the student predicts: g(x − x_key), the change of the teacher's output.

        x: inputs of M later frames; x_key, z_key: input and output of their key frames, M or, with
        several later frames per key frame (time first), M divided by their number.
        """
        return self.run_candidates(self.student_input(x, x_key), choice)

    def predict_steps(self, x: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the student predicts from each frame to the next, as `predict` does from the key frame.

        x: inputs of all T frames, time first; z_key: outputs of the key frames.
        """
        rows = z_key.shape[0]
        return self.predict(x[rows:], x[:-rows], z_key, choice)

    def student_input(self, x: Tensor, x_key: Tensor) -> Tensor:
        """What a linear student reads: the change of the block's input."""
        return x - for_each_later_frame(x_key, x)

    def integrate(self, prediction: Tensor, z_key: Tensor) -> Tensor:
        """The block's output from the student's prediction: z = z_key + Δz."""
        return for_each_later_frame(z_key, prediction) + prediction

    def integrate_steps(self, steps: Tensor, z_key: Tensor) -> Tensor:
        """The block's outputs from predictions from frame to frame: z_t = z_{t−1} + Δz_t."""
        times = steps.shape[0] // z_key.shape[0]
        return self.integrate(steps.unflatten(0, (times, -1)).cumsum(0).flatten(0, 1), z_key)

    def target(self, z: Tensor, z_key: Tensor) -> Tensor:
        """What the prediction should be, from the teacher's outputs: Δz (Eq. 2)."""
        return z - for_each_later_frame(z_key, z)

    def run_candidates(self, x: Tensor, choice: Choice) -> Tensor:
        """Run the chosen candidate on `x`.

        choice: a candidate's name, or a gate's sample (see `drawn_output`).
        """
        return drawn_output(lambda candidate: getattr(self, candidate)(x), choice)


class FeatureBlock(DeltaBlock):
    """The same students trained to predict the features themselves (Eq. 1): the rival of a DeltaBlock.

    It keeps no state: on every frame but the key frame the output is g(x). A delta has no use for a bias,
    a feature has, so the teacher's bias is added.
    """

    def delta(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Student's output; no state is needed."""
        return self.predict(x, x, x, self.choice), state

    def state_of(self, x: Tensor, z: Tensor) -> State:
        """Nothing to remember."""
        return ()

    def predict(self, x: Tensor, x_key: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the student predicts: g(x) plus the teacher's bias."""
        features = self.run_candidates(self.student_input(x, x_key), choice)
        bias = self.teacher.bias
        if bias is None:
            return features
        return features + (bias if isinstance(self.teacher, nn.Linear) else bias[:, None, None])

    def student_input(self, x: Tensor, x_key: Tensor) -> Tensor:
        """What the student reads: the block's input."""
        return x

    def integrate(self, prediction: Tensor, z_key: Tensor) -> Tensor:
        """The prediction is the output."""
        return prediction

    def integrate_steps(self, steps: Tensor, z_key: Tensor) -> Tensor:
        """The predictions are the outputs."""
        return steps

    def target(self, z: Tensor, z_key: Tensor) -> Tensor:
        """What the prediction should be: the teacher's output z (Eq. 1)."""
        return z


def for_each_later_frame(key: Tensor, later: Tensor) -> Tensor:
    """Repeat the key frames' tensor to pair with `later`: T − 1 frames per key frame, time first."""
    times = later.shape[0] // key.shape[0]
    return key if times == 1 else key.repeat(times, *[1] * (key.dim() - 1))
