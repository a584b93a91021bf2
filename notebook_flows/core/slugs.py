"""The names by which histories know tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from notebook_flows.core.task import Task


def slugs_of(tasks: Collection[Task]) -> dict[Task, str]:
    """{task: its slug}: its own, or one made of its name and tags and a number, unique among these tasks."""
    taken = {task.slug for task in tasks if task.slug is not None}
    counts: dict[str, int] = {}
    slugs: dict[Task, str] = {}
    for task in tasks:
        slug = task.slug
        if slug is None:
            base = task.name if not task.tags else "-".join([task.name, *sorted(task.tags)])
            number = counts.get(base, 0) + 1
            slug = f"{base}-{number}"
            while slug in taken:
                number += 1
                slug = f"{base}-{number}"
            counts[base] = number
        slugs[task] = slug
    return slugs
