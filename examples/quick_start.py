# %% [markdown]
# # Quick start: a photo to an answer
#
# Run `make repro` once: it leaves a model in `data/models/fold_0`. It knows drawn faces only; for photographs see
# [from a checkpoint](../docs/from_a_checkpoint.md). Start this notebook in the repository.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from dwmtl import load_model
from dwmtl.inference.annotate import annotate

model = load_model("data/models/fold_0")
photos = sorted(Path("data/raw/rendered/oulu_casia/VL/Strong").glob("P001/*/*.jpeg"))

# %% [markdown]
# ## Who is it, what does the face show?

# %%
photo = next(path for path in reversed(photos) if path.parent.name == "Happiness")
analysis = model.analyze(photo)
face = analysis.chosen
for name, probability in sorted(face.probabilities["expression"].items(), key=lambda item: -item[1]):
    print(f"{name:10} {probability:6.1%}")

plt.imshow(annotate(np.array(Image.open(photo).convert("RGB")), analysis))
plt.axis("off")
plt.show()

# %% [markdown]
# ## Are two faces the same person?
#
# The distance of the embeddings (lower is closer) against the model's threshold, which the pipeline chose on people
# that the model was not trained on.

# %%
stranger = next(Path("data/raw/rendered/oulu_casia/VL/Strong").glob("P002/Happiness/*.jpeg"))
for other in (photos[0], stranger):
    answer = model.verify(photo, other)
    print(f"{other.parent.parent.name}: distance {answer.distance:.3f}, the same person: {answer.is_same}")

# %% [markdown]
# ## Is it this person, and does the face show what was asked for?

# %%
for expression in ("happiness", "sadness"):
    print(expression, model.authenticate(photo, photos[0], expression=expression).is_accepted)
