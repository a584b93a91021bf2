"""What is set holds, from the nearest place that says it; what cannot be understood is told with the likely slip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from notebook_flows.settings import Settings, SettingsError, setting_files, settings_from, without_password


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folders, and a project with a folder of notebooks."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "project" / "notebooks").mkdir(parents=True)
    (tmp_path / "config" / "notebook_flows").mkdir(parents=True)
    return tmp_path / "config" / "notebook_flows"


def write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def settings(tmp_path: Path, **variables: str) -> Settings:
    named = {f"NOTEBOOK_FLOWS_{name}": value for name, value in variables.items()}
    return settings_from(named, tmp_path / "project" / "notebooks")


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    found = settings(tmp_path)

    assert (found.history, found.keep_days, dict(found.origins)) == ("on", 90.0, {})
    assert found.store == tmp_path / "data" / "notebook_flows" / "history.sqlite"
    assert found.results == tmp_path / "data" / "notebook_flows" / "results"


def test_variables_come_before_the_project_and_the_project_before_the_user(tmp_path: Path, user_folder: Path) -> None:
    user = write(user_folder / "notebook_flows.toml", 'keep_days = 1\nhistory = "memory"\nresults = "r"')
    project = write(tmp_path / "project" / "notebook_flows.toml", 'keep_days = 2\nhistory = "off"')

    found = settings(tmp_path, KEEP_DAYS="3")

    assert (found.keep_days, found.history, found.results) == (3.0, "off", user_folder / "r")
    assert found.origins == {
        "keep_days": "NOTEBOOK_FLOWS_KEEP_DAYS",
        "history": f"history in {project}",
        "results": f"results in {user}",
    }


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    file = write(tmp_path / "project" / "notebook_flows.toml", 'stoer = "x"\nkeep_days = "many"\nhistory = "on"')

    with pytest.raises(SettingsError) as error:
        settings(tmp_path, CACHE="of", BLOSB="b")

    assert error.value.sentences == (
        f"'stoer' in {file} is no setting. Did you mean 'store'?",
        "The variable NOTEBOOK_FLOWS_BLOSB is no setting. Did you mean 'NOTEBOOK_FLOWS_BLOBS'?",
        "NOTEBOOK_FLOWS_CACHE is 'of'; it can be on, all, off or refresh. Did you mean 'off'?",
        f"keep_days in {file} is 'many'; it is a number of days, 0 to keep all.",
    )
    assert str(error.value).splitlines() == list(error.value.sentences)


def test_a_table_in_pyproject_is_as_good_as_a_file_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "project" / "pyproject.toml", "[project]\nname = 'x'\n[tool.notebook_flows]\nkeep_days = 7")

    assert settings(tmp_path).keep_days == 7.0


def test_the_own_file_comes_before_pyproject_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "project" / "pyproject.toml", "[tool.notebook_flows]\nkeep_days = 7")
    write(tmp_path / "project" / "notebook_flows.toml", "keep_days = 8")

    assert settings(tmp_path).keep_days == 8.0


def test_a_pyproject_that_says_nothing_of_us_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "project" / "notebooks" / "pyproject.toml", "[project]\nname = 'x'\nthis is = no toml")
    write(tmp_path / "project" / "notebook_flows.toml", "keep_days = 8")

    assert settings(tmp_path).keep_days == 8.0


def test_the_search_ends_at_the_repository(tmp_path: Path) -> None:
    write(tmp_path / "notebook_flows.toml", "keep_days = 8")
    (tmp_path / "project" / ".git").mkdir()

    assert settings(tmp_path).keep_days == 90.0


def test_a_file_where_anybody_may_put_one_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "project" / "notebook_flows.toml", "keep_days = 8")
    (tmp_path / "project").chmod(0o777)

    assert settings(tmp_path).keep_days == 90.0


def test_a_relative_path_starts_from_its_file(tmp_path: Path) -> None:
    write(tmp_path / "project" / "notebook_flows.toml", 'store = "runs/h.sqlite"\nresults = "~/r"')

    found = settings(tmp_path)

    assert found.store == tmp_path / "project" / "runs" / "h.sqlite"
    assert found.results == Path.home() / "r"


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    file = write(tmp_path / "project" / "notebook_flows.toml", "keep_days = 8")
    before = settings(tmp_path).keep_days
    write(file, "keep_days = 10")

    assert (before, settings(tmp_path).keep_days) == (8.0, 10.0)


def test_a_server_is_named_by_its_url(tmp_path: Path) -> None:
    found = settings(tmp_path, STORE="postgresql://me:secret@db/runs?schema=a")

    assert found.store == "postgresql://me:secret@db/runs?schema=a"
    assert found.store_name == "postgresql://me@db/runs?schema=a"


def test_a_file_may_be_named_by_a_url_too(tmp_path: Path) -> None:
    assert settings(tmp_path, STORE=f"sqlite:///{tmp_path}/h.sqlite").store == tmp_path / "h.sqlite"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("keep_day = 3", r"'keep_day' in .*notebook_flows.toml is no setting\. Did you mean 'keep_days'\?"),
        ("colour = 3", r"'colour' in .* is no setting\. There are .*history, keep_days, .*store"),
        ('history = "of"', r"history in .* is 'of'; it can be on, off or memory\. Did you mean 'off'\?"),
        ("keep_days = true", r"keep_days in .* is True; it is a number of days"),
        ("keep_days = -1", r"keep_days in .* is -1; it is a number of days"),
        ("keep_days = nan", r"keep_days in .* is nan; it is a number of days"),
        ("store = 7", r"store in .* is 7; it has to be the path of a file, or a URL"),
        ('store = "postgre://x"', r"is a URL with 'postgre'.* Did you mean 'postgres"),
        ('results = "~nosuchuser/r"', r"the home of '~nosuchuser' is unknown"),
        ("keep_days", r"notebook_flows.toml is no TOML: "),
        pytest.param("x = " + "[" * 100_000, r"is no TOML that can be read: it is nested too deeply", id="deep"),
        ("KEEP_DAYS = 3", r"'KEEP_DAYS' in .* is no setting\. Did you mean 'keep_days'\?"),
        (
            "[tool.notebook_flows]\nkeep_days = 3",
            r"is for pyproject.toml; in .*notebook_flows.toml settings stand in no",
        ),
        ('store = ":memory:"', r'is \':memory:\'; a history that ends with its process is history = "memory"'),
        ('blobs = "s3:/bucket"', r"blobs in .* is an address without a bucket; it has to be s3://BUCKET/PREFIX"),
        ('blobs = "s3://"', r"blobs in .* is an address without a bucket"),
        ('blobs = "gs://bucket"', r"is a URL with 'gs'; results are kept in a folder, or in s3://BUCKET/PREFIX"),
        ('results = "s3://bucket"', r"results in .* is a URL with 's3'; it has to be the path of a folder"),
    ],
)
def test_what_cannot_be_understood_is_told(tmp_path: Path, text: str, told: str) -> None:
    write(tmp_path / "project" / "notebook_flows.toml", text)

    with pytest.raises(SettingsError, match=told):
        settings(tmp_path)


@pytest.mark.parametrize(
    "url", ["mysql://me:secret@db/runs", "postgresql:me:secret@db/runs", "postgresql:/me:secret@db/runs"]
)
def test_a_url_that_is_refused_is_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError) as told:
        settings(tmp_path, STORE=url)

    assert "secret" not in str(told.value)


def test_a_misspelt_variable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"NOTEBOOK_FLOWS_STOER is no setting\. Did you mean 'NOTEBOOK_FLOWS_STORE'"
    ):
        settings(tmp_path, STOER="x")


def test_variables_of_others_are_let_be(tmp_path: Path) -> None:
    assert settings(tmp_path, SECRET_TOKEN="x", BADGE="y").keep_days == 90.0


def test_an_on_and_off_of_toml_is_understood(tmp_path: Path) -> None:
    write(tmp_path / "project" / "notebook_flows.toml", "history = false")

    assert settings(tmp_path).history == "off"


def test_a_working_directory_that_is_gone_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert setting_files() == ()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:a:b@c@db/x", "postgresql://me@db/x"),
        ("postgresql://:pw@db/x", "postgresql://@db/x"),
        ("postgresql:///x?password=pw&schema=s", "postgresql:///x?password=***&schema=s"),
        ("/a/file:with@signs", "/a/file:with@signs"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: Any) -> None:
    assert without_password(url) == shown
