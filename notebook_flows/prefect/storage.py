"""Storages of flows: accepted, so that old notebooks run; a flow is the code that builds it."""

from __future__ import annotations

from notebook_flows.prefect._records import Record


class Storage(Record):
    """Any of them."""


class Local(Storage):
    """In a folder."""


class Module(Storage):
    """In an importable module."""


class Docker(Storage):
    """In an image."""


class Git(Storage):
    """In a git repository."""


class GitHub(Storage):
    """On GitHub."""


class GitLab(Storage):
    """On GitLab."""


class Bitbucket(Storage):
    """On Bitbucket."""


class CodeCommit(Storage):
    """On CodeCommit."""


class S3(Storage):
    """In an S3 bucket."""


class GCS(Storage):
    """In Google's cloud."""


class Azure(Storage):
    """In Azure's cloud."""


class Webhook(Storage):
    """Behind a URL."""
