"""One process of several, started by tests: `python rank.py JOB RANK SIZE FOLDER`. Results are saved in FOLDER.

PYTHONPATH must lead to the package `server`.
"""

import json
import sys
from pathlib import Path

import torch
import torch.distributed
from toy import ToyClips, toy_trainer, train_both_stages, weights

from server.model import LSFConfig
from server.training.paper.distributed import current_group


def killed(folder, group):
    """Train a toy, saving every step. The second process waits for its end in the middle of a step, if asked to."""
    clips = ToyClips(11)
    reads = 0

    def on_read():
        nonlocal reads
        reads += 1
        if reads == 9:
            (folder / "waiting").touch()
            sys.stdin.read()

    if group.rank == 1 and (folder / "wait").exists():
        clips.on_read = on_read
    trainer = toy_trainer(folder, train=clips, group=group, save_seconds=0.0, epochs=3)
    trainer.run()
    return {"weights": weights(trainer.task)}


def paper(folder, group):
    """Train both stages of the paper's configuration."""
    return train_both_stages(folder, LSFConfig.paper(), group)


def released(folder, group):
    """Train both stages of the released configuration."""
    return train_both_stages(folder, LSFConfig.released(), group, accumulate=2)


JOBS = {job.__name__: job for job in (killed, paper, released)}


def main():
    job, rank, size, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store_{json.dumps(size)}", rank=rank, world_size=size
    )
    result = JOBS[job](folder, current_group())
    if rank == 0:
        torch.save(result, folder / "result.pt")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
