"""Run configurations: accepted, so that old notebooks run; flows run in the process that calls `flow.run()`."""

from __future__ import annotations

from notebook_flows.prefect._records import Record


class RunConfig(Record):
    """Any of them."""


class UniversalRun(RunConfig):
    """Anywhere."""


class LocalRun(RunConfig):
    """In a process of an agent."""


class DockerRun(RunConfig):
    """In a container."""


class KubernetesRun(RunConfig):
    """As a Kubernetes job."""


class ECSRun(RunConfig):
    """As an ECS task."""


class VertexRun(RunConfig):
    """As a Vertex job."""
