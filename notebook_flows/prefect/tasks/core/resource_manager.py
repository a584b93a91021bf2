"""Resources that are set up and cleaned up."""

from notebook_flows.prefect._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "notebook_flows.core.resource": "resource_manager ResourceCleanupTask ResourceInitTask ResourceSetupTask",
    },
)
