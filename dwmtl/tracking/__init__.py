"""Everything MLflow: runs, what is logged to them, the model that is served, what is sent again.

Reads the files that stages wrote; nothing that a stage writes depends on it. A tracking server that is down, locked or
full costs a warning, never a training: the first failure turns off the rest of the run's logging.
"""
