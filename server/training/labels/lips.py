"""The lips of the moving mesh: inner-lip aperture and mouth width as functions of the curves, and their inverse.

What an artist sees is not a curve but lips on a head, so that is what is trained on and measured: the distance of the
inner-lip points 62-66 and of the mouth corners 48-54 of the 68 landmarks on the project's neutral head.

`retarget` is the inverse: it moves tracked curves as little as needed, so that the lips of the mesh do what the lips
of the tracked person did. The tracker's weights alone do not (its mouthClose hardly moves; lips would stay open).
"""

import numpy as np
import torch
from torch import Tensor

from ... import arkit
from ...face.head import load_head

CHANNELS = arkit.CHANNELS
POINTS = (62, 66, 48, 54)
WIDTHS = (36, 45, 48, 54)  # outer corners of the eyes, corners of the mouth
REACH = 0.8, 1.25  # limits of Lips.reach
# How far `retarget` may move a channel (in weight): mostly the jaw and the channels that open, close and narrow.
FREEDOM = {
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
    """Aperture and width of a head, in metres, from ARKit curves; differentiable.

    points: (4, 3) neutral positions of landmarks 62, 66, 48, 54; basis: (52, 4, 3) their offsets per channel; corners:
    (4, 3) of WIDTHS; modes: (50, 4, 3) what identities add to these.
    """

    def __init__(self, points: Tensor, basis: Tensor, corners: Tensor, modes: Tensor):
        super().__init__()
        self.register_buffer("corners", corners.float())
        self.register_buffer("modes", modes.float())
        self.register_buffer("points", points.float())
        self.register_buffer("basis", basis.float())

    def forward(self, curves: Tensor) -> Tensor:
        """(..., 52) weights -> (..., 2) aperture and width."""
        moved = self.points + torch.einsum("...k,kpc->...pc", curves, self.basis)
        gaps = torch.stack([moved[..., 0, :] - moved[..., 1, :], moved[..., 2, :] - moved[..., 3, :]], -2)
        return (gaps.square().sum(-1) + 1e-10).sqrt()

    def reach(self, identity: Tensor) -> Tensor:
        """How much larger weights (B,) must be on faces with these identity coefficients (B, 50) than on the average
        one, for the mouth to open as far in eye distances: shapes are carried over at the mouth's own scale.
        """
        moved = self.corners + torch.einsum("bi,ipc->bpc", identity, self.modes)
        eyes, mouth = ((moved[:, i] - moved[:, i + 1]).norm(dim=-1) for i in (0, 2))
        average = (self.corners[0] - self.corners[1]).norm() / (self.corners[2] - self.corners[3]).norm()
        return (eyes / mouth / average).clamp(*REACH)

    @property
    def neutral(self) -> Tensor:
        """(2,) aperture and width at rest."""
        return self(self.points.new_zeros(len(CHANNELS)))


def of_head() -> Lips:
    """The lips of the project's own neutral head."""
    head = load_head()
    vertices, wide = (head.landmark_vertices[list(points)] for points in (POINTS, WIDTHS))
    return Lips(
        *map(
            torch.tensor,
            (head.vertices[vertices], head.basis[:, vertices], head.vertices[wide], head.identity_modes[:, wide]),
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
    """Curves closest to `curves` whose mesh has the wanted lips.

    curves (F, 52), aperture (F,) and width (F,) in metres on this head; tolerance: standard deviations of both.
    Distances are weighed by FREEDOM; channels not named there stay. Weights stay in 0..1.
    """
    freedom = torch.tensor([FREEDOM.get(c.removesuffix("Left").removesuffix("Right"), 0.0) for c in CHANNELS])
    moving = freedom > 0
    scaled = torch.zeros_like(curves[:, moving]).requires_grad_()  # the change, in units of its freedom
    optimizer = torch.optim.Adam([scaled], lr=0.05)

    def solved():
        return curves.index_add(1, moving.nonzero()[:, 0], scaled * freedom[moving]).clamp(0, 1)

    for _ in range(steps):
        got = lips(solved())
        loss = scaled.square().sum() + ((got[:, 0] - aperture) / tolerance[0]).square().sum()
        if width is not None:
            loss = loss + ((got[:, 1] - width) / tolerance[1]).square().sum()
        # The clamp has no gradient outside 0..1: a small pull brings such weights back in range.
        outside = curves[:, moving] + scaled * freedom[moving]
        loss = loss + 1e2 * ((outside.clamp(0, 1) - outside) / freedom[moving]).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return solved().detach()


def wanted(lips: Lips, tracked: np.ndarray, rest_width: float) -> tuple[Tensor, Tensor]:
    """Tracked (F, 2) aperture and width, in eye distances -> the same on this head in metres.

    Lips that touch on the person rest on the head at its neutral aperture's height or below: the tracked distance is
    between the rims of the lips and hardly ever 0 when they meet.
    """
    eye_distance = 0.0892  # outer corners, metres, on the canonical head
    aperture = torch.from_numpy(tracked[:, 0]).float() * eye_distance
    width = torch.from_numpy(tracked[:, 1]).float() * (lips.neutral[1] / rest_width)
    return (aperture + 0.3 * lips.neutral[0]).clamp(min=0.0), width
