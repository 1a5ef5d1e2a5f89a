"""Everything MLflow: runs, what is logged to them, the served model, resending.

Reads the files that stages wrote; no output of a stage depends on it. A tracking server that is down, locked or full
causes a warning and never stops a training: the first failure turns off the rest of the run's logging.
"""
