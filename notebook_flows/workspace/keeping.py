"""Which results a run keeps and which it may take from others, by the settings and by what was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from notebook_flows.errors import FlowError
from notebook_flows.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from notebook_flows.core.flow import Flow
    from notebook_flows.core.run import Run
    from notebook_flows.core.task import Task
    from notebook_flows.engine.ports import RunInfo, RunLog
    from notebook_flows.engine.results import Ledger
    from notebook_flows.notebook.redaction import Redactor
    from notebook_flows.workspace.keeper import Keeper
    from notebook_flows.workspace.resuming import Source
    from notebook_flows.workspace.reuse import Reusing

NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Keeping:
    """What is kept.

    Attributes:
        cached: the tasks whose results go from run to run.
        kept: the tasks whose results are kept at all, those among them.
    """

    cached: frozenset[int] = NOTHING
    kept: frozenset[int] = NOTHING


def keeping_of(tasks: Sequence[Task], history: Any, *, keep_results: bool | None, resumes: Source | None) -> Keeping:
    """What a run keeps.

    Args:
        tasks: the n tasks.
        history: into which it goes.
        keep_results: whether all results are to be kept; None: as the settings say.
        resumes: the run that it goes on with.

    Raises:
        FlowError: results are to be kept where no history is.
    """
    has_cached = any(task.cache is not False for task in tasks)
    if not has_cached and not keep_results and resumes is None and keep_results is not None:
        return Keeping()
    settings = settings_from()
    keeps_all = keep_results if keep_results is not None else settings.keep_results == "on"
    keeps_all = keeps_all or resumes is not None
    if not hasattr(history, "known_results"):
        if keep_results or resumes is not None:
            raise FlowError("Results are kept beside the history, and it is switched off.")
        return Keeping()
    cached = NOTHING
    if has_cached and settings.cache != "off":
        cached = frozenset(number for number, task in enumerate(tasks) if task.cache is not False)
    if not keeps_all:
        return Keeping(cached=cached, kept=cached)
    from notebook_flows.core.parameter import Constant
    from notebook_flows.workspace.inputs import RESOURCES

    kept = frozenset(
        number
        for number, task in enumerate(tasks)
        if not task._is_parameter and not isinstance(task, (Constant, *RESOURCES))
    )
    return Keeping(cached=cached & kept, kept=kept)


def keeper_for(keeping: Keeping, secrets: Redactor) -> Keeper | None:
    """What keeps results where tasks run, unless they hold secrets; None: nothing is kept."""
    if not keeping.kept:
        return None
    from notebook_flows.workspace.histories import result_store
    from notebook_flows.workspace.keeper import Keeper

    return Keeper(result_store(), keeping.kept, secrets)


def reuse_for(
    keeping: Keeping,
    keeper: Keeper | None,
    *,
    flow: Flow,
    tasks: list[Task],
    run: Run,
    ledger: Ledger,
    info: RunInfo,
    log: RunLog,
    history: Any,
    resumes: Source | None,
) -> Reusing | None:
    """What the engine asks for results of earlier runs; None: there is nothing to ask."""
    if keeper is None:
        return None
    from notebook_flows.fingerprints import Fingerprints
    from notebook_flows.workspace.histories import secret_key
    from notebook_flows.workspace.inputs import InputPrints
    from notebook_flows.workspace.resuming import Resumed
    from notebook_flows.workspace.reuse import Reusing

    prints = InputPrints(run, flow, tasks, ledger, Fingerprints(secret_key=secret_key()))
    known = history.known_results()
    resumed = None
    if resumes is not None:
        before = resumes.run.parameters
        changed = frozenset(name for name, value in info.parameters.items() if before.get(name) != value)
        resumed = Resumed(resumes, run, tasks, info.slugs, prints, known, keeper.store, changed)
    return Reusing(
        run_id=info.run_id,
        tasks=tasks,
        slugs=info.slugs,
        prints=prints,
        log=log,
        known=known,
        store=keeper.store,
        cached=keeping.cached,
        kept=keeping.kept,
        is_fresh=settings_from().cache == "refresh",
        resumed=resumed,
        used=history.used,
    )
