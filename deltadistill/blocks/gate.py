"""The learned choice between two candidates: a binary Gumbel gate with straight-through gradient (§3.2)."""

import torch
from torch import nn


class Gate(nn.Module):
    """One logit per block; σ(logit) is the probability of the uncompressed candidate.

    The paper learns ψ ∈ R² behind a softmax; only the difference of the two matters, and that is the logit.
    """

    def __init__(self, *, initial_logit: float = 0.0, temperature: float = 2 / 3):
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature {temperature} must be above 0")
        self.logit = nn.Parameter(torch.tensor(float(initial_logit)))
        self.temperature = temperature

    @property
    def uncompressed_probability(self) -> torch.Tensor:
        """Probability of the uncompressed candidate, a scalar with gradient."""
        return torch.sigmoid(self.logit)

    @property
    def prefers_uncompressed(self) -> bool:
        """The likelier candidate."""
        return bool(self.logit > 0)

    def sample(self, uniform: float) -> torch.Tensor:
        """Draw 1 (uncompressed) or 0 (compressed), with the gradient of the relaxed sample.

        uniform: a number drawn evenly from (0, 1). log u − log(1 − u) is the difference of two Gumbel
        variables, so this is the Gumbel-softmax of two classes; forward is hard, backward is
        ∂σ((logit + noise)/τ)/∂logit.
        """
        if not 0 < uniform < 1:
            raise ValueError(f"uniform {uniform} must lie strictly between 0 and 1")
        u = torch.tensor(uniform, dtype=torch.float64)
        noise = (torch.log(u) - torch.log1p(-u)).to(self.logit)
        relaxed = torch.sigmoid((self.logit + noise) / self.temperature)
        hard = (relaxed > 0.5).to(relaxed)
        return hard + (relaxed - relaxed.detach())  # the bracket is exactly zero
