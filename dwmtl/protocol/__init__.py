"""Who is tested on what: identities, folds and pairs. Tables in, tables out; opens no file."""
