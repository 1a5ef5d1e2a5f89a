"""MLflow: an experiment's run, a child run a fold. The sole owner of mlflow, but for what is a model of it.

A tracking server that is down, locked or full costs a warning, never a training: the first failure turns the rest of
the run's logging off. Nothing here is read by a stage's outputs.
"""
