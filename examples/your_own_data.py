# %% [markdown]
# # Your own faces: from a folder to a data set
#
# Photos anywhere below a folder and one table, `faces.csv`, are a data set. Here drawn faces stand for yours. Start
# this notebook in the repository, after `make repro`.

# %%
import shutil
import subprocess
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from PIL import Image

from dwmtl import load_model
from dwmtl.datasets.csv_table import read

mine = Path("build/my_faces")
shutil.rmtree(mine, ignore_errors=True)
for source in sorted(Path("data/raw/rendered/oulu_casia/VL/Strong").glob("P00[1-4]/*/*.jpeg")):
    subject, shown, frame = source.parts[-3:]
    copy = mine / subject / f"{shown}_{frame}"
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, copy)

# %% [markdown]
# ## The table
#
# A row per photo. Any other column is a label for a further task, or a group by which scores are told.

# %%
photos = sorted(path.relative_to(mine) for path in mine.rglob("*.jpeg"))
table = pd.DataFrame({"photo": [path.as_posix() for path in photos]})
table["subject"] = [path.parts[0] for path in photos]
table["expression"] = [path.name.split("_")[0].lower() for path in photos]
table["session"] = "first"
table.to_csv(mine / "faces.csv", index=False)
print(table.head().to_string(index=False))

# %% [markdown]
# ## What the pipeline reads
#
# A wrong row is an error with its line and the cure.

# %%
manifest = read(mine, num_peak_frames=3).photos
print(manifest.groupby(["expression", "use"]).size())

# %% [markdown]
# ## Are the faces found?
#
# The stage `align` does the same; `failures.csv` lists the photos without a face.

# %%
crops = Path("build/my_crops")
shutil.rmtree(crops, ignore_errors=True)
subprocess.run(["dwmtl", "align", mine, crops], check=True)
print(len(pd.read_csv(crops / "failures.csv")), "photos without a face or unreadable")

figure, axes = plt.subplots(1, 6, figsize=(9, 2))
for place, path in zip(axes, sorted((crops / "photos").rglob("*.png")), strict=False):
    place.imshow(Image.open(path))
    place.axis("off")
plt.show()

# %% [markdown]
# ## Are your people told apart?
#
# Distances between one photo of each person: small on the diagonal, large elsewhere.

# %%
model = load_model("data/models/fold_0")
people = table[table["expression"] == "happiness"].groupby("subject")["photo"].agg(["first", "last"])
distances = [[model.verify(mine / a, mine / b).distance for b in people["last"]] for a in people["first"]]
print(pd.DataFrame(distances, people.index, people.index).round(2))

# %% [markdown]
# ## Train on them
#
# In `params.yaml`, the set's adapter and folder; then `dvc repro`:
#
# ```yaml
# sets:
#   expression:
#     adapter: csv_table
#     folder: build/my_faces
# ```
#
# All layouts that are read without a table: [your data](../docs/your_data.md).
