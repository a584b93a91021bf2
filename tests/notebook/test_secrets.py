"""Secrets in the kernel: given by the run, else by the environment."""

from __future__ import annotations

import json

import pytest

from notebook_flows import Secret, given_secret
from notebook_flows.notebook import secrets
from notebook_flows.notebook.kinds import kind_from_text
from notebook_flows.notebook.secrets import NoSecret, give, is_secret_kind


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_given", {})


def test_a_secret_that_the_run_was_given_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_SECRET_TOKEN", "by hand")

    by_hand = given_secret("token")
    give(json.dumps({"token": "by the run"}))

    assert (by_hand, given_secret("token")) == (Secret("by hand"), Secret("by the run"))


def test_a_secret_that_is_missing_is_told_with_both_ways() -> None:
    with pytest.raises(NoSecret, match="-p token=@env:NAME; or, when running by hand, .* NOTEBOOK_FLOWS_SECRET_TOKEN"):
        given_secret("token")


@pytest.mark.parametrize(
    ("text", "is_secret"),
    [
        ("Secret", True),
        ("notebook_flows.Secret", True),
        ("Secret | None", True),
        ("Optional[Secret]", True),
        ("'Secret'", True),
        ("str", False),
        ("NoSecret", False),
        ("", False),
    ],
)
def test_which_types_are_secret(text: str, is_secret: bool) -> None:
    assert is_secret_kind(kind_from_text(text)) is is_secret
