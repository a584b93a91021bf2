"""The magics ``%flow`` and ``%nbflow``: they translate, and decide nothing."""
