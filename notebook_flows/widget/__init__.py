"""The live picture in notebooks: what the browser is told of a run, and the widget that tells it."""
