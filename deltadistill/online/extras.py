"""What a stream may do beyond the published method: replay frames, wait for no label, know scenes again."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from deltadistill.online.late import LateTeacher
from deltadistill.online.replay import Replay
from deltadistill.online.scenes import Scenes
from deltadistill.online.settings import Settings

_NOT_OF_A_DELTA_NETWORK = {"replay": 0, "lag": 0, "scenes": 0}


class Extras:
    """A buffer to replay from, a teacher that answers late, the students of scenes; None where not asked for.

    label: has the teacher label a frame.
    """

    def __init__(self, settings: Settings, label: Callable[[Tensor], Any]):
        self.replay = Replay(settings.replay) if settings.replay else None
        self.late = LateTeacher(label, settings.lag) if settings.lag else None
        self.scenes = Scenes(settings.scenes, settings.scene_change) if settings.scenes else None

    @property
    def _there(self) -> dict[str, Any]:
        every = {"replay": self.replay, "late": self.late, "scenes": self.scenes}
        return {name: each for name, each in every.items() if each is not None}

    def forget(self) -> None:
        """Begin another stream."""
        for each in self._there.values():
            each.forget()

    @property
    def bytes(self) -> int:
        """Memory of frames and snapshots that are kept."""
        return sum(each.bytes for each in (self.replay, self.scenes) if each is not None)

    def state(self) -> dict[str, Any]:
        """What `resume` goes on from."""
        return {name: each.state() for name, each in self._there.items()}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned; ValueError for that of a stream with other settings."""
        if state.keys() != self._there.keys():
            raise ValueError(
                f"the state has {sorted(state)}, this stream {sorted(self._there)}; resume with the settings "
                "that it was saved with"
            )
        for name, each in self._there.items():
            each.resume(state[name])


def require_of_a_delta_network(settings: Settings) -> None:
    """Raise ValueError for settings that the students of a delta network cannot have.

    They answer relative to one key frame, which a label that comes late, a frame from long ago and another
    scene's students know nothing of.
    """
    asked = [name for name, off in _NOT_OF_A_DELTA_NETWORK.items() if getattr(settings, name) != off]
    asked += ["part: last"] if settings.part == "last" else []
    if asked:
        raise ValueError(
            f"{', '.join(asked)}: not for the students of a delta network, which answer relative to their "
            "last labelled frame; leave it out"
        )
