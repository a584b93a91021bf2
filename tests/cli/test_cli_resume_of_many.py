"""Going on with what did not end well of several notebooks that were run at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from notebook_flows.cli.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    Command = Callable[..., Result]
    WriteNotebook = Callable[..., Path]

LOADS = "%%task load\nwith open('loads.txt', 'a') as file:\n    print('load', file=file)\nx = 1"
BREAKS = "%%task double\nimport os\nassert os.path.exists('mended')\ny = x * 2"


def test_each_notebook_that_failed_in_the_night_is_resumed_by_its_own_run(
    nf: Command, write_notebook: WriteNotebook, tmp_path: Path
) -> None:
    for name in ("bad", "worse"):
        write_notebook(f"{name}.ipynb", "%load_ext notebook_flows", LOADS, BREAKS)
    write_notebook("good.ipynb", "1 + 1")
    assert nf("run", "bad.ipynb", "good.ipynb", "worse.ipynb", "-o", "{name}-out.ipynb").exit_code == Exit.FAILED
    rows = {one["flow"]: one for one in json.loads(nf("runs", "--json").stdout)}
    (tmp_path / "mended").touch()

    whole = nf("resume", rows["3 notebooks"]["run_id"])
    done = nf("resume", rows["bad"]["run_id"])

    assert whole.exit_code == Exit.USAGE
    assert f"notebook-flows resume {rows['bad']['run_id'][:8]}  # bad, failed" in whole.stderr
    assert f"notebook-flows resume {rows['worse']['run_id'][:8]}  # worse, failed" in whole.stderr
    assert "# good" not in whole.stderr
    assert done.exit_code == Exit.SUCCESS, done.output
    assert (tmp_path / "loads.txt").read_text() == "load\n" * 2


def test_what_ran_as_a_task_of_a_flow_is_resumed_as_the_notebook_that_it_is(
    nf: Command, write: Callable[[str, str], Path], write_notebook: WriteNotebook, tmp_path: Path
) -> None:
    write_notebook("bad.ipynb", "%load_ext notebook_flows", LOADS, BREAKS)
    write(
        "etl.py",
        "from notebook_flows import Flow, notebook_task\nwith Flow('etl') as flow:\n    notebook_task('bad.ipynb')()\n",
    )
    assert nf("run", "etl.py").exit_code == Exit.FAILED
    rows = {one["flow"]: one for one in json.loads(nf("runs", "--json").stdout)}
    (tmp_path / "mended").touch()

    done = nf("resume", rows["bad"]["run_id"])

    assert done.exit_code == Exit.SUCCESS, done.output
    assert "bad.ipynb succeeded" in done.output
