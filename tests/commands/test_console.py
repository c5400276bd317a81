"""What commands print: no table leaves anything out, however narrow the place."""

import pytest
from rich.cells import cell_len

from stochi.commands.console import Output


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_a_table_too_wide_keeps_every_column(
    width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    heads = ["network", *(f"column {number}" for number in range(14))]
    rows = [heads, ["LIF, input-noise", *(f"+{number}.5 *\n-1.25…+10.75" for number in range(14))]]
    Output(as_json=False).table(rows, "A title")
    printed = capsys.readouterr().out
    assert all(head in printed for head in heads)
    assert printed.count("-1.25…+10.75") == 14
    assert all(f"+{number}.5 *" in printed for number in range(14))
    assert len(max(printed.splitlines(), key=len)) < 260


def test_names_in_brackets_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=False)
    output.progress("Fitting [bold]x.npy and [/y]")
    output.table([["name"], ["wide " * 12]], "Fitted to [bold]x.npy and [/y]")
    out, err = capsys.readouterr()
    assert "Fitting [bold]x.npy and [/y]" in err
    assert "Fitted to [bold]x.npy and [/y]" in out


def test_a_counter_in_a_pipe_prints_whole_lines_seldom(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stochi.time_left.PAUSE", 0.0)
    show = Output(as_json=False).counter("engine")
    for done in (1, 2, 3):
        show(done, 3)
    out, err = capsys.readouterr()
    assert out == "" and "\r" not in err
    first, second = err.splitlines()
    assert first.endswith("engine: 1 of 3, 0 s left")
    assert second.endswith("engine: 2 of 3, 0 s left")


@pytest.mark.parametrize("width", [40, 47, 60, 80])
def test_tables_fit_from_40_columns_on(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        ["layer of the network", "drawn", "kind of the neuron", "threshold"],
        ["network.block1.conv1", "membrane noise, every time step", "LIF + membrane noise", "1719"],
        ["日本語" * 6, "λ", "readout", "1000 … 1234"],
    ]
    output = Output(as_json=False)
    output.result.width = width
    output.table(rows, "A title of a table that is longer than forty columns are", 2)
    printed = capsys.readouterr().out
    assert max(map(cell_len, printed.splitlines())) <= width
    letters = "".join(printed.split())
    assert "…" not in letters.replace("1000…1234", "").replace("…", "", 1)
    assert letters.count("日") == 6 * (1 + printed.count("continued"))


@pytest.mark.parametrize("width", [40, 80])
def test_prose_is_wrapped_and_commands_and_paths_are_not(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    output = Output(as_json=False)
    output.result.width = width
    command = "pip install 'stochi[events]' and further words that make it longer than a line is"
    output.prose("- tonic and aedat for event sets of tonic and .aedat4 files:", command)
    output.line("Wrote " + "folder/" * 20 + "r.json")
    *prose, copied, wrote = capsys.readouterr().out.splitlines()
    assert len(prose) == (2 if width == 40 else 1) and max(map(len, prose)) <= width
    assert copied.strip() == command and wrote.endswith("r.json") and len(wrote) > 140


def test_two_columns_of_sentences_fit_40_columns(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [["back end", "what to know", "works"], ["engine on the CPU", "all exact", "yes"]]
    rows.append(["engine on CUDA", "no GPU; pip install torch==2.13.0", "no"])
    output = Output(as_json=False)
    output.result.width = 40
    output.table(rows, "Back ends", 2)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 40
