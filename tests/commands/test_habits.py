"""What all commands have in common: configurations, files that exist, quiet and verbose output."""

import json
from pathlib import Path

import pytest

from stochi.commands.console import Output, least_widths, split_columns
from stochi.commands.output_names import named_after
from stochi.plain_text import counted, signed
from tests.commands.conftest import Run, check_refused
from tests.parity.small_reports import plain_report

TRAIN = ("train", "--epochs", "1", "--time-steps", "2")


def test_a_run_is_repeated_from_what_it_wrote(run_as_typed: Run) -> None:
    assert run_as_typed(*TRAIN, "--seed", "3", "--out", "a/m.pt")[0] == 0
    configuration = Path("a/m.train.toml")
    content = Path("a/m.pt").read_bytes()
    assert "seed = 3" in configuration.read_text() and "[train]" in configuration.read_text()
    assert run_as_typed("train", "--config", str(configuration), "--force")[0] == 0
    assert Path("a/m.pt").read_bytes() == content
    assert (
        run_as_typed("train", "--config", str(configuration), "--out", "b.pt", "--seed", "4")[0]
        == 0
    )
    assert Path("b.pt").read_bytes() != content
    assert "seed = 4" in Path("b.train.toml").read_text()


def test_lists_and_values_as_by_default_may_stand_there(run_as_typed: Run, trained: Path) -> None:
    Path("c.toml").write_text(
        f'[parity]\nmodel = "{trained}/m.pt"\nprogram = "{trained}/m.program"\ndata = "digits"\n'
        'chip = "loihi2"\nattack = "fgsm"\nepsilons = [0.05, 0.1]\nattack-images = 4\nimages = 8\n'
        "trials = 2\nexact = 2\nlava = false\n"
    )
    status, out, _ = run_as_typed("parity", "--config", "c.toml", "--json")
    assert status == 0 and json.loads(out)["configuration"]["epsilons"] == [0.05, 0.1]
    assert Path("runs/m_report.json").is_file() and Path("runs/m_report.parity.toml").is_file()


@pytest.mark.parametrize("name", ["format", "format_"])
def test_options_have_the_names_of_the_command_line(
    run_as_typed: Run, trained: Path, name: str
) -> None:
    Path("c.toml").write_text(
        f'[deploy]\ngraph = "{trained}/m.nir"\nout = "d.program"\n{name} = "program"\n'
        "random-source = 'lfsr'\njson = true\n"
    )
    status, out, err = run_as_typed("deploy", "--config", "c.toml")
    assert status == 0, err
    assert json.loads(out)["program"] == "d.program"
    written = Path("d.deploy.toml").read_text()
    assert 'format = "program"' in written and 'random_source = "lfsr"' in written
    assert "form =" not in written and "json" not in written


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[train]\nepocs = 3\n", "epocs is not an option of this command; did you mean epochs?"),
        ('[train]\nseed = "x"\nwidth = true\n', "seed is 'x'; it must be a whole number; width"),
        ("[train]\nsigma = [1, 2]\n", "sigma is a list; give a number"),
        ("[train]\nout = ['l1.nir', 'l2.nir']\n", "out is a list; give a text, the name of a file"),
        ("[train]\nsigma = 'a'\n", "sigma is 'a'; it must be a number"),
        ("[train]\nsigma = {a = 1}\n", "sigma is {'a': 1}; it must be a number"),
        ("[train]\nhardware = 1\n", "hardware is 1; it must be true or false"),
        ("[train]\nsigma = true\n", "sigma is True; it must be a number"),
        ("[train]\nseed = 2001-01-01\n", "seed is datetime.date(2001, 1, 1); it must be a whole"),
        (f"[train]\nsigma = 1{'0' * 400}\n", "it must be below 2^64"),
        (f"[train]\nseed = 0x{'f' * 9000}\n", "seed is a number of 36000 bits; it must be below"),
        (f"[train]\nseed = 1{'0' * 5000}\n", "c.toml: no TOML: "),
        (f"[train]\nseed = {'[' * 5000}\n", "c.toml: no TOML: it is nested too deeply"),
        (r"[train]" + "\n" + r'out = "a\u0000.pt"' + "\n", "out is 'a\\x00.pt'; it must be a text"),
        (
            "seed = 5\nout = 'x'\n[train]\nepocs = 1\n",
            "seed, out stand outside of the tables; move",
        ),
        (
            "seed = 5\n[train]\nepocs = 1\n",
            "seed stands outside of the tables; move it into [train]; ep",
        ),
        ("[train]\nseed = 1\n[trian]\nseed = 2\n", "[trian] is not a command; did you mean train?"),
        ("[[train]]\nseed = 1\n", "[[train]] is a list of tables; write [train], once"),
        ("[train]\ndata_dir = 'a'\ndata-dir = 'a'\n", "data_dir and data-dir are the same option"),
        ("[deploy]\n", r"has no table [train]; it has [deploy]"),
        ("[train\n", "c.toml: no TOML"),
        ("[train]\nforce = true\n", "force is not an option"),
        ("[train]\nseed = -1\n", "seed is -1"),
    ],
)
def test_what_is_wrong_with_a_configuration(run_as_typed: Run, content: str, message: str) -> None:
    Path("c.toml").write_text(content)
    check_refused(run_as_typed, ("train", "--config", "c.toml"), message)


def test_nothing_is_replaced_without_force(run_as_typed: Run, trained: Path) -> None:
    words = ("deploy", f"{trained}/m.nir", "--out", "m.program")
    assert run_as_typed(*words)[0] == 0
    check_refused(run_as_typed, words, "m.program exists; give --force to replace it")
    assert run_as_typed(*words, "--force")[0] == 0
    folder = ("deploy", f"{trained}/m.nir", "--format", "lava", "--samples", "1")
    assert run_as_typed(*folder)[0] == 0 and Path("runs/m_lava").is_dir()
    check_refused(run_as_typed, folder, "runs/m_lava exists; give --force to replace it")
    assert run_as_typed(*folder, "--force")[0] == 0


def test_outputs_carry_the_names_of_inputs() -> None:
    assert named_after("nets/net.v2.nir", ".program") == Path("runs/net.v2.program")
    assert named_after("my/code.py:Net", ".nir") == Path("runs/Net.nir")
    assert named_after("package.module:make", "_report.json") == Path("runs/make_report.json")
    assert named_after(Path("a b$.pt"), "_tuned.pt") == Path("runs/a_b__tuned.pt")


def test_quiet_and_verbose(run_as_typed: Run) -> None:
    status, out, err = run_as_typed(*TRAIN, "--quiet")
    assert status == 0 and err == "" and "wrote runs/model.pt" in out
    status, _, err = run_as_typed("show", "nothing.program", "--verbose")
    assert status == 2 and "Traceback" in err and "stochi: nothing.program" in err
    check_refused(run_as_typed, ("doctor", "-q", "-v"), "--quiet and --verbose exclude each other")


def test_programs_get_errors_as_json(run_as_typed: Run) -> None:
    status, out, err = run_as_typed("show", "nothing.program", "--json")
    error = json.loads(out)["error"]
    assert (status, error["status"]) == (2, 2) and error["message"] in err
    assert "no such file" in error["message"]
    status, out, _ = run_as_typed("show", "--json", "--nonsense")
    assert status == 2 and "nonsense" in json.loads(out)["error"]["message"]


def test_tables_fit_80_columns_and_end_without_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [["layer", *(f"quantity {i}" for i in range(9))]]
    rows += [[f"network.layer{i}", *("12,345.67" for _ in range(9))] for i in range(3)]
    Output(as_json=False).table(rows, "A title")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80 and not any(line.endswith(" ") for line in lines)
    parts = split_columns(least_widths(rows, 1, 80), 1, 80)
    assert lines.count("A title, continued") == len(parts) - 1 > 0
    assert all(columns[0] == 0 for columns in parts)
    assert [column for columns in parts for column in columns[1:]] == list(range(1, 10))


def test_numbers_are_written_as_people_do() -> None:
    assert [counted(n, "trial") for n in (0, 1, 2000)] == ["0 trials", "1 trial", "2,000 trials"]
    assert [signed(v, 1) for v in (-0.04, 0.0, 0.06, -1.25)] == ["+0.0", "+0.0", "+0.1", "−1.2"]


def test_tables_of_other_commands_and_a_mark_of_byte_order_may_stand_there(
    run_as_typed: Run, trained: Path
) -> None:
    content = f'[show]\nfile = "{trained}/m.nir"\n[train]\nwhatever = 3\n'
    for text in (content, f'file = "{trained}/m.nir"\n'):
        Path("c.toml").write_bytes(b"\xef\xbb\xbf" + text.encode())
        status, out, err = run_as_typed("show", "--config", "c.toml")
        assert status == 0 and "NIR graph" in out, err


def test_lists_of_files_have_the_name_that_the_help_shows(run_as_typed: Run) -> None:
    plain_report().save("a.json")
    plain_report(3).save("b.json")
    for name in ("report", "reports"):
        Path("c.toml").write_text(f'[compare]\n{name} = ["a.json", "b.json"]\n')
        status, out, err = run_as_typed("compare", "--config", "c.toml", "--json")
        assert status == 0 and set(json.loads(out)["verdicts"]) == {"a", "b"}, err
    Path("c.toml").write_text('[compare]\nreport = "a.json"\n')
    assert run_as_typed("compare", "--config", "c.toml")[0] == 0
    Path("c.toml").write_text('[compare]\nreport = "a.json"\nreports = ["b.json"]\n')
    message = "report and reports are the same option; give one of them"
    check_refused(run_as_typed, ("compare", "--config", "c.toml"), message)


def test_every_name_of_an_option_is_taken(run_as_typed: Run) -> None:
    for name in ("images", "calibration_images", "calibration-images"):
        Path("c.toml").write_text(f'[deploy]\ngraph = "none.nir"\n{name} = 3\n')
        message = "it is for noise that is fitted"
        status, _, err = run_as_typed("deploy", "--config", "c.toml")
        assert status == 2 and ("images" in err or message in err), err
        assert "not an option" not in err


@pytest.mark.parametrize("rest", ["file = 'none.nir'\n", "epocs = 3\n", "dt = 'a'\n"])
def test_a_configuration_that_asks_for_json_gets_mistakes_as_json(
    run_as_typed: Run, rest: str
) -> None:
    Path("c.toml").write_text(f"[show]\n{rest}json = true\n")
    status, out, err = run_as_typed("show", "--config", "c.toml")
    error = json.loads(out)["error"]
    assert status == error["status"] == 2 and err == f"stochi: {error['message']}\n"
    assert run_as_typed("show", "none.nir")[1] == ""  # the next command asks for itself
