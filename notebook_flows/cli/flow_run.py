"""Running a flow of a Python file, and showing how it goes."""

from __future__ import annotations

import sys
import uuid
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from notebook_flows.cli import screen
from notebook_flows.cli.exits import Exit, exit_of_state
from notebook_flows.cli.history import SHORT_ID
from notebook_flows.cli.loading import OUR_FOLDER, flow_in
from notebook_flows.cli.progress import view_for
from notebook_flows.cli.stopping import Stops
from notebook_flows.cli.summary import Ending, failed_from, tell_ending
from notebook_flows.cli.values import given_from, values_for
from notebook_flows.cli.watch import OWN_FAILURES, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from notebook_flows.cli.loading import Target
    from notebook_flows.core.flow import Flow


class Wishes(NamedTuple):
    """What the options of ``run`` say of any run."""

    parameters: Sequence[str]
    executor: str | None
    timeout_s: float | None
    history: bool | None
    picture: Path | None
    is_quiet: bool


def run_flow_of(target: Target, wishes: Wishes) -> Exit:
    """Run it to its end; how it ended.

    Raises:
        FlowError: nothing ran: the file, the flow, a parameter or the executor is wrong.
    """
    from notebook_flows.core.parameter import Constant, Parameter
    from notebook_flows.executors import from_name
    from notebook_flows.workspace import run_flow

    flow = flow_in(target)
    values = values_for(flow, given_from(wishes.parameters))
    if wishes.timeout_s is not None:
        flow.timeout = wishes.timeout_s
    flow.validate()
    run_id = uuid.uuid4().hex
    hidden = {number for number, task in enumerate(flow._into) if isinstance(task, (Parameter, Constant))}
    watch = Watch(hidden)
    view = view_for(watch, flow.name, is_quiet=wishes.is_quiet)
    watch.views.append(view)
    stops = Stops(is_asked=cancel_asked(run_id, wishes.history), says=view.say_stopping)
    try:
        with told_warnings(), stops, view:
            run_flow(
                flow,
                parameters=values,
                run_on_schedule=False,
                executor=None if wishes.executor is None else from_name(wishes.executor),
                flow_run_id=run_id,
                history=wishes.history,
                observers=[watch, stops],
            )
    except KeyboardInterrupt:
        stops.reason = stops.reason or Exit.INTERRUPTED
    _tell(flow, watch, run_id, wishes)
    sys.stdout.flush()
    return stops.reason if stops.reason is not None else exit_of_state(watch.state)


def _tell(flow: Flow, watch: Watch, run_id: str, wishes: Wishes) -> None:
    """The summary, and the picture if one is wanted."""
    if watch.run is None:
        return
    kept = {**_history(run_id, wishes.history), **_picture(flow, watch, wishes.picture)}
    if wishes.is_quiet and exit_of_state(watch.state) is Exit.SUCCESS:
        return
    counts = watch.counts()
    has_history = "Run" in kept
    short = run_id[:SHORT_ID]
    more = [f"notebook-flows logs {short} {_argument(one.name)}" for one in watch.failures[:1]] if has_history else []
    more += [f"notebook-flows show {short}"] if has_history else []
    ending = Ending(
        name=flow.name,
        state=watch.state,
        message=watch.message,
        seconds=watch.seconds,
        counts=counts,
        failed=[failed_from(change) for change in watch.failures],
        failed_count=max(sum(counts.get(state, 0) for state in OWN_FAILURES), len(watch.failures)),
        kept=kept,
        more=more,
    )
    tell_ending(screen.stderr(), ending)


def _argument(word: str) -> str:
    import shlex

    return shlex.quote(word)


def _history(run_id: str, history: bool | None) -> dict[str, str]:
    from notebook_flows.settings import settings_from

    settings = settings_from()
    if history is False or settings.history != "on":
        why = "switched off" if history is False or settings.history == "off" else "kept in memory only"
        return {"History": f"none, {why}"}
    return {"Run": run_id, "History": str(settings.store)}


def _picture(flow: Flow, watch: Watch, path: Path | None) -> dict[str, str]:
    """Draw the flow as it stands now; a picture that cannot be drawn fails nothing."""
    if path is None or watch.run is None:
        return {}
    from notebook_flows.errors import FlowError
    from notebook_flows.views.diagram import diagram_of
    from notebook_flows.views.picture import Picture
    from notebook_flows.views.standing import standings_of_run, widths_of

    standings = standings_of_run(watch.run)
    try:
        return {"Picture": str(Picture(diagram_of(flow, widths_of(standings)), standings).save(path))}
    except (FlowError, OSError) as error:
        return {"Picture": f"none: {error}"}


def cancel_asked(run_id: str, history: bool | None) -> Callable[[], bool] | None:
    """Whether another process has asked for this run to be cancelled; None where none can."""
    from notebook_flows.errors import StoreError
    from notebook_flows.settings import settings_from

    settings = settings_from()
    if history is False or settings.history != "on":
        return None
    from notebook_flows.store.reader import Reader

    reader = Reader(settings.store)

    def is_asked() -> bool:
        try:
            return any(request.verb == "cancel" for request in reader.requests(reader.run_no(run_id), after=0))
        except StoreError:
            return False  # the writer meets the same trouble, and tells it

    return is_asked


@contextmanager
def told_warnings() -> Iterator[None]:
    """Inside, a warning of ours is one sentence; those of others look as ever."""
    show = warnings.showwarning

    def told(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        if filename.startswith(OUR_FOLDER):
            print(f"Warning: {message}", file=sys.stderr)
        else:
            show(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.showwarning = told
        yield
