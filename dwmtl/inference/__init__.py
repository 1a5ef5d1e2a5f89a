"""Use of a trained model: photos in, answers out. The entry point is `dwmtl.load_model`."""
