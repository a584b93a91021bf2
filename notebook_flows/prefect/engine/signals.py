"""What a task raises to end in another state than success or failure."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.core.signals": (
            "PrefectStateSignal=Signal FAIL TRIGGERFAIL VALIDATIONFAIL SUCCESS RETRY SKIP PAUSE LOOP ENDRUN "
            "signal_from_state"
        ),
    },
)
