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
from notebook_flows.cli.selecting import left_out
from notebook_flows.cli.stopping import Stops
from notebook_flows.cli.summary import ending_of, tell_ending
from notebook_flows.cli.values import given_from, values_for
from notebook_flows.cli.watch import Watch
from notebook_flows.views.runview import given_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from notebook_flows.cli.loading import Target
    from notebook_flows.cli.watch import Change
    from notebook_flows.core.flow import Flow
    from notebook_flows.views.diagram import Diagram


LAST_ENDS_S = 1.0
"""How long notebooks that are being stopped may still take; with what the engine waits less than 2 s."""


class Wishes(NamedTuple):
    """What the options of ``run`` say of any run."""

    parameters: Sequence[str]
    executor: str | None
    timeout_s: float | None
    history: bool | None
    picture: Path | None
    is_quiet: bool
    first: str = ""
    only: Sequence[str] = ()
    resume: str | None = None
    keeps_results: bool | None = None


def run_flow_of(target: Target, wishes: Wishes) -> Exit:
    """Run it to its end; how it ended.

    Raises:
        FlowError: nothing ran: the file, the flow, a parameter or the executor is wrong.
    """
    from notebook_flows.executors import from_name
    from notebook_flows.workspace import run_flow
    from notebook_flows.workspace.durations import median_durations
    from notebook_flows.workspace.environment import begun_from

    flow = flow_in(target)
    values = values_for(flow, given_from(wishes.parameters))
    left_out(flow, wishes.first, wishes.only)  # what is misspelt there is told before anything runs
    if wishes.timeout_s is not None:
        flow.timeout = wishes.timeout_s
    flow.validate()
    run_id = uuid.uuid4().hex
    watch = Watch(given_in(flow))
    slugs = list(flow.slugs.values())
    view = view_for(watch, flow.name, is_quiet=wishes.is_quiet, medians=lambda: median_durations(flow.name, slugs))
    watch.views.append(view)
    stops = Stops(is_asked=cancel_asked(run_id, wishes.history), says=view.say_stopping)
    try:
        with told_warnings(), stops, view, begun_from(f"{target.path}:{target.flow_name or flow.name}"):
            try:
                run_flow(
                    flow,
                    parameters=values,
                    run_on_schedule=False,
                    executor=None if wishes.executor is None else from_name(wishes.executor),
                    flow_run_id=run_id,
                    history=wishes.history,
                    observers=[stops, watch],
                    task_states=left_out(flow, wishes.first, wishes.only),
                    keep_results=_keeps_results(wishes),
                    resume=wishes.resume,
                )
            finally:
                wait_for_notebooks()
    except KeyboardInterrupt:
        stops.reason = stops.reason or Exit.INTERRUPTED
    _tell(flow, watch, run_id, wishes)
    screen.flush_stdout()
    return stops.reason if stops.reason is not None else exit_of_state(watch.state)


def _keeps_results(wishes: Wishes) -> bool | None:
    """Runs of the command line keep their results, so that they can be resumed, unless it is said otherwise."""
    from notebook_flows.settings import settings_from

    if wishes.keeps_results is not None or settings_from().keep_results != "auto":
        return wishes.keeps_results
    return True if _has_history(wishes.history) else None


def wait_for_notebooks() -> None:
    """Let the notebooks of tasks that were stopped say in the history how they ended."""
    known = sys.modules.get("notebook_flows.notebooktask")  # else there is none, and loading it would cost something
    if known is not None:
        known.wait_for_ends(LAST_ENDS_S)


def _tell(flow: Flow, watch: Watch, run_id: str, wishes: Wishes) -> None:
    """The summary, and the picture if one is wanted."""
    from notebook_flows.views.diagram import diagram_of

    if watch.run is None:
        return
    picture = drawn(watch, wishes.picture, lambda widths: diagram_of(flow, widths))
    if wishes.is_quiet and exit_of_state(watch.state) is Exit.SUCCESS:
        return
    kept = {**picture, **kept_in_history(run_id, wishes.history)}
    more = commands_for_more(run_id, watch, wishes.history)
    if more and wishes.keeps_results is not False and exit_of_state(watch.state) is not Exit.SUCCESS:
        more.append(f"notebook-flows resume {run_id[:SHORT_ID]}")
    tell_ending(screen.stderr(), ending_of(watch, flow.name, kept, more))


def _has_history(history: bool | None) -> bool:
    from notebook_flows.settings import settings_from

    return history is not False and settings_from().history == "on"


def commands_for_more(
    run_id: str, watch: Watch, history: bool | None, name: Callable[[Change], str] = lambda change: change.name
) -> list[str]:
    """The commands that show more of a run.

    Args:
        run_id: of the run.
        watch: what has seen it.
        history: as ``Wishes`` has it.
        name: how ``logs`` is told which task run is meant.
    """
    if not _has_history(history):
        return []
    import shlex

    short = run_id[:SHORT_ID]
    more = [f"notebook-flows logs {short} {shlex.quote(name(one))}" for one in watch.failures[:1]]
    return [*more, f"notebook-flows show {short}"]


def kept_in_history(run_id: str, history: bool | None) -> dict[str, str]:
    """Where the run is kept, or why it is not."""
    from notebook_flows.settings import settings_from

    settings = settings_from()
    if not _has_history(history):
        why = "switched off" if history is False or settings.history == "off" else "kept in memory only"
        return {"History": f"none, {why}"}
    return {"History": settings.store_name, "Run": run_id}


def drawn(watch: Watch, path: Path | None, diagram: Callable[[Mapping[int, int]], Diagram]) -> dict[str, str]:
    """Draw the run as it stands now; a picture that cannot be drawn fails nothing.

    Args:
        watch: what has seen the run.
        path: the file; None: no picture is wanted.
        diagram: makes the diagram, given {mapped task: how many children it has}.
    """
    if path is None or watch.run is None:
        return {}
    from notebook_flows.errors import FlowError
    from notebook_flows.views.picture import Picture
    from notebook_flows.views.standing import standings_of_run, widths_of, with_messages

    standings = with_messages(standings_of_run(watch.run), watch.messages)
    try:
        return {"Picture": str(Picture(diagram(widths_of(standings)), standings).save(path))}
    except (FlowError, OSError) as error:
        print(f"Warning: There is no picture: {error}", file=sys.stderr)
        return {}


def cancel_asked(run_id: str, history: bool | None) -> Callable[[], bool] | None:
    """Whether another process has asked for this run to be cancelled; None where none can."""
    from notebook_flows.errors import StoreError
    from notebook_flows.settings import settings_from

    settings = settings_from()
    if history is False or settings.history != "on":
        return None
    from notebook_flows.workspace import stored_log

    reader = stored_log(settings.store).new_reader()

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
