"""What people read: the summary over folds, figures, the report's page, the cards of a model and of a data set."""
