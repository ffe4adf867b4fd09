"""Runs a checkpoint on clips of 3DMEAD: the deterministic take, and random ones.

Every clip is one window, as in training: statistics over time are those of the whole clip.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ....errors import LSFError
from ....files.audio import load_16k
from ....model import LSF
from ....model.motion_prior import take_noise
from ..mead3d import MAX_VALUE, Mead3DClip


@dataclass(frozen=True)
class Predictions:
    """Predictions of a clip. F frames: as many as both the sound and the true motion have.

    Attributes:
        samples: (n, F, 53) random takes.
        deterministic: (F, 53) the take of the nearest codes.
        average_identity: (F, 53) the same, of a network that is told the average face instead of the subject's.
    """

    samples: Tensor
    deterministic: Tensor
    average_identity: Tensor


class Predictor:
    """A checkpoint with the settings of its takes."""

    def __init__(self, model: LSF, samples: int, temperature: float, seed: int):
        """Keep the settings.

        Args:
            model: A model of FLAME motion, in inference mode, on its device.
            samples: Number of random takes of a clip.
            temperature: Of their codes.
            seed: Selects the takes.
        """
        self.model, self.samples, self.temperature, self.seed = model, samples, temperature, seed

    @torch.inference_mode()
    def predict(self, clip: Mead3DClip) -> Predictions:
        """Predict a clip.

        Raises:
            LSFError: "long_audio" if the clip does not fit in one window, "bad_checkpoint" if the motion is not
                finite, or has values that the reader of 3DMEAD refuses.
        """
        model, device = self.model, self.model.motion_mean.device
        audio = torch.from_numpy(load_16k(clip.audio)).to(device)
        frames = model.frame_count(len(audio))
        if frames > model.max_frames:
            raise LSFError(
                "long_audio",
                f'"{clip.name}" lasts {frames / model.config.fps:.0f} s, and the network takes '
                f"{model.max_frames / model.config.fps:.0f} s at once: cut the clip.",
            )
        motion, emotion = model.encode_audio(audio)
        stacked = model.stack_motion(motion[None])
        identity = torch.from_numpy(clip.shape()[: model.config.identity_size]).to(device)[None]
        own, average = (
            model.predict(stacked, emotion[None], coefficients)
            for coefficients in (identity, torch.zeros_like(identity))
        )
        shared = min(frames, clip.frames)

        def decoded(z: Tensor, seed: int | None = None) -> Tensor:
            if seed is None:
                return model.decode(z).motion[0, :shared]
            noise = take_noise(model.config, seed, 0, frames).to(device)
            return model.decode(z, None, self.temperature, noise).motion[0, :shared]

        # Other seeds give other takes: with seed + number, those of seeds 0 and 1 would share all but one.
        samples = [decoded(own, (self.seed << 32) + number) for number in range(self.samples)]
        deterministic, average_identity = decoded(own), decoded(average)
        if not all(take.isfinite().all() for take in (*samples, deterministic, average_identity)):
            raise LSFError("bad_checkpoint", f'The motion of "{clip.name}" has values that are no numbers.')
        largest = max(float(take.abs().max()) for take in (*samples, deterministic, average_identity))
        if largest > MAX_VALUE:
            raise LSFError(
                "bad_checkpoint",
                f'The motion of "{clip.name}" has the value {largest:.3g}, and no face has one above {MAX_VALUE:g}: '
                "this network has learned nothing, or its weights are damaged.",
            )
        return Predictions(
            samples=torch.stack(samples) if samples else own.new_zeros(0, shared, len(model.config.channels)),
            deterministic=deterministic,
            average_identity=average_identity,
        )
