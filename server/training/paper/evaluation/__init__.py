"""Evaluation on 3DMEAD, in FLAME's vertices: the released definitions beside variants that tell more.

`regions` reads the vertices of the lips and of the upper face, `distances` measures a clip, `predictions` runs the
network, `summary` pools clips and people, `table` prints. The command is `server.training.evaluate_paper`.
"""
