"""The three rendered sets, in the official layouts of the real ones, so that the same adapters read them.

Every photo has its own generator, seeded by the seed, the set, the person and the photo, so that adding people or
photos leaves the bytes of the others unchanged.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from itertools import combinations, product
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from dwmtl.cores import num_cores
from dwmtl.files import write_text
from dwmtl.progress import Progress
from dwmtl.rendered.expression import NUM_MOVEMENTS, PROTOTYPES, Expression, express
from dwmtl.rendered.face import draw_photo
from dwmtl.rendered.params import RenderParams
from dwmtl.rendered.person import Person, draw_person
from dwmtl.rendered.scene import draw_scene

TERMS = "Drawn by this project: nobody is on it, and its licence is the project's."

_OULU_CASIA, _LFW, _IDENTITIES = range(3)
_OULU_SIZE, _LFW_SIZE = (240, 320), (250, 250)  # height, width
_NUM_BLOCKS = 10
FEW_PHOTOS = 150
"""So many are drawn in this process: the workers of a pool take as long to start as half of them to draw."""
_SYLLABLES = ("ba", "do", "ki", "lu", "me", "no", "pa", "ri", "so", "tu", "va", "ze")


def render_oulu_casia(folder: Path, params: RenderParams) -> None:
    """`VL/Strong/P001/Anger/000.jpeg`: six sequences per subject, each from neutral to peak, 320x240."""
    num_photos = params.num_expression_subjects * len(PROTOTYPES) * params.num_frames
    _render(partial(_render_subject, folder, params), range(params.num_expression_subjects), num_photos, "oulu_casia")


def render_lfw(folder: Path, params: RenderParams) -> None:
    """`Name_Surname/Name_Surname_0001.jpg`, 250x250, and `pairs.txt`: ten blocks of pairs, each of different people.

    Only photos that a pair names are drawn. Genuine pairs are a person's photos 1 and 2, 1 and 3, ...
    """
    lines = [f"{_NUM_BLOCKS}\t{params.num_pairs_per_block}"]
    photos: set[tuple[int, int]] = set()
    for block in range(_NUM_BLOCKS):
        people = range(block, params.num_verification_people, _NUM_BLOCKS)
        genuine, impostor = _block_pairs(list(people), params, block)
        lines += [f"{_name(a)}\t{i}\t{j}" for a, i, j in genuine]
        lines += [f"{_name(a)}\t{i}\t{_name(b)}\t{j}" for a, i, b, j in impostor]
        photos |= {(a, k) for a, i, j in genuine for k in (i, j)}
        photos |= {photo for a, i, b, j in impostor for photo in ((a, i), (b, j))}
    _render(partial(_render_lfw_photo, folder, params), sorted(photos), len(photos), "lfw")
    write_text("\n".join(lines) + "\n", folder / "pairs.txt")


def render_identities(folder: Path, params: RenderParams) -> None:
    """`0000123/001.jpg`: many people, several casual photos each, 250x250."""
    num_photos = params.num_identity_people * params.num_photos_per_person
    _render(partial(_render_identity, folder, params), range(params.num_identity_people), num_photos, "identities")


def _render(render: Callable, places: Iterable, num_photos: int, title: str) -> None:
    """Render every place, many photos on all cores; each has its own generator, so that the order does not matter.

    Workers are spawned, not forked: a fork would inherit the locks of torch's or OpenCV's threads.
    """
    places = list(places)
    is_parallel = num_photos > FEW_PHOTOS
    with ProcessPoolExecutor(num_cores(), get_context("spawn")) if is_parallel else nullcontext() as pool:
        for _ in Progress((pool.map if pool else map)(render, places), desc=f"render {title}", total=len(places)):
            pass


def _render_subject(folder: Path, params: RenderParams, subject: int) -> None:
    person = _person(params, _OULU_CASIA, subject)
    for number, name in enumerate(PROTOTYPES):
        _render_sequence(folder / f"VL/Strong/P{subject + 1:03d}/{name}", person, params, subject, number, name)


def _render_lfw_photo(folder: Path, params: RenderParams, photo: tuple[int, int]) -> None:
    person, number = photo
    path = folder / _name(person) / f"{_name(person)}_{number:04d}.jpg"
    _render_casual(path, params, _LFW, person, number, harder=1.25)


def _render_identity(folder: Path, params: RenderParams, person: int) -> None:
    for number in range(1, params.num_photos_per_person + 1):
        _render_casual(folder / f"{person:07d}/{number:03d}.jpg", params, _IDENTITIES, person, number)


def _render_sequence(folder: Path, person: Person, params: RenderParams, subject: int, number: int, name: str) -> None:
    """One sequence: the scene stays, the expression grows from neutral to the sequence's peak."""
    rng = _generator(params, _OULU_CASIA, subject, number)
    height, width = _OULU_SIZE
    scene_seed = int(rng.integers(2**32))
    peak = float(rng.uniform(1.0 - 0.55 * params.difficulty, 1.0))
    wobble = 0.22 * params.difficulty * rng.normal(size=NUM_MOVEMENTS)
    for frame in range(params.num_frames):
        scene = draw_scene(np.random.default_rng(scene_seed), height=height, width=width, difficulty=params.difficulty)
        intensity = _growth(frame, params.num_frames) * peak
        expression = express(name, intensity, person.gains, wobble)
        photo = draw_photo(person, expression, scene, rng, height=height, width=width)
        _write(folder / f"{frame:03d}.jpeg", photo, scene.jpeg_quality)


def _growth(frame: int, num_frames: int) -> float:
    """Share of the peak at a frame: 0 at the first, smooth, at least 0.9 over the last three."""
    first_peak = num_frames - 3
    if frame >= first_peak:
        return 0.9 + 0.05 * (frame - first_peak)
    return 0.9 * frame / first_peak


def _render_casual(
    path: Path, params: RenderParams, number_of_set: int, person: int, number: int, *, harder: float = 1.0
) -> None:
    """A photo of a person with a mild expression or none, in a new scene."""
    rng = _generator(params, number_of_set, person, number)
    height, width = _LFW_SIZE
    subject = _person(params, number_of_set, person)
    name = str(rng.choice(list(PROTOTYPES)))
    mild = float(rng.choice([0.0, 0.0, 1.0]) * rng.uniform(0.2, 0.8))
    expression: Expression = express(name, mild, subject.gains, np.zeros(NUM_MOVEMENTS))
    scene = draw_scene(rng, height=height, width=width, difficulty=min(1.0, harder * params.difficulty))
    _write(path, draw_photo(subject, expression, scene, rng, height=height, width=width), scene.jpeg_quality)


def _block_pairs(people: list[int], params: RenderParams, block: int) -> tuple[list[tuple], list[tuple]]:
    """Genuine (person, i, j) and impostor (person, i, other, j) pairs of one block, none twice; photos count from 1."""
    rng = _generator(params, _LFW, 2**31, block)
    num_pairs = params.num_pairs_per_block
    genuine = [(people[number % len(people)], 1, 2 + number // len(people)) for number in range(num_pairs)]
    numbers = range(1, max(j for _, _, j in genuine) + 1)
    strangers = [(a, i, b, j) for a, b in combinations(people, 2) for i, j in product(numbers, repeat=2)]
    impostor = [strangers[number] for number in rng.choice(len(strangers), size=num_pairs, replace=False)]
    return genuine, impostor


def _name(person: int) -> str:
    """A made-up name, different for every number."""
    parts, rest = [], person
    for _ in range(4):
        parts.append(_SYLLABLES[rest % len(_SYLLABLES)])
        rest //= len(_SYLLABLES)
    return f"{parts[0].capitalize()}{parts[1]}_{parts[2].capitalize()}{parts[3]}"


def _person(params: RenderParams, number_of_set: int, person: int) -> Person:
    return draw_person(_generator(params, number_of_set, person, 2**31), NUM_MOVEMENTS)


def _generator(params: RenderParams, *place: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([params.seed, *place]))


def _write(path: Path, photo: np.ndarray, quality: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    done, encoded = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise OSError(f"{path}: could not be encoded")
    path.write_bytes(encoded.tobytes())
