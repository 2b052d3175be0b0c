"""ResidualViT: later frames by few patches and one token made of the key frame's feature (ICCV 2025)."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.design import StudentDesign
from deltadistill.blocks.prediction import PREDICTIONS, OfChange, OfFeatures, Prediction, for_each_later_frame
from deltadistill.blocks.rule import Parts, Rule, State
from deltadistill.blocks.straight_through import Choice, drawn_output
from deltadistill.blocks.token_choice import CHOICES, chosen_patches
from deltadistill.blocks.whole_vit import output_length, require_same
from deltadistill.models.vit_form import vit_form


class ResidualTokenRule(Rule):
    """f_t = E(class, A(f_0), R(T_t)): the teacher E on a later frame's patches that R keeps, and on A(f_0).

    E is the network with the weights that it has, f_0 its output on the key frame, A the compressed
    candidate, a linear layer whose token stands behind the class token and has no position, T_t the embedded
    patches. Without A the token is left out. State: A(f_0), which is made once per key frame, and the key
    frame itself where R compares pictures. The uncompressed candidate is E on all patches, without A(f_0).
    With predicts "delta" the error of a student is relative to the change of the output, so that 1 is what
    repeating f_0 would have; the answers are the same.
    """

    def __init__(self, design: "ResidualTokens", prediction: Prediction):
        self._design = design
        self.prediction = prediction

    def state_of(self, parts: Parts, x: Tensor, z: Tensor) -> State:
        """The residual token (N, 1, D), and the frame for the choice by motion."""
        if parts.choice == UNCOMPRESSED:
            return ()
        token = () if parts.compressed is None else (parts.compressed(z)[:, None],)
        return (*token, x.clone()) if self._design.choice == "motion" else token

    def delta(self, parts: Parts, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame; the state stays as the key frame left it."""
        if parts.choice == UNCOMPRESSED:
            return parts.teacher(x), state
        token = None if parts.compressed is None else state[0]
        return self._reduced(parts, x, token, state[-1] if self._design.choice == "motion" else None), state

    def predict(self, parts: Parts, x: Tensor, x_key: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the candidate predicts for M later frames (see Rule.predict)."""
        before = for_each_later_frame(z_key, x)

        def run(candidate: str) -> Tensor:
            if candidate == UNCOMPRESSED:
                return self._relative(parts.teacher(x), before)
            token = None if parts.compressed is None else parts.compressed(before)[:, None]
            return self._relative(
                self._reduced(parts, x, token, for_each_later_frame(x_key, x)),
                before,
            )

        return drawn_output(run, choice)

    def predict_steps(self, parts: Parts, x: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the candidate predicts step by step, each from its own output before (Rule.predict_steps)."""
        assert self.prediction is not None
        rows, before, steps = len(z_key), z_key, []
        for x_before, now in zip(x.split(rows)[:-1], x.split(rows)[1:], strict=True):
            steps.append(self.predict(parts, now, x_before, before, choice))
            before = self.prediction.integrate(steps[-1], before)
        return torch.cat(steps)

    def _relative(self, z: Tensor, before: Tensor) -> Tensor:
        assert self.prediction is not None
        return self.prediction.target(z, before)

    def _reduced(self, parts: Parts, x: Tensor, token: Tensor | None, x_key: Tensor | None) -> Tensor:
        form = vit_form(parts.teacher)
        tokens = form.embed(x)
        places = chosen_patches(self._design.choice, form, self._design.rate, tokens, x, x_key)
        return form.output(form.encode(reduced_tokens(tokens, places, token, prefix=form.prefix)))


def reduced_tokens(tokens: Tensor, places: Tensor, token: Tensor | None, *, prefix: int) -> Tensor:
    """The first `prefix` tokens, the residual token where there is one, and the patches at `places`.

    tokens: (N, prefix + patches, D). token: (N, 1, D). places: (N, kept), or (1, kept) for all frames alike.
    """
    patches = tokens[:, prefix:]
    index = places.expand(tokens.shape[0], -1)[..., None].expand(-1, -1, tokens.shape[-1])
    kept = patches.gather(1, index)
    return torch.cat([tokens[:, :prefix], *(() if token is None else (token,)), kept], 1)


@dataclass(frozen=True)
class ResidualTokens(StudentDesign):
    """A whole vision transformer as one block: full on key frames, few patches and a residual token between.

    rate: p, the share of a later frame's patches that is dropped, below 1. choice: of those that stay, a name
    of `blocks.token_choice.CHOICES`: uniform, random, center, motion or attention. residual: whether there is
    a residual token; without it there is nothing to learn.
    Soldan et al., ICCV 2025: the authors choose by the motion vectors of the file, here "motion" is by the
    change of pixels, and "random" draws once. Their residual tokenizer is a linear layer too.
    Raises ValueError for a rate or a choice that does not exist.
    """

    rate: float = 0.85
    choice: str = "uniform"
    residual: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"rate {self.rate}: expected the share of patches to drop, from 0 to below 1")
        if self.choice not in CHOICES:
            raise ValueError(f"choice {self.choice!r} is unknown; allowed: {', '.join(CHOICES)}")

    def reason_against(self, module: nn.Module) -> str | None:
        """Say why no tokens of `module` can be dropped; None where they can."""
        try:
            require_same(module, vit_form(module))
        except ValueError as error:
            return str(error)
        return None

    def rule(self, predicts: str) -> Rule:
        """Make the rule; both predictions are the same output, and differ in what training divides by."""
        if predicts not in PREDICTIONS:
            raise ValueError(f"predicts {predicts!r} is unknown; allowed: {', '.join(PREDICTIONS)}")
        return ResidualTokenRule(self, OfChange() if predicts == OfChange.name else OfFeatures())

    def candidates(self, teacher: nn.Module) -> dict[str, nn.Module | None]:
        """The residual tokenizer; the uncompressed candidate is the teacher again."""
        return {UNCOMPRESSED: None, COMPRESSED: _tokenizer(teacher) if self.residual else None}


def _tokenizer(network: nn.Module) -> nn.Linear:
    """A linear layer from the network's output to a token, on its device and of its type."""
    form, weight = vit_form(network), next(network.parameters())
    like: dict[str, Any] = {"device": weight.device, "dtype": weight.dtype}
    return nn.Linear(output_length(network, form), form.width, **like)
