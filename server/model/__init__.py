"""LSF-Animation (arXiv 2510.21864), written from the paper's description; docs/architecture.md shows its place."""

from .config import BackboneConfig, LSFConfig
from .inference import SpeechResult, emotion_changes, synthesize
from .lsf import LSF, Output

__all__ = ["LSF", "BackboneConfig", "LSFConfig", "Output", "SpeechResult", "emotion_changes", "synthesize"]
