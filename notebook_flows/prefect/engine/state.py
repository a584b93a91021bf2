"""The states of tasks and flows."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.core.state": (
            "State Pending Scheduled Paused Resume Retrying Submitted Queued Running Cancelling Finished "
            "Looped Success Cached Mapped Skipped Cancelled Failed TimedOut TriggerFailed ValidationFailed"
        ),
    },
)
