"""A page to try a model on, for one person at this machine: it is served to 127.0.0.1 alone and asks nobody else."""
