"""A fold's network, or a model, scored on photographs: network, crops and pairs in, scores out."""
