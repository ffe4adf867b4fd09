"""Computes the frozen features of the paper's encoders for all clips of 3DMEAD, before training.

    python -m server.training.cache_features --data DATA --features CACHE --config paper --hubert ID --emotion ID

`train_paper --features CACHE` then finds them there. It would compute them itself; this command is for a machine that
shall do only that, and tells what space they take. Several may run at once, and one that was stopped continues.
"""

import argparse
import sys
from pathlib import Path

import torch

from ..errors import explain
from ..model import LSF
from ..model.waveform import WaveformBackbone
from .paper import mead3d
from .paper.distributed import own_device
from .paper.features import FeatureCache
from .paper.published import load_backbone
from .train_paper import check_backbones, read_config


def main(arguments: list[str] | None = None) -> int:
    """Fill the cache and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of 3DMEAD")
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="folder of the cache")
    parser.add_argument("--config", default="paper", metavar="NAME", help="paper (default), released, or a config.json")
    parser.add_argument("--hubert", required=True, metavar="ID_OR_PATH", help="motion backbone")
    parser.add_argument("--emotion", required=True, metavar="ID_OR_PATH", help="emotion backbone")
    parser.add_argument("--device", default="auto", help="auto (default: CUDA if there is a GPU), cpu, cuda, cuda:1")
    args = parser.parse_args(arguments)
    try:
        config, device = read_config(args.config), own_device(args.device)
        clips = mead3d.read(args.data, check_values=False)
        paths = check_backbones(args, config)
        model = LSF(config)
        for backbone, path in zip((model.motion_backbone, model.emotion_backbone), paths, strict=True):
            if path is not None and isinstance(backbone, WaveformBackbone):
                load_backbone(backbone, path)
                backbone.to(device)
        with torch.inference_mode():
            FeatureCache(args.features, model.eval()).fill(clips, lambda line: print(line, flush=True))
    except Exception as error:
        print(explain(error)[1], file=sys.stderr, flush=True)
        return 1
    print(f"The features of {len(clips)} clips are in {args.features}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
