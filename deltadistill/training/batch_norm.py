"""Batch norm whose statistics are those of the whole batch, where several processes share it."""

import torch
from torch import Tensor, nn

from deltadistill.forward.half_precision import in_single_precision
from deltadistill.processes.group import Group


def synchronised_batch_norm(network: nn.Module, group: Group) -> nn.Module:
    """Return the network with batch norm over all processes, its own tensors kept; alone, as it is.

    On GPUs PyTorch's, which does not run on processors; there SharedBatchNorm2d.
    """
    if group.size == 1:
        return network
    if group.device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return _replaced(network, group)


def _replaced(module: nn.Module, group: Group) -> nn.Module:
    if isinstance(module, nn.BatchNorm2d):
        return SharedBatchNorm2d.like(module, group)
    for name, child in module.named_children():
        setattr(module, name, _replaced(child, group))
    return module


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that normalises, in training, by mean and variance over the maps of all processes."""

    group: Group

    @classmethod
    def like(cls, original: nn.BatchNorm2d, group: Group) -> "SharedBatchNorm2d":
        """Make one that shares the original's parameters, buffers and settings."""
        made = cls(
            original.num_features,
            eps=original.eps,
            momentum=original.momentum,
            affine=original.affine,
            track_running_stats=original.track_running_stats,
        )
        made._parameters, made._buffers = original._parameters, original._buffers
        made.group, made.training = group, original.training
        return made

    def forward(self, x: Tensor) -> Tensor:
        """Normalise maps (N, C, H, W)."""
        if not self.training:
            return super().forward(x)
        given, x = x.dtype, in_single_precision(x)
        count = self.group.total(torch.tensor(float(x.numel() // x.shape[1]), dtype=torch.float64)).item()
        mean = self.group.differentiable_total(x.sum((0, 2, 3))) / count
        centred = x - mean[:, None, None]
        variance = self.group.differentiable_total(centred.square().sum((0, 2, 3))) / count
        self._note(mean.detach(), variance.detach() * count / max(count - 1, 1))
        normalised = centred * torch.rsqrt(variance + self.eps)[:, None, None]
        if self.affine:
            normalised = normalised * self.weight[:, None, None] + self.bias[:, None, None]
        return normalised.to(given)

    def _note(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as PyTorch's batch norm does."""
        if not self.track_running_stats:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)
