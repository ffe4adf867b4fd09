"""Parts of the transfer of shapes."""

import numpy as np

from server.face.geometry import fit_similarity
from server.face.head import load_head
from server.face.shape_transfer import _Anchors, _local_frames


def test_local_frames_are_those_of_single_similarities():
    head = load_head()
    fitted = 1.1 * head.with_identity(np.random.default_rng(6).normal(size=50)).astype(float)
    anchors = _Anchors.of(head)
    frames = _local_frames(anchors, head.vertices.astype(float), fitted)
    for row in (0, len(frames) // 2, len(frames) - 1):
        weight = anchors.near[row].toarray().ravel()
        single = fit_similarity(head.vertices.astype(float), fitted, weight)
        np.testing.assert_allclose(frames[row], single.scale * single.rotation, atol=1e-9)
