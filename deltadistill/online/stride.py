"""The stride rule: after how many frames the teacher labels one again (Mullapudi et al., ICCV 2019, §4).

δ begins at its shortest; where the student agrees with the teacher, after its updates, δ doubles, and where
it does not, δ halves, both within bounds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Strides:
    """Bounds of the stride δ, frames: δ_min and δ_max. Raises ValueError unless 1 ≤ shortest ≤ longest."""

    shortest: int = 8
    longest: int = 64

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise ValueError(
                f"the shortest stride {self.shortest} and the longest {self.longest} must be whole numbers "
                "of frames, 1 ≤ shortest ≤ longest"
            )


def next_stride(stride: int, strides: Strides, *, passed: bool) -> int:
    """The stride after a labelled frame: twice as long where the student passed, else half, rounded down."""
    return min(strides.longest, 2 * stride) if passed else max(strides.shortest, stride // 2)


class Supervision:
    """Which frames of a stream the teacher labels: the first, and each one δ frames after the last.

    `stride` is δ. Say of every frame in turn what became of it: `labelled`, `not_labelled` or `failed`.
    """

    def __init__(self, strides: Strides):
        self._strides = strides
        self.reset()

    def reset(self) -> None:
        """Begin again, as for another stream."""
        self.stride, self._frames_left = self._strides.shortest, 0

    @property
    def is_due(self) -> bool:
        """Whether the teacher is to label the next frame."""
        return self._frames_left == 0

    def labelled(self, *, passed: bool) -> None:
        """The teacher labelled the frame, and the student agrees with it now, or does not."""
        self.stride = next_stride(self.stride, self._strides, passed=passed)
        self._frames_left = self.stride - 1

    def not_labelled(self) -> None:
        """The student alone answered the frame."""
        self._frames_left = max(0, self._frames_left - 1)

    def answered(self, output: Any) -> None:
        """See what the student said of a frame; the stride rule does not look at it."""

    def failed(self) -> None:
        """The teacher failed on the frame: it is asked again on the next one, and the stride stays."""
        self.ask_now()

    def ask_now(self) -> None:
        """Have the next frame labelled, whatever the stride is."""
        self._frames_left = 0

    def state(self) -> dict[str, int]:
        """What `restore` goes back to."""
        return {"stride": self.stride, "frames_left": self._frames_left}

    def restore(self, state: Mapping[str, int]) -> None:
        """Go back to what `state` returned."""
        self.stride, self._frames_left = state["stride"], state["frames_left"]
