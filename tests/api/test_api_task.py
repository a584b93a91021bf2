"""A task as it is written: its function, its options, its calls and copies."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from notebook_flows import Flow, GetAttr, GetItem, Task, defaults_from_attrs, exponential_backoff, task
from notebook_flows.core.retry import RetryPolicy
from notebook_flows.errors import TaskCallError


@task
def one() -> int:
    return 1


@task
def add(x: Any, y: Any = 0) -> Any:
    return x + y


class Scale(Task):
    """Multiplies by a factor of its own."""

    def __init__(self, factor: int, **options: Any) -> None:
        self.factor = factor
        super().__init__(**options)

    def run(self, x: int) -> int:
        return x * self.factor


def result_of(made: Task, f: Flow) -> Any:
    state = f.run().result[made]
    assert state.is_successful(), state
    return state.result


# -- functions and classes -------------------------------------------------------------------------------------------------


def test_a_decorated_function_is_a_task_named_like_it_that_still_runs_alone() -> None:
    @task
    def halve(x: float) -> float:
        """Halves."""
        return x / 2

    assert isinstance(halve, Task)
    assert (halve.name, halve.__doc__, halve.run(3)) == ("halve", "Halves.", 1.5)
    assert repr(halve) == "<Task: halve>"


def test_options_stand_in_the_decorator() -> None:
    @task(name="other", tags=["t"], max_retries=2, retry_delay=timedelta(seconds=1))
    def halve(x: float) -> float:
        return x / 2

    assert (halve.name, halve.tags, halve.max_retries) == ("other", {"t"}, 2)


def test_a_class_with_run_is_a_task_too() -> None:
    with Flow("f") as f:
        made = Scale(3)(one())

    assert made.name == "Scale"
    assert result_of(made, f) == 3


def test_a_task_without_run_gives_none() -> None:
    made = Task(name="nothing")

    assert result_of(made, Flow("f", tasks=[made])) is None


def test_a_lambda_and_a_callable_object_can_be_tasks() -> None:
    class Adder:
        def __call__(self, x: int) -> int:
            return x + 1

    with Flow("f") as f:
        from_lambda = task(lambda x: x * 2)(4)
        from_object = task(Adder())(4)

    assert (from_lambda.name, from_object.name) == ("<lambda>", "Adder")
    assert (result_of(from_lambda, f), result_of(from_object, f)) == (8, 5)


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("def f(*args): pass", ValueError, r"\*args"),
        ("def f(x, *, upstream_tasks): pass", ValueError, "upstream_tasks"),
        ("def f(mapped): pass", ValueError, "reserved"),
        ("def f(task_args): pass", ValueError, "reserved"),
        ("def f(flow): pass", ValueError, "reserved"),
        ("def f(x, /): pass", TypeError, "positional-only argument 'x'"),
        ("f = max", ValueError, "cannot be inspected"),
        ("f = 5", TypeError, "made of a function"),
    ],
)
def test_what_cannot_be_a_task_says_so_where_it_is_written(source: str, error: type[Exception], words: str) -> None:
    scope: dict[str, Any] = {}
    exec(source, scope)

    with pytest.raises(error, match=words):
        task(scope["f"])


def test_a_wrong_run_fails_where_its_class_is_written() -> None:
    with pytest.raises(ValueError, match=r"\*args"):

        class Wrong(Task):
            def run(self, *args: Any) -> None:
                pass


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"tags": "abc"}, TypeError, "a set of strings, not one string"),
        ({"max_retries": 1}, ValueError, "retry_delay=..."),
        ({"retry_delay": timedelta(0)}, ValueError, "max_retries=..."),
        ({"max_retries": 0, "retry_delay": timedelta(0)}, ValueError, "max_retries=..."),
        ({"max_retries": -1, "retry_delay": timedelta(0)}, ValueError, "0 or more"),
        ({"max_retries": 1, "retry_delay": "soon"}, TypeError, "timedelta or a number"),
        ({"max_retries": 1, "retry_delay": timedelta(-1)}, ValueError, "0 or more"),
        ({"max_retries": 1, "retry_delay": []}, ValueError, "empty list"),
        ({"max_retries": 1, "retry_delay": 0, "retry_on": "error"}, TypeError, "exception classes"),
        ({"max_retries": 1, "retry_delay": 0, "retry_on": [5]}, TypeError, "exception classes"),
        ({"retry_on": ValueError}, ValueError, "max_retries"),
        ({"timeout": "long"}, TypeError, "timedelta or a number"),
        ({"timeout": 0}, ValueError, "positive"),
        ({"timeout": -1}, ValueError, "positive"),
        ({"state_handlers": print}, TypeError, "must be a list"),
        ({"nout": -1}, ValueError, "nout"),
        ({"nout": "two"}, ValueError, "nout"),
        ({"max_retries": 1.5, "retry_delay": 0}, TypeError, "max_retries of task 'clean' is a whole number, not 1.5"),
        ({"max_retries": True, "retry_delay": 0}, TypeError, "a whole number, not True"),
        ({"max_retries": 1, "retry_delay": float("nan")}, ValueError, "is nan; it must be 0 or more, and finite"),
        ({"max_retries": 1, "retry_delay": [0, 1e300]}, ValueError, "finite"),
        (
            {"max_retries": 1, "retry_delay": 0, "retry_jitter": -0.1},
            ValueError,
            "retry_jitter of task 'clean' is -0.1",
        ),
        ({"max_retries": 1, "retry_delay": 0, "retry_jitter": float("nan")}, ValueError, "retry_jitter"),
        ({"max_retries": 1, "retry_delay": 0, "retry_jitter": float("inf")}, ValueError, "finite"),
        ({"max_retries": 1, "retry_delay": 0, "retry_jitter": "some"}, TypeError, "retry_jitter of task 'clean'"),
        ({"timeout": float("nan")}, ValueError, "timeout of task 'clean' is nan"),
        ({"timeout": float("inf")}, ValueError, "finite"),
        ({"map_limit": 0}, ValueError, "map_limit of task 'clean' is 0; it must be 1 or more"),
        ({"map_limit": "2"}, TypeError, "map_limit of task 'clean' is a whole number, not '2'"),
        ({"map_limit": True}, TypeError, "a whole number, not True"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as raised:
        Task(name="clean", **options)

    assert "'clean'" in str(raised.value)


@pytest.mark.parametrize(
    ("given", "delays"),
    [
        (timedelta(seconds=2), [2]),
        (1.5, [1.5]),
        ([1, 2.5, timedelta(seconds=4)], [1, 2.5, 4]),
        (exponential_backoff(timedelta(seconds=1), retries=4, longest=timedelta(seconds=3)), [1, 2, 3, 3]),
    ],
)
def test_a_retry_delay_can_be_written_in_several_ways(given: Any, delays: list[float]) -> None:
    policy = Task(max_retries=2, retry_delay=given).retry_policy

    assert isinstance(policy, RetryPolicy)
    assert [one.total_seconds() for one in policy.delays] == delays


@pytest.mark.parametrize(("given", "seconds"), [(5, 5.0), (0.25, 0.25), (timedelta(milliseconds=250), 0.25)])
def test_a_timeout_may_be_shorter_than_a_second(given: Any, seconds: float) -> None:
    assert Task(timeout=given).timeout == seconds


def test_inputs_and_outputs_are_told_from_the_signature() -> None:
    @task
    def weigh(x: int, y=2) -> str:  # type: ignore[no-untyped-def]
        return f"{x}{y}"

    assert set(weigh.inputs()) == {"x", "y"}
    assert {name: told["required"] for name, told in weigh.inputs().items()} == {"x": True, "y": False}
    assert weigh.inputs()["y"]["type"] is Any
    assert weigh.outputs() in {str, "str"}


def test_an_attribute_of_a_task_that_will_be_one_of_its_value_is_explained() -> None:
    with pytest.raises(AttributeError, match="GetAttr"):
        one.columns


def test_arguments_of_run_can_default_to_attributes() -> None:
    class Greet(Task):
        def __init__(self, word: str = "hello", **options: Any) -> None:
            self.word = word
            super().__init__(**options)

        @defaults_from_attrs("word")
        def run(self, who: str, word: str | None = None) -> str:
            return f"{word} {who}"

    with Flow("f") as f:
        by_default = Greet()("you")
        by_instance = Greet(word="bye")("you")
        by_call = Greet()("you", word="hey")

    assert [result_of(each, f) for each in (by_default, by_instance, by_call)] == ["hello you", "bye you", "hey you"]


# -- calls -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((), {}, "missing a required argument: 'x'"),
        ((1, 2, 3), {}, r"too many positional arguments: it takes 2 \(x, y\), and 3 were given"),
        ((1,), {"x": 2}, "multiple values for argument 'x'"),
        ((1,), {"yy": 2}, "unexpected keyword argument 'yy'.*Did you mean 'y'"),
    ],
)
def test_a_call_that_does_not_fit_fails_where_it_is_written(args: Any, kwargs: dict[str, Any], words: str) -> None:
    with Flow("nightly"), pytest.raises(TaskCallError, match=words) as raised:
        add(*args, **kwargs)

    assert isinstance(raised.value, TypeError)
    assert (raised.value.task_name, raised.value.flow_name) == ("add", "nightly")
    assert "'add'" in str(raised.value)
    assert "'nightly'" in str(raised.value)


def test_a_task_that_takes_nothing_says_so() -> None:
    with Flow("f"), pytest.raises(TaskCallError, match="it takes none, and 1 was given"):
        one(5)


def test_keyword_only_arguments_and_keyword_arguments_of_any_name_work() -> None:
    @task
    def collect(a: int, *, b: int, **more: int) -> dict[str, int]:
        return {"a": a, "b": b, **more}

    with Flow("f") as f:
        made = collect(1, b=one(), c=one(), d=4)

    assert result_of(made, f) == {"a": 1, "b": 1, "c": 1, "d": 4}


def test_missing_keyword_only_arguments_are_told() -> None:
    @task
    def collect(*, b: int) -> int:
        return b

    with Flow("f"), pytest.raises(TaskCallError, match="'b'"):
        collect()


def test_a_call_leaves_the_original_as_it_is() -> None:
    with Flow("f"):
        made = add(1, task_args={"name": "sum", "max_retries": 3, "retry_delay": timedelta(0), "tags": ["new"]})

    assert (made.name, made.max_retries, made.tags) == ("sum", 3, {"new"})
    assert (add.name, add.max_retries, set(add.tags)) == ("add", 0, set())


def test_task_args_that_name_no_attribute_are_refused() -> None:
    with Flow("f"), pytest.raises(AttributeError, match="no attribute 'colour'"):
        add(1, task_args={"colour": "blue"})


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"max_retries": 1}, ValueError), ({"timeout": "long"}, TypeError)],
)
def test_task_args_are_checked_like_options(changes: dict[str, Any], error: type[Exception]) -> None:
    with Flow("f"), pytest.raises(error):
        add(1, task_args=changes)


def test_bind_adds_this_very_task() -> None:
    with Flow("f") as f:
        made = Scale(3)
        given_back = made.bind(one())

    assert given_back is made
    assert result_of(made, f) == 3


def test_a_function_can_be_piped_from_left_to_right() -> None:
    with Flow("f") as f:
        made = one().pipe(add, y=5).pipe(Scale(2)).pipe(add)

    assert result_of(made, f) == 12


# -- copies ----------------------------------------------------------------------------------------------------------------


def test_a_copy_changes_what_it_is_told_to_and_unites_tags() -> None:
    original = Task(name="a", tags=["x"], slug="s")

    copied = original.copy(name="b", tags=["y"])

    assert (copied.name, copied.tags, copied.slug) == ("b", {"x", "y"}, "s-copy")
    assert (original.name, original.tags, original.slug) == ("a", {"x"}, "s")


def test_a_copy_with_an_unknown_attribute_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        Task(name="a").copy(colour="blue")


def test_a_copy_of_a_task_with_edges_warns_that_it_has_none() -> None:
    with Flow("f") as f:
        made = add(one())
        with pytest.warns(UserWarning, match="has edges in flow 'f'"):
            copied = made.copy()
        f.add_task(copied)
        f.set_dependencies(copied, keyword_tasks={"x": 1})

    assert not f.edges_to(copied)


def test_a_copy_of_a_copy_still_runs() -> None:
    with Flow("f") as f:
        made = Scale(2).copy().copy(name="c")(5)

    assert result_of(made, f) == 10


# -- several values --------------------------------------------------------------------------------------------------------


def test_nout_lets_a_call_be_unpacked() -> None:
    @task(nout=2)
    def pair() -> tuple:  # type: ignore[type-arg]
        return 1, "b", "ignored"

    with Flow("f") as f:
        left, right = pair()

    assert [left.name, right.name] == ["pair[0]", "pair[1]"]
    assert (result_of(left, f), result_of(right, f)) == (1, "b")


def test_the_number_of_values_is_read_from_the_return_type() -> None:
    @task
    def triple() -> tuple[int, str, float]:
        return 1, "b", 2.0

    @task
    def any_length() -> tuple[int, ...]:
        return (1,)

    assert (triple.nout, any_length.nout) == (3, None)
    with Flow("f") as f:
        _, word, _ = triple()
    assert result_of(word, f) == "b"


def test_a_task_of_unknown_length_cannot_be_unpacked() -> None:
    with Flow("f"), pytest.raises(TypeError, match="Task is not iterable.*nout=2"):
        _, _ = one()


def test_nout_of_zero_and_one() -> None:
    @task(nout=0)
    def nothing() -> tuple:  # type: ignore[type-arg]
        return ()

    @task(nout=1)
    def single() -> tuple:  # type: ignore[type-arg]
        return (5,)

    with Flow("f") as f:
        assert list(nothing()) == []
        (value,) = single()
    assert result_of(value, f) == 5


def test_too_few_values_fail_the_one_that_is_missing() -> None:
    @task(nout=2)
    def pair() -> tuple:  # type: ignore[type-arg]
        return (1,)

    with Flow("f") as f:
        left, right = pair()

    state = f.run()
    assert state.is_failed()
    assert state.result[left].result == 1
    assert isinstance(state.result[right].result, IndexError)


# -- operators -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (lambda a, b: a + b, 9),
        (lambda a, b: a + 1, 8),
        (lambda a, b: 1 + a, 8),
        (lambda a, b: a - b, 5),
        (lambda a, b: 10 - a, 3),
        (lambda a, b: a * b, 14),
        (lambda a, b: 3 * a, 21),
        (lambda a, b: a / b, 3.5),
        (lambda a, b: 14 / a, 2.0),
        (lambda a, b: a // b, 3),
        (lambda a, b: 15 // a, 2),
        (lambda a, b: a % b, 1),
        (lambda a, b: 15 % a, 1),
        (lambda a, b: a**b, 49),
        (lambda a, b: 2**b, 4),
        (lambda a, b: a & b, 2),
        (lambda a, b: 0 & a, 0),
        (lambda a, b: a > b, True),
        (lambda a, b: a >= 7, True),
        (lambda a, b: a < b, False),
        (lambda a, b: b <= a, True),
        (lambda a, b: 8 > a, True),  # noqa: SIM300 - that is the case
        (lambda a, b: a.is_equal(7), True),
        (lambda a, b: a.is_not_equal(b), True),
        (lambda a, b: a.not_(), False),
        (lambda a, b: a.is_equal(0).or_(b), 2),
    ],
)
def test_operators_on_tasks_make_tasks(make: Any, value: Any) -> None:
    with Flow("f") as f:
        made = make(add(7), add(2))

    assert isinstance(made, Task)
    assert result_of(made, f) == value


def test_elements_and_attributes_are_taken_when_the_flow_runs() -> None:
    @task
    def table() -> dict[str, list[complex]]:
        return {"k": [1 + 2j]}

    with Flow("f") as f:
        element = table()["k"][0]
        real = GetAttr()(element, "real")
        fallback = GetAttr(default="none")(element, "colour")
        by_task = GetItem()(table(), add("", "k"))

    assert element.name == "table['k'][0]"
    assert result_of(real, f) == 1.0
    assert result_of(fallback, f) == "none"
    assert result_of(by_task, f) == [1 + 2j]


def test_a_task_is_equal_to_itself_alone_and_can_be_a_key() -> None:
    a, b = Task(name="a"), Task(name="a")

    assert a == a  # noqa: PLR0124
    assert a != b
    assert len({a: 1, b: 2}) == 2


def test_a_function_whose_signature_is_inspected_is_not_changed() -> None:
    def plain(x: int) -> int:
        return x

    task(plain)

    assert plain(5) == 5
    assert re.match("<function", repr(plain))
