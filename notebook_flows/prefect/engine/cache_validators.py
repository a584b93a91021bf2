"""Whether a cached result may be used again."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.core.cache_validators": (
            "never_use duration_only all_inputs all_parameters partial_inputs_only partial_parameters_only"
        ),
    },
)
