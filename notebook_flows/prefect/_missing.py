"""What Prefect 1 has and notebook_flows has not, with what to use instead."""

from __future__ import annotations

from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import UnavailableError

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

HERE = "notebook_flows.prefect."
NO_SERVER = "there is no server to talk to: `flow.run()` runs the flow here, and its history is kept on this machine."
A_TASK = "write the few lines as a @task of your own, with the service's own Python package."

ADVICE = {
    "Client": NO_SERVER,
    "agent": "no agent is needed: give the flow a schedule, and `flow.run()` waits for its times.",
    "api": NO_SERVER,
    "artifacts": "return the text from a task; its result is kept with the run.",
    "backend": NO_SERVER,
    "cli": "the command line is `notebook-flows`.",
    "client": NO_SERVER,
    "client.Secret": 'read it in the task that needs it: os.environ["..."]; or give the run a notebook_flows.Secret.',
    "client.secrets": 'read it in the task that needs it: os.environ["..."]; or give the run a notebook_flows.Secret.',
    "core.flow.Flow.load": "a flow is the code that builds it: import that, or run its notebook.",
    "core.flow.Flow.register": NO_SERVER,
    "core.flow.Flow.run_agent": "no agent is needed: give the flow a schedule, and `flow.run()` waits for its times.",
    "core.flow.Flow.save": "a flow is the code that builds it: keep the notebook or the module.",
    "core.flow.Flow.serialize": "the graph is in `flow.tasks` and `flow.edges`, and each run's history has it as JSON.",
    "core.flow.Flow.serialized_hash": "compare `flow.tasks` and `flow.edges`; slugs are stable from build to build.",
    "engine.cloud": NO_SERVER,
    "engine.flow_runner": "there is one engine: `flow.run()`; choose where tasks run with `executor=...`.",
    "engine.result": "use LocalResult, or any object with exists(location), read(location) and write(value, location).",
    "engine.results.AzureResult": "use LocalResult in a mounted folder, or any object with exists, read and write.",
    "engine.results.ConstantResult": "give the value itself; it becomes a constant of the flow.",
    "engine.results.GCSResult": "use LocalResult in a mounted folder, or any object with exists, read and write.",
    "engine.results.S3Result": "use LocalResult in a mounted folder, or any object with exists, read and write.",
    "engine.results.SecretResult": "give the run a notebook_flows.Secret, which is never written.",
    "engine.runner": "there is one engine: `flow.run()`.",
    "engine.task_runner": "there is one engine: `flow.run()`; a task's own function is `task.run(...)`.",
    "executors.DaskExecutor": 'for this machine use LocalDaskExecutor(scheduler="processes"), which is our ProcessExecutor.',
    "models": NO_SERVER,
    "plugins": "import what you need, and write it as a @task.",
    "serialization": "the graph is in `flow.tasks` and `flow.edges`, and each run's history has it as JSON.",
    "tasks.jupyter": "run the notebook with `notebook-flows run`, or with papermill in a @task.",
    "tasks.notifications": "send it from a state handler or from on_failure=..., which may call anything.",
    "tasks.prefect": "call the other flow's `run()` inside a @task: that run knows its parent.",
    "tasks.secrets": 'read it in the task that needs it: os.environ["..."]; or give the run a notebook_flows.Secret.',
    "tasks.shell": "write a @task that calls subprocess.run([...], check=True).",
    "utilities.backend": NO_SERVER,
    "utilities.configuration": "settings are the environment variables NOTEBOOK_FLOWS_..., listed in the documentation.",
    "utilities.graphql": NO_SERVER,
    "utilities.notifications.gmail_notifier": "send it from on_failure=..., for example with smtplib.",
    "utilities.notifications.slack_notifier": "send it from on_failure=..., for example with urllib.request.",
}
TASK_LIBRARY = frozenset(  # one word for each folder of the library
    [
        "airbyte",
        "airtable",
        "asana",
        "aws",
        "azure",
        "azureml",
        "census",
        "cubejs",
        "database",
        "databricks",
        "dbt",
        "docker",
        "dremio",
        "dropbox",
        "exasol",
        "files",
        "firebolt",
        "fivetran",
        "gcp",
        "github",
        "great_expectations",
        "gsheets",
        "hightouch",
        "jira",
        "kafka",
        "kubernetes",
        "mixpanel",
        "monday",
        "monte_carlo",
        "mysql",
        "neo4j",
        "postgres",
        "powershell",
        "prometheus",
        "redis",
        "rss",
        "sendgrid",
        "sftp",
        "snowflake",
        "sodaspark",
        "sodasql",
        "spacy",
        "sql_server",
        "templates",
        "toloka",
        "transform",
        "trello",
        "twitter",
        "zendesk",
    ]
)


def advice_for(path: str) -> str | None:
    """What to use in place of a name of Prefect 1, or None where Prefect 1 has no such name or we have it.

    Args:
        path: without the leading ``prefect.``; names below a missing module are missing too.

    >>> advice_for("tasks.shell.ShellTask")
    'write a @task that calls subprocess.run([...], check=True).'
    """
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        found = ADVICE.get(".".join(parts[:length]))
        if found is not None:
            return found
    return A_TASK if parts[0] == "tasks" and len(parts) > 1 and parts[1] in TASK_LIBRARY else None


def refuse(path: str) -> None:
    """Raise if Prefect 1 has this name and we do not.

    Raises:
        UnavailableError: with what to use instead.
    """
    name = path.removeprefix(HERE)
    advice = None if name.rpartition(".")[2].startswith("__") else advice_for(name)
    if advice is not None:
        raise UnavailableError(f"notebook_flows does not offer prefect.{name}. Instead: {advice}")


class MissingModules(MetaPathFinder):
    """Asked last for modules that nobody has found: says what to use in place of those of Prefect 1."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """None, or the error that the import raises."""
        if fullname.startswith(HERE):
            refuse(fullname)
        return None
