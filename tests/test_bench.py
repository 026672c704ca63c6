"""The bench runs, and counts what it says it counts; how fast anything is, no test asks."""

import torch

from tools import bench
from unrolled.networks import LISTA
from unrolled.sensing import gaussian


def test_every_network_has_its_line(capsys):
    bench.sparse_networks(4, 10, 20, torch.device("cpu"), rounds=1)
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.count("|") == 8][2:]
    assert [row.split("|")[1].strip() for row in rows][:3] == ["LISTA", "LISTA-CP", "ALISTA"]
    assert all(row.count("×") == 2 for row in rows)


def test_what_is_compiled_has_a_column(capsys, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda net: compiled.append(net) or net)
    bench.sparse_networks(4, 10, 20, torch.device("cpu"), rounds=1, compiled=True)
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.count("|") == 9]
    assert "compiled" in rows[0]
    assert all(row.count("×") == 3 for row in rows[2:])
    assert len(compiled) == len(rows) - 2


def test_kept_counts_the_outputs_of_the_layers():
    """LISTA keeps one (B, n) tensor for each layer, the output of its threshold."""
    operator = gaussian(10, 20, generator=torch.Generator().manual_seed(0))
    net = LISTA(operator, 5)
    assert bench.kept(net, torch.ones(3, 10)) == 5 * 3 * 20


def test_jobs_take_turns():
    order = []
    jobs = (lambda: order.append("a"), lambda: order.append("b"))
    times = bench.seconds(jobs, torch.device("cpu"), rounds=3)
    assert order == ["a", "b"] * 5
    assert len(times) == 2
