"""The FLAME layer: coefficients and rotations to vertices.

Formulas: Li et al. 2017, section 3 (see the package), and Loper et al., "SMPL: a skinned multi-person linear model",
2015, section 3, whose definition FLAME uses. Units are metres and radians; axes are FLAME's own: Y up, facing +Z, +X is
the character's left. A rotation is an axis-angle vector (3,). Shapes: B poses, V vertices.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import LSFError
from .reader import EXPRESSION, PARENTS, SHAPE, FlameArrays, read_flame

NECK = 1  # the first joint whose rotation has pose correctives
SMALL_ANGLE = 1e-2  # squared radians: below, a series is exact to 1e-13, where the quotients would lose digits


def rotation_matrices(rotation: Tensor) -> Tensor:
    """Turn axis-angle vectors (..., 3) into matrices (..., 3, 3), by Rodrigues' formula.

    R = I + sin θ / θ · K + (1 − cos θ) / θ² · K², where K is the cross product with the vector and θ its length. Both
    quotients are functions of θ² that are smooth at 0, so the gradient at 0 is right and finite.
    """
    squared = (rotation * rotation).sum(-1)
    is_small = squared < SMALL_ANGLE
    # The branch that is not used must have a finite gradient, too, or the product with 0 is not a number.
    safe = torch.where(is_small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    small = torch.where(is_small, squared, torch.zeros_like(squared))
    sine = torch.where(is_small, _series(small, (1, 6, 120, 5040, 362880)), angle.sin() / angle)
    cosine = torch.where(is_small, _series(small, (2, 24, 720, 40320, 3628800)), (1 - angle.cos()) / safe)
    x, y, z = rotation.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*rotation.shape[:-1], 3, 3)
    identity = torch.eye(3, dtype=rotation.dtype, device=rotation.device)
    return identity + sine[..., None, None] * cross + cosine[..., None, None] * (cross @ cross)


def _series(squared: Tensor, divisors: Sequence[int]) -> Tensor:
    """Return the alternating power series Σ (−x)ⁿ / divisors[n]."""
    total = torch.zeros_like(squared)
    for divisor in reversed(divisors):
        total = 1 / divisor - squared * total
    return total


class Flame(nn.Module):
    """The model: linear shapes, pose correctives and linear blend skinning over five joints. It has no parameters.

    Attributes:
        template: Vertices of the mean head at rest (V, 3).
        faces: Triangles (T, 3), int64.
        shape_directions: Offsets (300, V, 3) of one standard deviation of each shape.
        expression_directions: Offsets (100, V, 3) of one standard deviation of each expression.
        pose_directions: Offsets (36, V, 3) of the entries of R − I, row by row, of neck, jaw, left and right eye.
        joint_regressor: Weights (5, V) of the vertices whose sum is a joint.
        skinning: Share (V, 5) of each joint in a vertex.
    """

    template: Tensor
    faces: Tensor
    shape_directions: Tensor
    expression_directions: Tensor
    pose_directions: Tensor
    joint_regressor: Tensor
    skinning: Tensor

    def __init__(self, arrays: FlameArrays):
        super().__init__()
        directions = torch.as_tensor(arrays.shape_directions).permute(2, 0, 1)
        buffers = {
            "template": torch.as_tensor(arrays.template),
            "faces": torch.as_tensor(arrays.faces),
            "shape_directions": directions[:SHAPE].contiguous(),
            "expression_directions": directions[SHAPE:].contiguous(),
            "pose_directions": torch.as_tensor(arrays.pose_directions).permute(2, 0, 1).contiguous(),
            "joint_regressor": torch.as_tensor(arrays.joint_regressor),
            "skinning": torch.as_tensor(arrays.skinning),
        }
        for name, values in buffers.items():
            self.register_buffer(name, values, persistent=False)

    def vertices(
        self,
        shape: Tensor,
        expression: Tensor,
        jaw: Tensor,
        neck: Tensor | None = None,
        eyes: Tensor | None = None,
        turn: Tensor | None = None,
    ) -> Tensor:
        """Return the vertices (B, V, 3) of B poses, each of which depends on its own row alone.

        Args:
            shape: Coefficients (B, S), the first S ≤ 300 of them, or one row (1, S) for all poses.
            expression: Coefficients (B, E), the first E ≤ 100.
            jaw: Rotation of the jaw (B, 3); about +X it opens.
            neck: Rotation of the head on the neck (B, 3); none by default.
            eyes: Rotations of the left and the right eye (B, 6) or (B, 2, 3); none by default.
            turn: Rotation of all about the first joint (B, 3); none by default.

        Raises:
            LSFError: "bad_flame" if the shapes do not fit.
        """
        still = torch.zeros_like(jaw)
        parts = [
            still if turn is None else turn,
            still if neck is None else neck,
            jaw,
            torch.cat([still, still], 1) if eyes is None else eyes.flatten(1),
        ]
        count = self._check(shape, expression, parts)
        rotation = rotation_matrices(torch.cat(parts, 1).reshape(count, len(PARENTS), 3))
        person = self.template + _combine(shape, self.shape_directions)  # (B or 1, V, 3)
        joints = torch.einsum("jv,bvc->bjc", self.joint_regressor, person).expand(count, -1, -1)
        entries = (rotation[:, NECK:] - torch.eye(3, dtype=rotation.dtype, device=rotation.device)).flatten(1)
        unposed = person + _combine(expression, self.expression_directions) + _combine(entries, self.pose_directions)
        return self._skin(unposed, rotation, joints)

    def _check(self, shape: Tensor, expression: Tensor, rotations: Sequence[Tensor]) -> int:
        """Refuse coefficients and rotations whose shapes do not fit each other. Return the number of poses."""
        count = len(expression)
        if not (
            shape.ndim == expression.ndim == 2
            and shape.shape[1] <= SHAPE
            and expression.shape[1] <= EXPRESSION
            and shape.shape[0] in (1, count)
            and [tuple(rotation.shape) for rotation in rotations] == [(count, 3), (count, 3), (count, 3), (count, 6)]
        ):
            raise LSFError(
                "bad_flame",
                f"FLAME takes shapes (B, ≤{SHAPE}), expressions (B, ≤{EXPRESSION}) and rotations (B, 3), of both eyes "
                f"(B, 6), not {tuple(shape.shape)}, {tuple(expression.shape)}, {[tuple(r.shape) for r in rotations]}.",
            )
        return count

    def _skin(self, unposed: Tensor, rotation: Tensor, joints: Tensor) -> Tensor:
        """Pose vertices (B, V, 3) by linear blend skinning, with rotations (B, 5, 3, 3) about joints (B, 5, 3).

        A joint's transform is x → R x + t in the whole model's frame. It is its parent's after the rotation about the
        joint at rest: R = Rₚ Rⱼ and t = Rₚ (j − Rⱼ j) + tₚ.
        """
        turns: list[Tensor] = []
        moves: list[Tensor] = []
        posed = torch.zeros_like(unposed)
        for joint, parent in enumerate(PARENTS):
            own, place = rotation[:, joint], joints[:, joint, :, None]
            shift = place - own @ place  # (B, 3, 1)
            turns.append(own if parent < 0 else turns[parent] @ own)
            moves.append(shift if parent < 0 else turns[parent] @ shift + moves[parent])
            moved = unposed @ turns[joint].mT + moves[joint].mT
            posed = posed + self.skinning[:, joint, None] * moved
        return posed


def _combine(coefficients: Tensor, directions: Tensor) -> Tensor:
    """Return Σₖ coefficients (B, K) · the first K directions (≥ K, V, 3), as (B, V, 3)."""
    used = directions[: coefficients.shape[1]]
    return (coefficients @ used.flatten(1)).reshape(len(coefficients), *directions.shape[1:])


def load_flame(path: Path) -> Flame:
    """Read a FLAME file into a layer.

    Args:
        path: A .npz or .pkl file of FLAME 2020 or 2023.

    Raises:
        LSFError: "no_file" or "bad_flame".
    """
    return Flame(read_flame(path))
