"""From photos to aligned crops: the detector, the crop geometry, the batched run."""
