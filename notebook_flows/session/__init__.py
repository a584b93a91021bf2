"""What lives in the kernel: the cells of a notebook as tasks, run where the notebook's values are."""
