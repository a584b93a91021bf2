"""A small flow in a script, one of whose rows is bad: `notebook-flows run example_notebooks/etl.py`."""

from notebook_flows import Flow, Parameter, case, task


@task(max_retries=2, retry_delay=0.1)
def extract(date, context):
    if context.attempt == 1:
        raise ConnectionError("the source is away for a moment")  # and back at the second try
    return [{"id": number, "amount": amount, "date": date} for number, amount in enumerate([12, 7, "n/a", 30])]


@task
def clean(row):
    return {**row, "amount": float(row["amount"])}


@task
def total(rows):
    return sum(row["amount"] for row in rows)


@task
def count(rows):
    return len(rows)


@task
def celebrate(how_many):
    return "a big day"


@task
def file_away(how_many):
    return f"{how_many} rows filed"


with Flow("etl") as flow:
    date = Parameter("date", default="2021-01-01")
    rows = extract(date)
    total(clean.map(rows))
    number = count(rows)
    with case(number, 1000):
        celebrate(number)
    file_away(number)
