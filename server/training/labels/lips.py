"""The lips of the moving mesh: inner-lip aperture and mouth width as functions of the curves, and their inverse.

An artist sees the lips of a head, not curves, so training and evaluation measure the lips: the distance between the
inner-lip points 62 and 66 and between the mouth corners 48 and 54 of the 68 landmarks on the project's neutral head.

`retarget` is the inverse. It changes tracked curves as little as possible so that the lips of the mesh match those of
the tracked person. The tracker's weights alone leave the lips open, because its mouthClose hardly moves.
"""

import torch
from torch import Tensor

from ... import arkit
from ...face.head import load_head
from ...numerics import FloatArray

CHANNELS = arkit.CHANNELS
LIP_LANDMARKS = (62, 66, 48, 54)  # middle of the upper and lower inner lip, right and left corner of the mouth
WIDTH_LANDMARKS = (36, 45, 48, 54)  # outer corners of the eyes, corners of the mouth
EYE_DISTANCE = 0.0892  # metres between the outer corners of the eyes on the project's head
CLOSED_APERTURE_SHARE = 0.3  # of the neutral head's aperture (0.08 mm): the aperture of lips that meet, in labels
IDENTITY_GAIN_LIMITS = 0.8, 1.25  # of the factor on the weights
# Standard deviation of the change that `retarget` may make to a channel's weight. The values favour the channels that
# open, close and narrow the mouth.
RETARGET_STD = {
    "jawOpen": 0.06,
    "mouthClose": 0.05,
    "mouthFunnel": 0.08,
    "mouthPucker": 0.15,
    "mouthLowerDown": 0.08,
    "mouthUpperUp": 0.05,
    "mouthStretch": 0.12,
    "mouthSmile": 0.05,
    "mouthPress": 0.12,
    "mouthRollLower": 0.03,
    "mouthRollUpper": 0.03,
    "mouthShrugLower": 0.05,
    "mouthDimple": 0.05,
}


class Lips(torch.nn.Module):
    """Aperture and mouth width of a head, in metres, from ARKit curves; differentiable."""

    points: Tensor
    basis: Tensor
    corners: Tensor
    modes: Tensor

    def __init__(self, points: Tensor, basis: Tensor, corners: Tensor, modes: Tensor):
        """Keep the geometry of a head.

        Args:
            points: (4, 3) neutral positions of LIP_LANDMARKS in metres.
            basis: (52, 4, 3) offsets of these points at weight 1 of each channel.
            corners: (4, 3) neutral positions of WIDTH_LANDMARKS.
            modes: (50, 4, 3) offsets of the corners at coefficient 1 of each identity mode.
        """
        super().__init__()
        self.register_buffer("corners", corners.float())
        self.register_buffer("modes", modes.float())
        self.register_buffer("points", points.float())
        self.register_buffer("basis", basis.float())

    def forward(self, curves: Tensor) -> Tensor:
        """Return aperture and width (..., 2) in metres of curves (..., 52)."""
        moved = self.points + torch.einsum("...k,kpc->...pc", curves, self.basis)
        gaps = torch.stack([moved[..., 0, :] - moved[..., 1, :], moved[..., 2, :] - moved[..., 3, :]], -2)
        return (gaps.square().sum(-1) + 1e-10).sqrt()

    def identity_gain(self, identity: Tensor) -> Tensor:
        """Return the factor on the weights for which a face's mouth opens as far as the average one, in eye distances.

        Shapes are transferred to a face at the scale of its mouth, so the same weights open a small mouth between
        distant eyes less.

        Args:
            identity: (B, 50) identity coefficients.

        Returns:
            (B,) factors within IDENTITY_GAIN_LIMITS.
        """
        moved = self.corners + torch.einsum("bi,ipc->bpc", identity, self.modes)
        eyes, mouth = ((moved[:, i] - moved[:, i + 1]).norm(dim=-1) for i in (0, 2))
        average = (self.corners[0] - self.corners[1]).norm() / (self.corners[2] - self.corners[3]).norm()
        gain: Tensor = (eyes / mouth / average).clamp(*IDENTITY_GAIN_LIMITS)
        return gain

    @property
    def neutral(self) -> Tensor:
        """Aperture and width (2,) of the neutral head in metres."""
        lips: Tensor = self(self.points.new_zeros(len(CHANNELS)))
        return lips


def load_lips() -> Lips:
    """Return the lips of the project's own neutral head."""
    head = load_head()
    lips, corners = (head.landmark_vertices[list(points)] for points in (LIP_LANDMARKS, WIDTH_LANDMARKS))
    return Lips(
        *map(
            torch.tensor,
            (head.vertices[lips], head.basis[:, lips], head.vertices[corners], head.identity_modes[:, corners]),
        )
    )


def retarget(
    lips: Lips,
    curves: Tensor,
    aperture: Tensor,
    width: Tensor | None = None,
    steps: int = 300,
    tolerance: tuple[float, float] = (0.0004, 0.0008),
) -> Tensor:
    """Return the curves closest to `curves` for which the mesh has the given lips.

    A maximum a posteriori estimate with Gaussian priors: RETARGET_STD for the channels (those not named there do not
    change) and `tolerance` for the lips, found by gradient descent.

    Args:
        lips: The head.
        curves: (F, 52) weights to start from.
        aperture: (F,) wanted inner-lip aperture on this head in metres.
        width: (F,) wanted mouth width in metres; None leaves it free.
        steps: Steps of Adam.
        tolerance: Standard deviations of aperture and width in metres.

    Returns:
        (F, 52) weights, 0 to 1.
    """
    std = torch.tensor([RETARGET_STD.get(arkit.base_name(c), 0.0) for c in CHANNELS])
    free = std > 0
    change = torch.zeros_like(curves[:, free]).requires_grad_()  # in standard deviations
    optimizer = torch.optim.Adam([change], lr=0.05)

    def solution() -> Tensor:
        return curves.index_add(1, free.nonzero()[:, 0], change * std[free]).clamp(0, 1)

    for _ in range(steps):
        reached = lips(solution())
        loss = change.square().sum() + ((reached[:, 0] - aperture) / tolerance[0]).square().sum()
        if width is not None:
            loss = loss + ((reached[:, 1] - width) / tolerance[1]).square().sum()
        # The clamp has no gradient outside 0..1: a penalty brings such weights back into the range.
        unclamped = curves[:, free] + change * std[free]
        loss = loss + 1e2 * ((unclamped.clamp(0, 1) - unclamped) / std[free]).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return solution().detach()


def scale_to_head(lips: Lips, tracked: FloatArray, rest_width: float) -> tuple[Tensor, Tensor]:
    """Convert tracked lips to the project's head.

    Args:
        lips: The head.
        tracked: (F, 2) aperture and width in eye distances of the tracked person.
        rest_width: Width of the tracked person's closed mouth in eye distances.

    Returns:
        Aperture (F,) and width (F,) in metres. The aperture of closed lips on the head is added to the tracked one.
    """
    aperture = torch.from_numpy(tracked[:, 0]).float() * EYE_DISTANCE
    width = torch.from_numpy(tracked[:, 1]).float() * (lips.neutral[1] / rest_width)
    return (aperture + CLOSED_APERTURE_SHARE * lips.neutral[0]).clamp(min=0.0), width
