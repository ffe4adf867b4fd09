"""The paper's losses of both training stages; a weight per channel makes them apply to any motion space.

B clips, F frames, K channels. Every term is a plain mean over valid frames (`mask` (B, F)), whatever their clip. So the
losses of parts of a batch, each weighted by its share of the valid frames, add up to the loss of the whole batch.
"""

import torch
from torch import Tensor

from .config import LSFConfig, is_jaw
from .lsf import LSF, Output

# Weights of the terms in LSF-Animation (arXiv 2510.21864).
PRIOR_QUANTISATION, PRIOR_EXPRESSION, PRIOR_JAW = 1.5, 0.5, 0.1
PREDICTOR_EXPRESSION, PREDICTOR_JAW = 0.15, 0.1


def channel_weights(config: LSFConfig, expression: float, jaw: float) -> Tensor:
    """Distribute the weights of two groups over their channels.

    Args:
        config: The configuration. ARKit's channels are all expression: its jaw carries the lips.
        expression: Weight of the mean L1 distance of the expression channels.
        jaw: Weight of the mean L1 distance of the jaw channels.

    Returns:
        (K,) such that Σ_k weight · L1_k is expression · L1(expression) + jaw · L1(jaw).
    """
    jaws = torch.tensor([config.motion_space == "flame" and is_jaw(name) for name in config.channels])
    weight = torch.where(jaws, jaw / max(1, int(jaws.sum())), expression / max(1, int((~jaws).sum())))
    return weight.float()


def frame_mean(x: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean (C,) over the valid frames of x (B, F, C)."""
    return (x if mask is None else x[mask]).reshape(-1, x.shape[-1]).mean(0)


def prior_loss(
    model: LSF, motion: Tensor, mask: Tensor | None = None, weight: Tensor | None = None
) -> dict[str, Tensor]:
    """Compute the loss of the first stage, 1.5 · quantisation + 0.5 · L1(expression) + 0.1 · L1(jaw).

    Distances are of standardised channels. The codebooks learn from the call while the model is in training mode.

    Args:
        model: The model.
        motion: (B, F, K) in the channels' own units.
        mask: (B, F) true on valid frames.
        weight: (K,) weights of the channels; None are those of the paper.

    Returns:
        "loss", and its parts "motion" and "quantisation", () each.
    """
    target = model.standardise(motion)
    decoded, quantised = model.prior(target, mask)
    if weight is None:
        weight = channel_weights(model.config, PRIOR_EXPRESSION, PRIOR_JAW).to(motion.device)
    motion_loss = (weight * frame_mean((decoded - target).abs(), mask)).sum()
    total = PRIOR_QUANTISATION * quantised.loss + motion_loss
    return {"loss": total, "motion": motion_loss, "quantisation": quantised.loss}


def predictor_loss(
    model: LSF, output: Output, motion: Tensor, mask: Tensor | None = None, weight: Tensor | None = None
) -> dict[str, Tensor]:
    """Compute the loss of the second stage, L1(codes) + 0.15 · L1(expression) + 0.1 · L1(jaw).

    The codes of prediction and truth are compared as vectors, and their gradient passes straight through to z: the
    latent is regressed, codes are not classified. Freeze the prior first: `model.prior.requires_grad_(False)`, and
    after each `model.train()` `model.prior.eval()`.

    Args:
        model: The model.
        output: What the model predicts.
        motion: (B, F, K) the truth in the channels' own units.
        mask: (B, F) true on valid frames.
        weight: (K,) weights of the channels; None are those of the paper.

    Returns:
        "loss", and its parts "codes" and "motion", () each.
    """
    target = model.standardise(motion)
    quantiser = model.prior.quantiser
    with torch.no_grad():
        truth = quantiser.vectors(quantiser(model.prior.encode(target, mask), mask).codes, mask)
    # Not `quantised.latent`, which is z + (vectors − z): by its rounding, a right code has a tiny error of either sign,
    # and the gradient of an L1 distance does not tell it from a wrong one.
    predicted = quantiser.vectors(output.quantised.codes, mask) + (output.z - output.z.detach())
    if weight is None:
        weight = channel_weights(model.config, PREDICTOR_EXPRESSION, PREDICTOR_JAW).to(motion.device)
    codes = frame_mean((predicted - truth).abs(), mask).mean()
    motion_loss = (weight * frame_mean((output.standardised - target).abs(), mask)).sum()
    return {"loss": codes + motion_loss, "codes": codes, "motion": motion_loss}
