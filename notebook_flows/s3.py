"""Talking to S3: a client that does not wait for ever, and what a server says as one sentence of ours."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from notebook_flows.errors import FlowError

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
ATTEMPTS = 3
"""boto3's own defaults would wait five minutes for a server that hangs."""
_DENIED = frozenset(
    {"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
)
_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
_NO_CREDENTIALS = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "SSOTokenLoadError"}
)
_PROFILE = frozenset({"ProfileNotFound", "ConfigParseError", "ConfigNotFound"})


class NoBoto3(FlowError, ImportError):  # noqa: N818 - the sentence that people read
    """boto3 is not installed."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address

    def __str__(self) -> str:
        return f"{self.address} needs boto3, which is not installed: pip install 'notebook-flows[s3]'."


def client_for(
    address: str,
    *,
    endpoint: str | None = None,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    read_timeout_s: float = READ_TIMEOUT_S,
    attempts: int = ATTEMPTS,
) -> Any:
    """A client of boto3, with credentials and endpoint from where boto3 looks for them.

    Args:
        address: for the sentence, if boto3 is not there.
        endpoint: another server than Amazon's; ``AWS_ENDPOINT_URL``, or papermill's ``BOTO3_ENDPOINT_URL``, unless given.
        connect_timeout_s: how long a connection may take.
        read_timeout_s: how long the server may be silent.
        attempts: how often each request is made at most.

    Raises:
        NoBoto3: it is not installed.
        botocore.exceptions.BotoCoreError: its settings are wrong.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise NoBoto3(address) from None
    session = boto3.session.Session()  # the default one is not for several threads
    return session.client(
        "s3",
        endpoint_url=endpoint or os.environ.get("BOTO3_ENDPOINT_URL") or None,
        config=Config(
            connect_timeout=connect_timeout_s,
            read_timeout=read_timeout_s,
            retries={"mode": "standard", "max_attempts": attempts},
        ),
    )


def parts_of(address: str) -> tuple[str, str] | None:
    """Bucket and key of an address; None: it is none.

    >>> parts_of("s3://bucket/a/b.ipynb"), parts_of("s3://"), parts_of("gs://bucket/x")
    (('bucket', 'a/b.ipynb'), None, None)
    """
    parts = urlsplit(address)
    if parts.scheme not in {"s3", "s3a", "s3n"} or not parts.netloc:
        return None
    key = address.partition("://")[2].partition("/")[2]  # as it is: a key may have ? and #
    return parts.netloc, key


def code_of(error: BaseException) -> str:
    """The server's word for what is wrong; empty where it was not the server."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def is_missing(error: BaseException) -> bool:
    """Whether there is no such object."""
    return code_of(error) in _MISSING


def is_for_the_moment(error: BaseException) -> bool:
    """Whether trying again later may help."""
    code = code_of(error)
    if code:
        return code not in {*_DENIED, *_MISSING, "NoSuchBucket", "RequestTimeTooSkewed", "InvalidBucketName"}
    return type(error).__name__ not in {*_NO_CREDENTIALS, *_PROFILE, "ParamValidationError", "NoRegionError"}


def reason_of(error: BaseException, bucket: str) -> str:
    """What is wrong, as the end of a sentence, without a full stop."""
    code, kind = code_of(error), type(error).__name__
    if code == "NoSuchBucket":
        return f"there is no bucket {bucket!r}"
    if code == "InvalidBucketName" or (kind == "ParamValidationError" and "bucket name" in str(error)):
        return f"{bucket!r} cannot be the name of a bucket"
    if code in _DENIED:
        return f"access denied ({code}). Check the AWS_* settings"
    if kind in _NO_CREDENTIALS:
        return "access denied (no credentials). Check the AWS_* settings"
    if kind in _PROFILE:
        return f"{error}. Check AWS_PROFILE and ~/.aws".replace("..", ".")
    if code == "RequestTimeTooSkewed":
        return "this machine's clock is wrong by more than 15 minutes"
    if code in _MISSING:
        return "there is no such object"
    if kind == "EndpointConnectionError":
        return f"the server cannot be reached ({str(error).rstrip('.')})"
    if kind in {"ConnectTimeoutError", "ReadTimeoutError"}:
        return f"the server does not answer ({str(error).rstrip('.')})"
    return f"{kind}: {str(error).rstrip('.')}"
