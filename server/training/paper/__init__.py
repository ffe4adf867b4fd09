"""The paper's system on its own data: 3DMEAD, FLAME and the published encoders. docs/paper.md explains it."""

from .hub import backbone_source

__all__ = ["backbone_source"]
