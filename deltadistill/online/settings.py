"""How a student learns online: the published settings, and what may be chosen otherwise."""

from dataclasses import dataclass
from typing import Literal, get_args

from deltadistill.online.batch_norm import BatchNorm, require_known
from deltadistill.online.goals import Loss, require_loss
from deltadistill.online.parts import Part, require_part
from deltadistill.online.stride import Strides

Answers = Literal["teacher", "student"]
"""Who answers a labelled frame: the teacher, whose output is there anyway, or the student once updated."""


@dataclass(frozen=True)
class Settings:
    """Settings of an online stream; defaults are those of JITNet 0.8.

    threshold: the score on a labelled frame from which the student passes, from 0 to 1. updates: most steps
        on one labelled frame (u_max). shortest, longest: bounds of the stride (δ_min, δ_max), frames.
    learning_rate, momentum: of SGD.
    loss, background, foreground: see `online.goals`. batch_norm: see `online.batch_norm`; None: "running",
        and of a delta network, whose batch norm is its teacher's, "frozen".
    answers: see `Answers`. teacher_failures: so many frames in a row on which the teacher may fail.
    Not published, and off: part, share: of the parameters that learn (`online.parts`). replay: so many
    labelled frames are kept, and after every step one of them is learned from (`online.replay`). unsure:
    teacher frames by the student's uncertainty above this (`online.uncertainty`); None: by the stride rule.
    lag: the label comes so many frames late, from a thread of its own (`online.late`); 0: at once. scenes: so
    many scenes' students are kept, scene_change: from where on a frame is another scene (`online.scenes`).
    learns_until: from this frame on nothing is labelled or learned; None: there is none.
    Raises ValueError for what cannot be meant.
    """

    threshold: float = 0.8
    updates: int = 8
    shortest: int = 8
    longest: int = 64
    learning_rate: float = 0.01
    momentum: float = 0.9
    loss: Loss | None = None
    background: int | None = None
    foreground: float = 5.0
    batch_norm: BatchNorm | None = None
    answers: Answers = "teacher"
    teacher_failures: int = 8
    part: Part = "all"
    share: float = 1.0
    replay: int = 0
    unsure: float | None = None
    lag: int = 0
    scenes: int = 0
    scene_change: float = 0.4
    learns_until: int | None = None

    def __post_init__(self) -> None:
        Strides(self.shortest, self.longest)
        require_loss(self.loss, self.background, self.foreground)
        if self.batch_norm is not None:
            require_known(self.batch_norm)
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold {self.threshold} must be a score, from 0 to 1")
        if self.updates < 0 or self.teacher_failures < 0:
            raise ValueError(
                f"updates {self.updates} and teacher_failures {self.teacher_failures} cannot be below 0"
            )
        require_part(self.part, self.share)
        if min(self.replay, self.lag, self.scenes) < 0:
            raise ValueError(
                f"replay {self.replay}, lag {self.lag} and scenes {self.scenes} cannot be below 0"
            )
        if self.learns_until is not None and self.learns_until < 1:
            raise ValueError(f"learns_until {self.learns_until}: one frame at least is learned from")
        if self.answers not in get_args(Answers):
            raise ValueError(f"answers {self.answers!r} is unknown; allowed: {', '.join(get_args(Answers))}")
