"""Where a setting comes from, what is refused, and how long "1h30m" is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import BadRequest, Exit
from edge.settings import Given, Job, Settings, resolve, seconds
from llm_gguf.errors import UnknownModelError

HINT = "Correct them; docs/SETTINGS.md lists all."


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No settings of the machine; gives the folder of the settings file."""
    for name in (
        "EDGE_SETTINGS",
        "EDGE_THREADS",
        "EDGE_TRAIN_THREADS",
        "EDGE_LLM",
        "EDGE_SEED",
        "EDGE_PROFILES",
        "EDGE_WEIGHTS_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "config" / "edge"
    folder.mkdir(parents=True)
    return folder


def test_without_anything_the_defaults_hold() -> None:
    assert resolve() == Settings(threads=1, train_threads=0, llm=None, seed=0)


def test_file_beats_default(bare: Path) -> None:
    (bare / "settings.toml").write_text('threads = 2\nllm = "/models/other.gguf"\n')
    assert resolve() == Settings(threads=2, llm=Path("/models/other.gguf"))


def test_environment_beats_file(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / "settings.toml").write_text("threads = 2\nseed = 5\n")
    monkeypatch.setenv("EDGE_THREADS", "3")
    assert resolve() == Settings(threads=3, seed=5)


def test_flag_beats_environment_even_when_it_is_zero(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / "settings.toml").write_text("seed = 5\n")
    monkeypatch.setenv("EDGE_SEED", "6")
    assert resolve(seed=0).seed == 0
    assert resolve(seed=None).seed == 6


def test_variable_may_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "Einstellungen.toml"
    path.write_text("threads = 4\n")
    monkeypatch.setenv("EDGE_SETTINGS", str(path))
    assert resolve().threads == 4


def test_a_bare_word_is_the_name_of_a_pulled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    pulled = tmp_path / "edge" / "llm" / "mine.gguf"
    pulled.parent.mkdir(parents=True)
    pulled.write_bytes(b"GGUF")
    assert resolve(llm="mine").llm == pulled.resolve()
    with pytest.raises(UnknownModelError, match="'yours' is neither a file nor a language model"):
        resolve(llm="yours")


def test_path_of_a_flag_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve(llm=Path("m.gguf")).llm == tmp_path.resolve() / "m.gguf"


def refused(**flags: object) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        resolve(**flags)
    assert caught.value.exit_code == Exit.BAD_REQUEST == 3
    return caught.value


def test_all_faults_are_told_at_once(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bare / "settings.toml"
    path.write_text('thread = 2\nseed = "seven"\ntrain_threads = -1\nzoo = 1\n')
    monkeypatch.setenv("EDGE_THREADS", "many")
    monkeypatch.setenv("EDGE_LLM", "")
    error = refused()
    assert str(error) == (
        f"settings cannot be used: {path}: unknown setting 'thread'; {path}: unknown setting 'zoo'; "
        "EDGE_THREADS: threads is 'many', expected a whole number; "
        "EDGE_LLM: llm is '', expected a file or a name of `edge llm list`; "
        f"{path}: seed is 'seven', expected a whole number; "
        "train_threads is -1, expected 0 to 1024"
    )
    assert error.__notes__ == [HINT]


@pytest.mark.parametrize("value", ["1.9", "true", "[1]", '"1.5"', "inf"])
def test_number_that_is_not_whole_is_never_rounded(bare: Path, value: str) -> None:
    (bare / "settings.toml").write_text(f"threads = {value}\n")
    assert "expected a whole number" in str(refused())


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        ({"threads": 0}, "threads is 0, expected 1 to 1024"),
        ({"threads": 4096}, "threads is 4096, expected 1 to 1024"),
        ({"seed": -1}, "seed is -1, expected 0 to 4294967295"),
        ({"seed": 2**32}, "seed is 4294967296, expected 0 to 4294967295"),
    ],
)
def test_number_out_of_range_is_refused(flags: dict[str, int], fault: str) -> None:
    assert str(refused(**flags)) == f"settings cannot be used: {fault}"


def test_file_that_is_not_toml_is_refused(bare: Path) -> None:
    path = bare / "settings.toml"
    path.write_text("threads: 2\n")
    error = refused()
    assert str(error).startswith(f"{path} is not valid TOML: ")
    assert error.__notes__ == ["Correct the file."]


def test_file_that_is_not_text_is_refused(bare: Path) -> None:
    (bare / "settings.toml").write_bytes(b"\xff\xfe\x00")
    assert "is not valid TOML" in str(refused())


def test_variable_that_names_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SETTINGS", str(tmp_path / "gone.toml"))
    error = refused()
    assert str(error) == f"EDGE_SETTINGS names {tmp_path}/gone.toml, which is not there"
    assert error.__notes__ == ["Correct or unset the variable."]


def test_identity_of_a_job_leaves_out_what_may_change_between_two_calls() -> None:
    one = Job("t", (Given("d", Path("/d")),), Path("/o"), 60.0, False, False, False, None, Settings(train_threads=1))
    two = Job(
        "t", (Given("d", Path("/d")),), Path("/other"), 600.0, False, False, True, None, Settings(train_threads=2)
    )
    assert one.identity() == two.identity()
    assert (
        one.identity()
        != Job("t", (Given("d", Path("/d")),), Path("/o"), 60.0, True, False, False, None, Settings()).identity()
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90.0),
        ("90s", 90.0),
        ("1.5", 1.5),
        ("10m", 600.0),
        (" 10M ", 600.0),
        ("1h", 3600.0),
        ("1h30m", 5400.0),
        ("1h30s", 3630.0),
        ("1h2m3s", 3723.0),
        ("1h2m3", 3723.0),
        ("1m30", 90.0),
        ("0.5h", 1800.0),
        ("0h0m1s", 1.0),
    ],
)
def test_duration_is_read(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "  ", "-5", "+5", "soon", "10 m", "5x", "m", "h", "s", "1m1h", "1s1m", "1e3", ".5", "5.", "nan", "inf", "१०"],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        seconds(text)
    assert str(caught.value) == f"{text!r} is no duration"
    assert caught.value.__notes__ == ["Write 90s, 10m or 1h30m."]


@pytest.mark.parametrize("text", ["0", "0s", "0m", "0h0m0s", "0.000", "9" * 400])
def test_no_time_and_endless_time_are_refused(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        seconds(text)
    assert str(caught.value) == f"{text!r} is no time to work in"
    assert caught.value.__notes__ == ["Write 90s, 10m or 1h30m."]


def test_half_past_one_or_thirty_seconds_past_one_is_asked_back() -> None:
    with pytest.raises(BadRequest) as caught:
        seconds("1h30")
    assert str(caught.value) == "'1h30' can mean two durations"
    assert caught.value.__notes__ == ["Write 1h30m or 1h30s."]


@given(st.integers(0, 99), st.integers(0, 999), st.integers(1, 9999))
def test_duration_is_the_sum_of_its_parts(hours: int, minutes: int, rest: int) -> None:
    assert seconds(f"{hours}h{minutes}m{rest}s") == hours * 3600 + minutes * 60 + rest


@given(st.text(max_size=12))
def test_any_text_is_a_positive_finite_duration_or_refused(text: str) -> None:
    try:
        found = seconds(text)
    except BadRequest:
        return
    assert 0 < found < float("inf")


def test_precisions_are_words_and_full_precision_is_always_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(precisions="int8, bf16").precisions == ("fp32", "bf16", "int8")
    monkeypatch.setenv("EDGE_PRECISIONS", "int4")
    monkeypatch.setenv("EDGE_PRECISION_DROP", "1.5")
    with pytest.raises(BadRequest) as caught:
        resolve()
    assert "EDGE_PRECISIONS: precisions is 'int4', expected some of fp32, fp16, bf16, int8" in str(caught.value)
    assert "EDGE_PRECISION_DROP: precision_drop is '1.5', expected a number from 0 to 1" in str(caught.value)
