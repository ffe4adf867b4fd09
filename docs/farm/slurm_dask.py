"""A batch of lines on Slurm by dask-jobqueue, whose workers come and go: pip install dask-jobqueue distributed.

    PYTHONPATH=. python docs/farm/slurm_dask.py 32 /show/lines.csv --out /show/faces_out

LSF, PBS, SGE and others have classes of their own in dask_jobqueue. Not run yet: there was no cluster. Whoever reaches
the scheduler's port runs code as you: give Dask keys of TLS (docs/security.md) unless nobody else is in the network.
"""

import subprocess
import sys
from pathlib import Path

from dask_jobqueue import SLURMCluster

workers, *arguments = sys.argv[1:]
with SLURMCluster(
    cores=1,  # lines at a time
    processes=1,
    memory="2GB",
    walltime="2:00:00",
    job_cpu=2,
    job_script_prologue=[f"cd {Path.cwd()}", "export OMP_NUM_THREADS=2", "export PYTHONPATH=."],
    protocol="tls://",  # needs the keys of Dask's setting distributed.comm.tls
) as cluster:
    cluster.scale(jobs=int(workers))
    command = [sys.executable, "-m", "server", "batch", *arguments, "--scheduler", cluster.scheduler_address]
    sys.exit(subprocess.run(command).returncode)
