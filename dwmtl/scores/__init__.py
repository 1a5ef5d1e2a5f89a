"""Scores: arrays and tables in, numbers out. Pure: opens no file, knows no network and no MLflow."""
