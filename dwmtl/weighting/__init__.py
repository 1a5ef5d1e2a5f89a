"""How the task losses are weighted: one rule per file, under one contract. Pure; opens no file and logs nothing."""
