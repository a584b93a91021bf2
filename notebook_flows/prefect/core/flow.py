"""A flow with the names of Prefect 1's server on it, each of which says what to do without one."""

from __future__ import annotations

from typing import Any, NoReturn

from notebook_flows.core.flow import Flow as OurFlow
from notebook_flows.errors import UnavailableError
from notebook_flows.prefect._missing import advice_for


class Flow(OurFlow):
    """`notebook_flows.Flow`; what needs Prefect's server raises."""

    def register(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not offered."""
        _refuse("register")

    def run_agent(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not offered."""
        _refuse("run_agent")

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not offered."""
        _refuse("save")

    @classmethod
    def load(cls, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Not offered."""
        _refuse("load")

    def serialize(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not offered."""
        _refuse("serialize")

    def serialized_hash(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Not offered."""
        _refuse("serialized_hash")


def _refuse(method: str) -> NoReturn:
    raise UnavailableError(
        f"notebook_flows does not offer flow.{method}(). Instead: {advice_for(f'core.flow.Flow.{method}')}"
    )
