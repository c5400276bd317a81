"""What notebooks show of Programs, records and studies."""

import torch

from stochi.deploy import lower
from stochi.export import to_nir
from stochi.notebook_tables import html_table
from stochi.sim import run
from tests.conftest import conv_net


def test_text_of_files_is_shown_and_never_obeyed() -> None:
    found = html_table("a <b>", [["name", "n"], ["<script>x</script>\nb\x1b", "1"]])
    assert "<script>" not in found and "&lt;script&gt;x&lt;/script&gt;<br>b\\x1b" in found
    assert found.startswith("<table><caption>a &lt;b&gt;</caption>")
    assert found.count("<tr>") == 2 and 'text-align:right">1</td>' in found


def test_programs_and_records() -> None:
    images = torch.rand(3, 2, 8, 8)
    program = lower(to_nir(conv_net(), images[:1]))
    shown = program._repr_html_()
    assert shown.count("<tr>") == 1 + len(program.layers) and "network.lif1" in shown
    assert "256 levels, drawn" in shown and "Program for loihi2, noise decay, 4 time steps" in shown
    record = run(program, images, probes=("spikes", "membrane"))
    assert record._repr_html_().count("<tr>") == 1 + len(program.layers)
    assert "Record of 3 samples, 5 outputs" in record._repr_html_()
    assert run(program, images)._repr_html_().count("<tr>") == 1
