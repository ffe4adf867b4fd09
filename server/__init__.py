"""LSF inference server: speech and a neutral mesh in, blendshape curves and a basis on that mesh out.

Runs in its own process and its own Python; never imports bpy. Importing this package loads neither torch nor scipy.
"""

__version__ = "0.1.0"
