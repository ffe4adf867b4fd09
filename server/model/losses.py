"""The paper's losses for both stages, for any motion space by a weight per channel.

B clips, F frames, K channels. All L1 distances are means over own frames (`mask` (B, F)).
"""

import torch
from torch import Tensor

from .config import LSFConfig
from .lsf import LSF, Output


def channel_weights(config: LSFConfig, expression: float, jaw: float) -> Tensor:
    """(K,) such that Σ_k weight · L1_k is expression · L1(expression) + jaw · L1(jaw), each a mean over its channels.
    ARKit's channels are all expression: its jaw is what the lips ride on.
    """
    is_jaw = torch.tensor([config.motion_space == "flame" and name.startswith("jaw") for name in config.channels])
    weight = torch.where(is_jaw, jaw / max(1, int(is_jaw.sum())), expression / max(1, int((~is_jaw).sum())))
    return weight.float()


def frame_mean(x: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over own frames of x (B, F, C) -> (C,)"""
    return (x if mask is None else x[mask]).reshape(-1, x.shape[-1]).mean(0)


def prior_loss(
    model: LSF, motion: Tensor, mask: Tensor | None = None, weight: Tensor | None = None
) -> dict[str, Tensor]:
    """First stage, motion (B, F, K) in the channels' own units. The codebooks learn from it while training.

    Paper: 1.5 · quantisation + 0.5 · L1(expression) + 0.1 · L1(jaw), of standardised channels.
    """
    target = model.standardise(motion)
    decoded, quantised = model.prior(target, mask)
    if weight is None:
        weight = channel_weights(model.config, 0.5, 0.1).to(motion.device)
    motion_loss = (weight * frame_mean((decoded - target).abs(), mask)).sum()
    total = 1.5 * quantised.loss + motion_loss
    return {"loss": total, "motion": motion_loss, "quantisation": quantised.loss}


def predictor_loss(
    model: LSF, output: Output, motion: Tensor, mask: Tensor | None = None, weight: Tensor | None = None
) -> dict[str, Tensor]:
    """Second stage: `output` of the model against motion (B, F, K) in the channels' own units. Freeze the prior first:
    `model.prior.requires_grad_(False)`, and after each `model.train()` `model.prior.eval()`.

    Paper: L1(codes of the prediction, codes of the truth) + 0.15 · L1(expression) + 0.1 · L1(jaw). The codes are
    compared as vectors and their gradient passes straight through to z: the latent is regressed, no code classified.
    """
    target = model.standardise(motion)
    with torch.no_grad():
        truth = model.prior.quantiser(model.prior.encode(target, mask), mask).latent
    if weight is None:
        weight = channel_weights(model.config, 0.15, 0.1).to(motion.device)
    codes = frame_mean((output.quantised.latent - truth).abs(), mask).mean()
    motion_loss = (weight * frame_mean((output.standardised - target).abs(), mask)).sum()
    return {"loss": codes + motion_loss, "codes": codes, "motion": motion_loss}
