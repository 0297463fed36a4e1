"""Where settings come from, which wins, and how a wrong one is refused."""

import os
from pathlib import Path

import pytest

from mystira.errors import SettingError
from mystira.settings import PREFIX, Settings, load_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of ours, and a current folder without a data folder."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _refusal(**options: object) -> str:
    with pytest.raises(SettingError) as refused:
        load_settings(**options)
    assert refused.value.exit_code == 2
    return str(refused.value)


def test_defaults_need_nothing(tmp_path: Path) -> None:
    """Without any setting the platform is embedded, on loopback, below the current folder."""
    settings = load_settings()
    assert settings.data_folder == tmp_path / ".mystira"
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert (settings.postgres_url, settings.redis_url, settings.cosmos_url) == (None, None, None)


def test_the_nearest_source_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Command line before environment before file before default."""
    (tmp_path / ".mystira").mkdir()
    (tmp_path / ".mystira" / "mystira.toml").write_text(
        "port = 7001\nhost = '127.0.0.2'\napi_processes = 3\n"
    )
    assert load_settings().port == 7001
    monkeypatch.setenv("MYSTIRA_PORT", "7002")
    assert load_settings().port == 7002
    settings = load_settings(port=7003, host=None)
    assert (settings.port, settings.host, settings.api_processes) == (7003, "127.0.0.2", 3)


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compose file that passes on what is not set does not break the start."""
    monkeypatch.setenv("MYSTIRA_POSTGRES_URL", "")
    assert load_settings().postgres_url is None


def test_the_file_may_lie_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """MYSTIRA_CONFIG names the file, which may then name the data folder."""
    (tmp_path / "ours.toml").write_text(f"data_folder = '{tmp_path}/elsewhere'\n")
    monkeypatch.setenv("MYSTIRA_CONFIG", str(tmp_path / "ours.toml"))
    assert load_settings().data_folder == tmp_path / "elsewhere"


def test_another_process_loads_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a supervisor passes on by environment is what its services load, whatever file lies about."""
    settings = load_settings(port=7001, lease_seconds=0.5, postgres_url="postgresql://u:p@h:1/d")
    (settings.data_folder).mkdir()
    (settings.data_folder / "mystira.toml").write_text("port = 1\nlease_seconds = 9.0\n")
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("port", "many", "is 'many', and must be a whole number from 0 to 65535 (0 takes a free port)."),
        ("port", "65536", "is '65536', and must be a whole number from 0 to 65535 (0 takes a free port)."),
        ("api_processes", "0", "is '0', and must be a whole number from 1 to 64."),
        ("lease_seconds", "nan", "is 'nan', and must be a number of seconds above 0 and up to 600."),
        ("dual_write_timeout", "-1", "is '-1', and must be a number of seconds above 0 and up to 600."),
        ("redis_url", "redis://", "must be a URL such as redis://:password@host:6379/0."),
        ("cosmos_url", "ftp://x", "is 'ftp://x', and must be a URL such as"),
    ],
)
def test_a_wrong_value_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    """It names the place where the value stands, be it option, variable or file, and what is allowed."""
    assert _refusal(**{name: value}).startswith(f"--{name.replace('_', '-')} {allowed}")
    variable = PREFIX + name.upper()
    monkeypatch.setenv(variable, value)
    assert _refusal().startswith(f"{variable} {allowed}")
    monkeypatch.delenv(variable)
    file = tmp_path / "mystira.toml"
    file.write_text(f"{name} = '{value}'\n")
    assert _refusal(data_folder=tmp_path).startswith(f"{name} in {file} {allowed}")


def test_a_refusal_does_not_tell_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL with a password in it is refused without being repeated, and settings do not show it either."""
    monkeypatch.setenv("MYSTIRA_POSTGRES_URL", "mysql://ada:s3cret@host/x")
    assert "s3cret" not in _refusal()
    settings = Settings(postgres_url="postgresql://ada:s3cret@host/x", cosmos_key="s3cret")
    assert "s3cret" not in repr(settings)


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of ours that is no setting is not passed over: the nearest name is offered."""
    monkeypatch.setenv("MYSTIRA_PROT", "9000")
    assert _refusal() == "MYSTIRA_PROT is not a setting; perhaps MYSTIRA_PORT is meant."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("prt = 1", "prt in {file} is not a setting; perhaps port is meant."),
        ("port = = 1", "File {file} is not TOML (Invalid value (at line 1, column 8))."),
        ("data_folder = '/x'", "data_folder in {file} cannot be set by a file inside it."),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """The file is named together with what is wrong in it."""
    file = tmp_path / "mystira.toml"
    file.write_text(text + "\n")
    assert _refusal(data_folder=tmp_path) == sentence.format(file=file)


def test_a_file_that_was_named_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A configuration that cannot be found is not the same as none."""
    monkeypatch.setenv("MYSTIRA_CONFIG", str(tmp_path / "absent.toml"))
    assert _refusal() == f"MYSTIRA_CONFIG names {tmp_path}/absent.toml, which is not there."


def test_a_way_past_a_pooler_needs_the_way_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A direct address alone would leave the platform with its own server, and the schema on another."""
    monkeypatch.setenv("MYSTIRA_POSTGRES_DIRECT_URL", "postgresql://db/mystira")
    assert _refusal().startswith("MYSTIRA_POSTGRES_URL is absent")
    monkeypatch.setenv("MYSTIRA_POSTGRES_URL", "postgresql://pooler/mystira")
    settings = load_settings()
    assert (settings.postgres_url, settings.postgres_session_url) == (
        "postgresql://pooler/mystira",
        "postgresql://db/mystira",
    )


def test_without_a_pooler_there_is_one_way() -> None:
    """What needs a session of its own goes where all else goes."""
    settings = load_settings(postgres_url="postgresql://db/mystira")
    assert settings.postgres_session_url == "postgresql://db/mystira"


def test_cosmos_needs_its_key() -> None:
    """A URL without the key is refused before anybody tries to connect."""
    assert _refusal(cosmos_url="https://ours.example/").startswith("MYSTIRA_COSMOS_KEY is absent")
