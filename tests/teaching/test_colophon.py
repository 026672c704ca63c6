"""What a chapter says about its own run."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
import torch

from unrolled.machine import cores
from unrolled.teaching import colophon
from unrolled.teaching.colophon import Colophon, peak_memory

MEASURE = """
from unrolled.teaching.colophon import peak_memory
import numpy as np
before = peak_memory()
filled = np.ones({size} // 8)
del filled
print(before, peak_memory())
"""


def test_it_says_what_ran_here_and_how_long():
    started = time.perf_counter()
    first, second = colophon(), colophon()
    between = time.perf_counter() - started
    assert first.versions["torch"] == torch.__version__
    assert first.versions["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert 0 <= second.seconds - first.seconds <= between
    assert f", {cores()} core" in first.hardware
    assert first.threads == torch.get_num_threads()
    assert ("Threads", str(first.threads)) in first.rows()


@pytest.mark.parametrize(("size", "grown"), [(400_000_000, True), (8_000, False)])
def test_peak_memory_counts_what_was_given_back(size, grown):
    """In a process of its own, since a peak never falls."""
    run = subprocess.run(
        [sys.executable, "-c", MEASURE.format(size=size)], capture_output=True, check=True
    )
    before, after = map(float, run.stdout.split())
    assert (after - before > 0.9 * size / 1e6) == grown
    assert peak_memory() > 10


def test_it_is_shown_as_a_table_and_kept_as_numbers():
    shown = Colophon({"Python": "3"}, "a <fast> chip", "cpu", 1, 1.25, 99.6)
    data = shown._repr_mimebundle_()
    assert Colophon.from_html(data["text/html"]) == shown
    assert Colophon.from_html("<table></table>") is None
    assert "a &lt;fast&gt; chip" in data["text/html"]
    assert re.findall(r"<th scope=\"row\">(.*?)</th>", data["text/html"]) == [
        name for name, _ in shown.rows()
    ]
    assert "Peak memory: 100 MB" in data["text/plain"]
