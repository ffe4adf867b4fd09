"""Batches on many processes or machines, by Dask distributed (docs/pipeline.md). Not in the add-on: it opens ports.

It needs the package's extra "farm". What is in `worker` runs on the workers, what is in `driver` where the batch began.
"""
