"""A trained model in use: photos in, answers out. `dwmtl.load_model` is the way in."""
