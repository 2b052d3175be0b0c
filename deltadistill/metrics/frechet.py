"""Fréchet distance of two sets of features, each taken for normal (FID, Heusel et al., NeurIPS 2017)."""

import numpy as np


def frechet_distance(made: np.ndarray, real: np.ndarray) -> float:
    """‖μ − μ′‖² + tr(Σ + Σ′ − 2 (ΣΣ′)^½) of features (N, D) and (M, D); 0 for equal means and covariances.

    Its expectation falls with the number of features: compare distances of equally many alone.
    Raises ValueError for fewer than two features, or of another length.
    """
    if made.ndim != 2 or real.ndim != 2 or made.shape[1] != real.shape[1] or min(len(made), len(real)) < 2:
        raise ValueError(
            f"features are {made.shape} and {real.shape}; expected at least two each, (N, D) and (M, D)"
        )
    (mean, root), (other_mean, other_root) = (
        _moments(features.astype(np.float64)) for features in (made, real)
    )
    spread = (
        np.square(root).sum() + np.square(other_root).sum()
    )  # the roots are symmetric: traces of Σ and Σ′
    shared = np.linalg.svd(root @ other_root, compute_uv=False).sum()  # tr (ΣΣ′)^½
    return float(max(0.0, np.square(mean - other_mean).sum() + spread - 2 * shared))


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (D,) and the root of the covariance (D, D)."""
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(features, rowvar=False)))
    return features.mean(0), (vectors * np.sqrt(values.clip(0))) @ vectors.T
