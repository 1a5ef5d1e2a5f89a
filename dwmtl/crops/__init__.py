"""From a photo to an aligned crop and back: reading, face detection, cropping, storing. Knows no label."""
