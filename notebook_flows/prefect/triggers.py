"""Whether a task may run, judged from how the tasks before it ended."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.core.triggers": (
            "all_successful all_failed any_successful any_failed all_finished always_run not_all_skipped "
            "manual_only some_failed some_successful"
        ),
    },
)
