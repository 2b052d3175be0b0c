"""What the converted blocks of a network do now: per frame, clip, stream or probe; owns all temporal state.

A delta network's blocks share one `Seat` (seat.py); whoever runs the network seats a session for the time of
the run. A session is for one forward at a time; each forward of a clip or a stream counts its calls anew.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.finite import first_not_finite
from deltadistill.blocks.rows import ADVICE, label, require_order, require_rows
from deltadistill.blocks.rule import Motion, State
from deltadistill.blocks.straight_through import Choice
from deltadistill.forward.half_precision import in_single_precision
from deltadistill.forward.kept_bytes import kept_bytes

Call = tuple[DeltaBlock, int]
"""A block and the how-manieth call of it within the frame: a block may run several times per frame."""


class _CallCounter:
    """Tells a block's calls within one forward apart."""

    def __init__(self) -> None:
        self._calls: dict[DeltaBlock, int] = {}

    def next(self, block: DeltaBlock) -> Call:
        index = self._calls.get(block, 0)
        self._calls[block] = index + 1
        return block, index


@dataclass(frozen=True)
class CallError:
    """Distillation error of one call of a block: ‖target − prediction‖², with gradient, and ‖target‖²."""

    squared: Tensor
    energy: Tensor

    @classmethod
    def of(cls, prediction: Tensor, target: Tensor) -> "CallError":
        """Compare a prediction with its target."""
        prediction, target = in_single_precision(prediction), in_single_precision(target)
        return cls(functional.mse_loss(prediction, target, reduction="sum"), energy(target))

    def relative(self, energy: Tensor | None = None) -> Tensor:
        """Return ‖target − prediction‖² / ‖target‖²: 0 is perfect, 1 is as good as predicting no change.

        A target of zero (a static clip), or one so small that its squares are lost in the floating-point
        range (below tiny / eps of the dtype), leaves the error undivided.

        energy: what to divide by instead, where this call is part of a larger batch.
        """
        energy = self.energy if energy is None else energy
        limits = torch.finfo(energy.dtype)
        return self.squared / torch.where(energy > limits.tiny / limits.eps, energy, torch.ones_like(energy))


class ProbeSession:
    """Every frame by the teacher, keeping each block's output: the targets of distillation."""

    def __init__(self) -> None:
        self.outputs: dict[Call, Tensor] = {}
        self._counter = _CallCounter()

    def run(self, block: DeltaBlock, x: Tensor) -> Tensor:
        """Return the teacher's output and keep a copy (what follows may change it in place)."""
        z = block.teacher(x)
        self.outputs[self._counter.next(block)] = z.detach().clone()
        return z


class ClipSession:
    """One forward over whole clips: key frames by the teacher, the others by the students.

    The network's batch holds T·N frames, time first: the N key frames, then the N second frames and so on.
    choose: block → candidate's name or gate sample; by default what the block has chosen.
    targets: outputs of a ProbeSession over the (T − 1)·N other frames; then `errors` gets the
        distillation error of every call (Eq. 2 or 1).
    relative_to: "key" predicts every frame from the key frame; "previous" from the frame before, as the
        paper does, and sums up.
    """

    def __init__(
        self,
        frames: int,
        *,
        choose: Callable[[DeltaBlock], Choice] | None = None,
        targets: dict[Call, Tensor] | None = None,
        relative_to: str = "key",
    ):
        self.frames = frames
        self.relative_to = _known_reference(relative_to)
        self.clips: int | None = None
        self._motion: Motion | None = None
        self.errors: dict[Call, CallError] = {}
        self._choose = choose or (lambda block: block.choice)
        self._targets = targets
        self._counter = _CallCounter()

    def begin(self, *, clips: int, motion: Motion | None = None) -> None:
        """Say how many clips the next forward has; a new forward counts its calls anew.

        motion: of the (T − 1)·N later frames, since their key frames; None: not known.
        """
        if motion is not None and self.relative_to != "key":
            raise ValueError("motion is since the key frame; it goes with relative_to='key'")
        self.clips, self._motion = clips, motion
        self._counter = _CallCounter()

    def run(self, block: DeltaBlock, x: Tensor) -> Tensor:
        """Return the block's outputs for all frames of the clips in `x`."""
        if self.clips is None:
            raise ValueError("the session does not know the number of clips; call begin(clips=N) first")
        require_rows(block, x, self.clips * self.frames)
        if self.frames > 1 and not block.probed:
            require_order(block, x)
        rows = self.clips * block.rows_per_frame
        # split's gradient is one concatenation; two slices would each fill a whole tensor with zeros first
        x_key, x_later = x.split([rows, len(x) - rows])
        if not block.candidates:
            return torch.cat(list(self._frame_by_frame(block, x_key, x_later)))
        z_key = block.teacher(x_key)
        if self.frames == 1:
            return z_key
        rule, choice = block.rule, self._choose(block)
        assert rule.prediction is not None  # a rule with candidates has one
        reference = z_key
        if self.relative_to == "previous":
            prediction = rule.predict_steps(block, x, z_key, choice)
            later = rule.prediction.integrate_steps(prediction, z_key)
        elif self._motion is None:
            prediction = rule.predict(block, x_later, x_key, z_key, choice)
            later = rule.prediction.integrate(prediction, z_key)
        else:
            prediction = rule.predict_along(block, x_later, x_key, z_key, choice, self._motion)
            reference = rule.reference(z_key, self._motion)
            later = rule.prediction.integrate(prediction, reference)
        self._compare(block, prediction, reference.detach())
        return torch.cat([z_key, later])

    def _frame_by_frame(self, block: DeltaBlock, x_key: Tensor, x_later: Tensor) -> Iterator[Tensor]:
        """Outputs of a block without candidates, as a stream has them."""
        z, state = block.key(x_key)
        yield z
        for x in x_later.split(len(x_key)) if len(x_later) else ():
            z, state = block.delta(x, state)
            yield z
            if self.relative_to == "previous":
                state = block.state_of(x, z)

    def _compare(self, block: DeltaBlock, prediction: Tensor, z_key: Tensor) -> None:
        call = self._counter.next(block)
        if self._targets is None:
            return
        z = self._targets[call]
        reference = torch.cat([z_key, z[: -len(z_key)]]) if self.relative_to == "previous" else z_key
        self.errors[call] = CallError.of(prediction, block.target(z, reference))


class StreamSession:
    """Frame after frame: keeps one state per call from the last key frame, or from the frame before.

    relative_to: "key" keeps the key frame's state; "previous" renews it on every frame.
    """

    def __init__(self, *, relative_to: str = "key"):
        self.relative_to = _known_reference(relative_to)
        self.is_key_frame = True
        self.state: dict[Call, State] = {}
        self._shapes: dict[Call, torch.Size] = {}
        self._streams: int | None = None
        self._motion: Motion | None = None
        self._counter = _CallCounter()

    def forget(self) -> None:
        """Drop all state; the next forward has to be a key frame."""
        self.state = {}
        self._shapes = {}

    @property
    def state_bytes(self) -> int:
        """Memory of the state, bytes; may be asked for in any thread."""
        return kept_bytes(chain.from_iterable(list(self.state.values())))  # listed at once: frames go on

    def not_finite(self) -> str | None:
        """Name of a block whose state the last forward left with NaN or infinity; None where there is none.

        Looks at what that forward renewed: with "key" the state of a key frame, else that of every frame.
        """
        if self.relative_to == "key" and not self.is_key_frame:
            return None
        kept = [(block.name, tensor) for (block, _), state in self.state.items() for tensor in state]
        index = first_not_finite([tensor for _, tensor in kept])
        return None if index is None else kept[index][0]

    def begin_frame(
        self, *, is_key_frame: bool, streams: int | None = None, motion: Motion | None = None
    ) -> None:
        """Say what the next forward is, and of how many streams; a key frame forgets all state.

        motion: since the frame before; each block's rule carries its state along with it. None: not known.
        """
        self.is_key_frame = is_key_frame
        self._streams = streams
        self._motion = motion
        self._counter = _CallCounter()
        if is_key_frame:
            self.forget()

    def run(self, block: DeltaBlock, x: Tensor) -> Tensor:
        """Return the block's output for the frame in `x` (a batch of independent streams)."""
        call = self._counter.next(block)
        if self._streams is not None:
            require_rows(block, x, self._streams)
        if self.is_key_frame:
            self._shapes[call] = x.shape
            z, self.state[call] = block.key(x)
            return z
        if call not in self.state:
            raise ValueError(
                f"{label(block)} ran on a delta frame that did not run on its key frame; reset the stream"
            )
        if x.shape != self._shapes[call]:
            raise ValueError(
                f"{label(block)} got an input of shape {tuple(x.shape)} on a delta frame and of "
                f"{tuple(self._shapes[call])} on its key frame; {ADVICE}"
            )
        state = self.state[call] if self._motion is None else block.carry(self.state[call], self._motion)
        z, self.state[call] = block.delta(x, state)
        if self.relative_to == "previous":
            self.state[call] = block.state_of(x, z)
        return z


def _known_reference(relative_to: str) -> str:
    if relative_to not in ("key", "previous"):
        raise ValueError(f"relative_to {relative_to!r} is unknown; allowed: 'key', 'previous'")
    return relative_to


def require_frames(frames: Tensor, form: str) -> None:
    """Raise ValueError unless `frames` are floats with the axes of `form`, such as "(N, C, H, W)"."""
    if isinstance(frames, Tensor) and frames.is_floating_point() and frames.dim() == form.count(",") + 1:
        return
    given = f" of shape {tuple(frames.shape)} and {frames.dtype}" if hasattr(frames, "dtype") else ""
    advice = "give a tensor with every axis, scaled as for the network"
    if isinstance(frames, Tensor) and not frames.is_floating_point():
        advice = "scale it as in the network's training, such as frames.float() / 255"
    raise ValueError(f"expected float {form}, got {type(frames).__name__}{given}; {advice}")


def hint_at_channels(network: nn.Module, frames: Tensor) -> None:
    """Raise ValueError for frames whose channels seem to come last, where the first convolution tells."""
    first = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    channels, last = frames.shape[-3], frames.shape[-1]
    if first is not None and last in (1, 3, 4) and last == first.in_channels != channels:
        raise ValueError(
            f"expected channels before height and width, got shape {tuple(frames.shape)}, whose last axis "
            f"has the {last} channels that the first convolution takes; use frames.movedim(-1, -3)"
        )


def energy(target: Tensor) -> Tensor:
    """‖target‖², a scalar."""
    flat = in_single_precision(target.detach()).reshape(-1)
    return torch.dot(flat, flat)
