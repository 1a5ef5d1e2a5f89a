"""What a trained network is worth: verification, expression, authentication, and the report."""
