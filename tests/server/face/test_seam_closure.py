"""Seam closure on the canonical head."""

import numpy as np

from server.arkit import CHANNELS
from server.face.head import HeadRegion, load_head
from server.face.seam_closure import close_all_seams, seam_vertices


def test_lids_meet_and_overlap_by_the_given_distance():
    head, vertices = load_head(), load_head().vertices.astype(float)
    seams = seam_vertices(head)
    for overlap, gap in ((0.0, 0.0), (0.001, -0.001)):
        shapes = close_all_seams(
            vertices, head.faces, head.basis.astype(float), seams, head.region == HeadRegion.MOUTH_BAG, overlap
        )
        closed = vertices + shapes[CHANNELS.index("eyeBlinkLeft")]
        upper, lower = (closed[seams[f"{lid}_lid_left"]][:, 2].mean() for lid in ("upper", "lower"))
        np.testing.assert_allclose(upper - lower, gap, atol=3e-4)
