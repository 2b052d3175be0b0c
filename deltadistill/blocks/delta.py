"""A converted block: its teacher, rule, candidates, the gate between them, and its seat (§3, §3.2)."""

from collections.abc import Iterable, Mapping
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.blocks.candidates import CANDIDATES, COMPRESSED, DECISION, DECISIONS, RULE, UNCOMPRESSED
from deltadistill.blocks.design import Student
from deltadistill.blocks.gate import Gate
from deltadistill.blocks.rule import Motion, State
from deltadistill.blocks.seat import Seat
from deltadistill.forward.modes import modes_kept


class DeltaBlock(nn.Module):
    """A module of a network with a cheaper way through later frames: what its `rule` makes of its candidates.

    Pure: `key` and `delta` return their state and keep none. Which of them a forward uses, and where the
    state lives, is decided by the session in `seat` (seat.py, sessions.py).
    candidates: names of those that are there: both, the chosen one once deployed, or none by its design. One
        that the rule computes without a module of its own is None as an attribute.
    name: the block's qualified name in its network. rows_per_frame: rows of its input that make up one
    frame: 1, or the number of windows. probed: whether that was seen on an example. All are set by `convert`.
    """

    gate: Gate | None
    name: str = ""
    rows_per_frame: int = 1
    probed: bool = False

    def __init__(self, teacher: nn.Module, students: Student, seat: Seat, *, predicts: str = "delta"):
        nn.Module.__init__(self)  # not super(): of a block that passes for a convolution that is one's
        self.teacher = teacher
        self.rule = students.rule(predicts)
        candidates = _both_or_none(students.candidates(teacher), students)
        self.candidates = tuple(candidates)
        for name in CANDIDATES:
            self.register_module(name, candidates.get(name))
        self.register_module("gate", _gate_beside(teacher) if candidates else None)
        self.seat = seat
        self.decided: str | None = None
        with modes_kept(teacher, *(module for module in candidates.values() if module is not None)):
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
        """The candidate in use: the decided one, else the one that the gate prefers; "rule" without any."""
        if self.decided is not None:
            return self.decided
        if not self.candidates:
            return RULE
        gate: Any = self.gate  # there, as deployed blocks have decided
        return UNCOMPRESSED if gate.prefers_uncompressed else COMPRESSED

    def undecide(self) -> None:
        """Give the choice back to the gate."""
        if not self.candidates:
            raise ValueError("the block has no candidates and no gate")
        if self.gate is None:
            raise ValueError("the block is deployed: it has one candidate and no gate")
        self.decided = None

    def decide(self, candidate: str) -> None:
        """Fix the choice; the gate has no say from here on. A block without candidates takes "rule" alone."""
        if candidate == RULE and not self.candidates:
            return
        if candidate not in CANDIDATES:
            raise ValueError(f"candidate {candidate!r} is unknown; allowed: {UNCOMPRESSED!r}, {COMPRESSED!r}")
        if not self.candidates:
            raise ValueError(f"the block has no {candidate} candidate: its design makes none")
        if candidate not in self.candidates:
            raise ValueError(f"the {candidate} candidate was dropped by deploy")
        self.decided = candidate

    def drop_unused(self) -> None:
        """Keep the chosen candidate only, where there are any, and no gate."""
        self.decide(self.choice)
        self.candidates = tuple(name for name in self.candidates if name == self.decided)
        for name in CANDIDATES:
            if name not in self.candidates:
                setattr(self, name, None)
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
        """Teacher's output for a key frame, and the state that later frames start from."""
        return self.rule.key(self, x)

    def delta(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame, and the state for the next one (see the rule's `delta`)."""
        return self.rule.delta(self, x, state)

    def carry(self, state: State, motion: Motion) -> State:
        """The state where the picture has moved since the frame before (see Rule.carry)."""
        return self.rule.carry(state, motion)

    def state_of(self, x: Tensor, z: Tensor) -> State:
        """State of a frame with input x and output z."""
        return self.rule.state_of(self, x, z)

    def target(self, z: Tensor, z_key: Tensor) -> Tensor:
        """What the student's prediction should be, from the teacher's outputs (Eq. 1 or 2)."""
        assert self.rule.prediction is not None  # a rule with candidates has one
        return self.rule.prediction.target(z, z_key)


def _both_or_none(
    candidates: Mapping[str, nn.Module | None], students: Student
) -> dict[str, nn.Module | None]:
    """The candidates in their fixed order; ValueError for one of them alone, and for others."""
    if set(candidates) not in (set(), set(CANDIDATES)):
        raise ValueError(
            f"{type(students).__name__} makes the candidates {sorted(candidates)}; expected both of "
            f"{sorted(CANDIDATES)} (None for one that the rule computes without a module), or none"
        )
    return {name: candidates[name] for name in CANDIDATES if name in candidates}


def _gate_beside(teacher: nn.Module) -> Gate:
    return Gate().to(next(teacher.parameters()).device)
