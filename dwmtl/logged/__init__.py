"""What of the pipeline's outputs goes to MLflow, read from the files: by the stages, or later by `dwmtl resend`."""
