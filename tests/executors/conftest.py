"""The fixtures of the bench."""

from executor_bench import *  # noqa: F403 - fixtures are found by their names here
