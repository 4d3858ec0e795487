"""What small steps cost."""

import pytest

from taichi_softras.bench.machine import describe_machine
from taichi_softras.bench.small_steps import measure_small_steps
from taichi_softras.cli import main
from taichi_softras.cli.bench import POLICY_ADVICE


def test_small_steps():
    plain, steps = measure_small_steps(2)
    assert [step.name for step in steps] == ["silhouette", "lit colours"]
    assert len(plain) == 2
    for step in steps:
        assert 0 < step.forward_launches < step.launches
        assert step.waits == 1  # for the count of vertices that are too near
        for times in (plain, step.forward, step.both, step.cpu):
            assert len(times) == 2
            assert min(times) > 0


@pytest.mark.parametrize("policy", [None, "passive"])
def test_the_command_prints_them_and_the_policy(policy, monkeypatch, capsys):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if policy is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    monkeypatch.setenv("COLUMNS", "200")
    assert describe_machine()["OMP_WAIT_POLICY"] == (policy or "not set")
    assert main(["bench", "--small", "--runs", "1"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"OMP_WAIT_POLICY: {policy or 'not set'}" in text
    assert (POLICY_ADVICE in text) == (policy is None)
    for words in ("silhouette", "lit colours", "A launch by Taichi itself", "processor time"):
        assert words in text
    assert "fragments" not in text
