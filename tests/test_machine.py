"""How many cores a process may use, and that nothing computes on more threads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from unrolled.machine import cores, limit_threads

VISIBLE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

# In a process of its own, put into a control group, without what the tests set: cores, then the
# threads before and after an import, and those of a thread such as a lab computes in.
THREADS = """
import os, sys, threading
from pathlib import Path
Path(sys.argv[1]).write_text(str(os.getpid()))
import torch
from unrolled.machine import cores
print(cores(), torch.get_num_threads())
import unrolled.experiments, unrolled.networks, unrolled.teaching, unrolled.training
print(torch.get_num_threads())
import unrolled.chapters
print(torch.get_num_threads())
thread = threading.Thread(target=lambda: print(torch.get_num_threads()))
thread.start()
thread.join()
"""


def machine(root: Path, group: str, **files: str) -> Path:
    """A root folder whose process is in the group; `/` in a file's name is `__`, `.` is `_DOT_`."""
    files["proc__self__cgroup"] = group
    for name, text in files.items():
        file = root / name.replace("__", "/").replace("_DOT_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def v2(quotas: dict[str, str]) -> dict[str, str]:
    return {
        f"sys__fs__cgroup__{group}cpu_DOT_max": f"{quota} 100000\n"
        for group, quota in quotas.items()
    }


def v1(quotas: dict[str, str]) -> dict[str, str]:
    found = {}
    for group, quota in quotas.items():
        found[f"sys__fs__cgroup__cpu__{group}cpu_DOT_cfs_quota_us"] = f"{quota}\n"
        found[f"sys__fs__cgroup__cpu__{group}cpu_DOT_cfs_period_us"] = "100000\n"
    return found


@pytest.fixture(autouse=True)
def many(monkeypatch):
    """A machine of 16 cores, all of which the scheduler allows."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


@pytest.mark.parametrize(
    ("group", "files", "expected"),
    [
        ("0::/\n", v2({"": "200000"}), 2),
        ("0::/\n", v2({"": "max"}), 16),
        ("0::/a/b\n", v2({"": "max", "a__": "300000", "a__b__": "max"}), 3),
        ("0::/a/b\n", v2({"a__": "300000", "a__b__": "400000"}), 3),  # the least on the way up
        ("0::/a/b\n", v2({"a__": "500000", "a__b__": "400000"}), 4),
        ("0::/a\n", v2({"": "max", "a__": "max", "other__": "100000"}), 16),  # another's group
        ("0::/pods/mine\n", v2({"": "200000"}), 2),  # a container that sees its own group on top
        ("0::/../mine\n", v2({"": "200000"}), 2),
        ("4:memory:/a\n3:cpu,cpuacct:/a/b\n0::/\n", v1({"": "-1", "a__": "250000"}), 2),
        ("3:cpu,cpuacct:/a/b\n", v1({"a__": "800000", "a__b__": "700000"}), 7),
        ("3:cpu:/docker/mine\n", v1({"": "100000"}), 1),
        ("4:cpuset:/a\n", v1({"a__": "100000"}), 16),  # in no group that shares out time
        ("0::/\n", v2({"": "150000"}), 1),  # one whole core
        ("0::/\n", v2({"": "10000"}), 1),
        ("0::/\n", v2({"": "3200000"}), 16),
        ("", {}, 16),
    ],
)
def test_the_least_quota_on_the_way_to_the_top_counts(tmp_path, group, files, expected):
    assert cores(machine(tmp_path, group, **files), {}) == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("2", 2), ("2.0", 2), ("0.5", 1), ("64", 16), ("", 16), ("none", 16), ("-1", 16), ("nan", 16)],
)
def test_what_binder_says_counts_where_it_is_a_number(tmp_path, limit, expected):
    assert cores(tmp_path, {"CPU_LIMIT": limit}) == expected
    assert cores(tmp_path, {}) == 16


def test_what_the_scheduler_allows_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    assert cores(tmp_path, {}) == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert cores(tmp_path, {}) == 5


@pytest.fixture
def two_threads(monkeypatch) -> Iterator[None]:
    """PyTorch on two threads, and nobody has said how many there are to be."""
    for name in ("CPU_LIMIT", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("limit", "threads"), [("1", 1), ("2", 2), ("8", 2)])
def test_there_are_no_more_threads_than_cores_nor_than_before(
    two_threads, monkeypatch, limit, threads
):
    monkeypatch.setattr("unrolled.machine._quotas", lambda root: [])
    monkeypatch.setenv("CPU_LIMIT", limit)
    limit_threads()
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_who_has_said_how_many_threads_gets_them(two_threads, monkeypatch, name):
    monkeypatch.setenv("CPU_LIMIT", "1")
    monkeypatch.setenv(name, "2")
    limit_threads()
    assert torch.get_num_threads() == 2


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group below one that is granted 1.5 cores, both made for this test."""
    mount = Path("/sys/fs/cgroup")
    first = (mount / "cpu").is_dir()  # version 1
    outer = (mount / "cpu" if first else mount) / f"unrolled-{os.getpid()}"
    inner = outer / "inner"
    file, quota = ("cpu.cfs_quota_us", "150000") if first else ("cpu.max", "150000 100000")
    try:
        inner.mkdir(parents=True)
        (outer / file).write_text(quota)
        yield inner
    except OSError as error:
        pytest.skip(f"control groups cannot be made here: {error}")
    finally:
        for made in (inner, outer):
            if made.is_dir():
                made.rmdir()


@pytest.mark.skipif(VISIBLE < 2, reason="one core leaves no quota to be seen")
def test_under_a_real_quota_chapters_take_one_thread_and_the_library_leaves_threads_alone(group):
    cleared = {name: text for name, text in os.environ.items() if "NUM_THREADS" not in name}
    command = [sys.executable, "-c", THREADS, str(group / "cgroup.procs")]
    run = subprocess.run(command, env=cleared, check=True, capture_output=True, text=True)
    found, before, library, chapters, lab = map(int, run.stdout.split())
    assert library == before > 1
    assert (found, chapters, lab) == (1, 1, 1)
