"""Configurations on the workers of a Dask cluster: they measure; the client claims and records."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from unrolled.checks import check_kind, check_size
from unrolled.experiments.jobs import Job, Measure, Queue
from unrolled.experiments.provenance import source
from unrolled.experiments.records import Finished
from unrolled.extras import extra
from unrolled.machine import THREADS, cores
from unrolled.training.fit import place

with extra("experiments", "unrolled.experiments.cluster"):
    from distributed import Client, Future, LocalCluster, as_completed, get_worker

__all__ = ["connect", "local", "spread"]

# Beside the job that it measures so many seconds of work wait for a worker, in jobs of which each
# holds a lock: at least one, and so many at most.
AHEAD, MOST = 0.1, 15


@contextmanager
def local(workers: int) -> Iterator[Client]:
    """A cluster of so many processes on this machine, each with its share of the cores.

    A script that starts one does so below `if __name__ == "__main__":`, since each process reads
    the script anew.

    Raises:
        ValueError: workers is no number ≥ 1.
    """
    check_size("workers", workers)
    share = max(1, cores() // workers)
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,  # one configuration at a time
            processes=True,
            dashboard_address="127.0.0.1:0",  # any free port: several may run side by side
            silence_logs=logging.CRITICAL,  # failures come as exceptions
            memory_limit=None,  # none that would stop a training at its peak
            env={name: str(share) for name in THREADS},
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def connect(address: str) -> Iterator[Client]:
    """The cluster whose scheduler has this address, such as tcp://10.0.0.1:8786.

    Raises:
        ValueError: nothing answers there.
    """
    check_kind("address", address, str)
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise ValueError(f"address is {address!r}, where no scheduler answers: {error}") from None
    with client:
        yield client


def spread(
    client: Client,
    measure: Measure,
    queue: Queue,
    device: str,
) -> Iterator[tuple[Job, Finished]]:
    """Have the queue's jobs measured, and yield each when it is finished.

    After a failure no other job begins; those in flight are yielded before it is raised.
    """
    flying: dict[Future, Job] = {}
    landing = as_completed(with_results=True, raise_errors=False)
    failure: BaseException | None = None
    workers, counted, took = 0, -math.inf, math.inf
    while True:
        if time.monotonic() - counted > 1:  # workers come and go
            workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
            counted = time.monotonic()
        waiting = min(MOST, 1 + math.floor(AHEAD / max(took, 1e-3)))
        while failure is None and len(flying) < (1 + waiting) * workers:
            job = queue.next()
            if job is None:
                break
            future = client.submit(_measured, job, measure, device, source(), pure=False)
            flying[future] = job
            landing.add(future)
        if not flying:
            break
        for future, result in landing.next_batch():
            job = flying.pop(future, None)
            if job is None:  # taken back
                continue
            if future.status == "finished":
                took = result.provenance["seconds"]
                yield job, result
            elif failure is None:
                failure = future.exception()
                _ground(client, flying)
    if failure is not None:
        raise failure


def _ground(client: Client, flying: dict[Future, Job]) -> None:
    # Take back what no worker has begun.
    begun = {key for keys in client.processing().values() for key in keys}
    for future in [f for f in flying if not f.done() and f.key not in begun]:
        future.cancel()
        del flying[future]


def _measured(
    job: Job,
    measure: Measure,
    device: str,
    code: str,
) -> Finished:
    """Measure a job on this worker."""
    if source() != code:
        raise ValueError("client has another version of unrolled than this worker; install one")
    number = get_worker().name
    if device == "cuda" and isinstance(number, int) and torch.cuda.is_available():
        device = f"cuda:{number % torch.cuda.device_count()}"
    return job.run(measure, place(device))
