"""How the task losses are weighted: one rule a file, under one contract."""
