"""FLAME, the head model of the paper's data: its layer, the reader of its files, and its shapes on this project's head.

T. Li, T. Bolkart, M. J. Black, H. Li and J. Romero, "Learning a model of facial shape and expression from 4D scans",
ACM Transactions on Graphics 36(6), 2017. The files themselves are not part of this project: they are under a licence
for research. Nothing here is imported when the model that ships is loaded.
"""

from .layer import Flame, load_flame

__all__ = ["Flame", "load_flame"]
