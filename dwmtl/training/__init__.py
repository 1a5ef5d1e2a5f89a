"""From crops and labels to a trained network and its trajectory."""
