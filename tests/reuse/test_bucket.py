"""Large results in a bucket, by one setting."""

from __future__ import annotations

import pytest
from counted import count, counted

from notebook_flows import Flow, task
from notebook_flows.store.keeping import MOST_INLINE


@task(cache=True)
def big(n):
    count("big")
    return "x" * (MOST_INLINE + n)


@task
def length(text):
    return len(text)


@pytest.fixture
def bucket(aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    import boto3

    assert aws
    monkeypatch.setenv("NOTEBOOK_FLOWS_BLOBS", "s3://results/here")
    boto3.client("s3").create_bucket(Bucket="results")
    return "results"


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("executor", ["local", "processes:2"])
def test_results_go_to_a_bucket_and_come_from_it(executor: str, bucket: str) -> None:
    import boto3

    with Flow("bucket") as flow:
        end = length(big(1))
    results = [flow.run(executor=executor).result[end].result for _ in range(2)]

    keys = [one["Key"] for one in boto3.client("s3").list_objects_v2(Bucket=bucket)["Contents"]]

    assert results == [MOST_INLINE + 1] * 2
    assert counted() == {"big": 1}
    assert len(keys) == 1
    assert keys[0].startswith("here/")


@pytest.mark.usefixtures("disk")
def test_a_bucket_that_is_gone_fails_no_task(
    bucket: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTEBOOK_FLOWS_BLOBS", "s3://nowhere-at-all/here")
    with Flow("gone") as flow:
        end = length(big(1))

    state = flow.run()

    assert state.result[end].result == MOST_INLINE + 1
    assert "Task 'big' is not cached: Results in s3://nowhere-at-all/here/of-" in caplog.text
    assert " cannot be written: there is no bucket 'nowhere-at-all'." in caplog.text
