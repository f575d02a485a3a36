"""Composes a whole sheet and photographs it. The layouts are those of real herbaria, mixed at random."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from utils.sheets import beside, camera, furnish, grounds, paper, scenes
from utils.sheets.drawing.draw import Canvas, Card, Kit, Shape, names_of
from utils.sheets.drawing.fonts import Fonts
from utils.sheets.drawing.pixels import rotation, vary
from utils.sheets.growth import plants
from utils.sheets.growth.thalli import PLANTS, STEMLESS
from utils.sheets.layout import Box, Layout
from utils.sheets.measures import charts, joined
from utils.sheets.things import barcodes, inked, labels

CARD_SCALE = 60.0  # cards are drawn with at least this many pixels per cm, then shrunk, to keep small text smooth
TABLES = (
    labels.KINDS, furnish.ON_LABELS, barcodes.KINDS, charts.KINDS, charts.LONG, joined.KINDS, beside.STRIPS,
    inked.KINDS, grounds.KINDS, PLANTS, STEMLESS, scenes.SCENES, scenes.TURNS,
)
SPECIMEN = "Specimen"  # label of the shape around each piece of the plants
NAMES = sorted({name for table in TABLES for entry, _ in table for name in names_of(entry)}
               | {what.__name__ for what in (*furnish.EXTRAS, beside.place_strip)})  # for Kit's `often`
Turn = float | tuple[float, float] | None


def compose(
    rng: np.random.Generator, fonts: Fonts, height: int, often: Mapping[str, float] | None = None, turned: Turn = None
) -> tuple[np.ndarray, list[Shape]]:
    """The photograph of a random sheet, uint8 (H, W, 3) RGB, and its shapes in pixels; later shapes lie on top.

    The last shapes, with the label SPECIMEN, are the convex hulls of the pieces of the plants.

    Args:
        rng: for all random choices.
        fonts: for all texts.
        height: pixels of the long side.
        often: how many times as often as usual a thing is drawn, by its name in NAMES.
        turned: by how many degrees the sheet is turned counter-clockwise, or from how many to how many. None: mostly 0.
    """
    quick = Kit(rng, fonts, CARD_SCALE, often or {})
    quarters, rest = split(choose_turn(quick, turned))
    ground = quick.one_of(grounds.KINDS)
    scene = quick.one_of(scenes.SCENES)(quick, whole=rest != 0 or ground is not grounds.plain_table)
    share = 1.0 if rest == 0 else rng.uniform(0.85, 1.0)  # below 1 the corners of the scene are cut off
    seen = np.abs(rotation(rest)) @ scene.photo * share
    scale = height / max(seen)
    kit = Kit(rng, fonts, scale * math.ceil(CARD_SCALE / scale), quick.often)
    outer, inner = ((round(size[1] * scale), round(size[0] * scale)) for size in (seen, scene.photo))
    canvas = Canvas(np.empty((*outer, 3), np.uint8), scale)
    ground(kit, canvas, bool(scene.strips))
    if rest == 0:
        shapes = draw(kit, canvas, scene)
    else:
        frame = camera.Askew(inner, outer, rest)
        picture = Canvas(frame.below(canvas.image), scale)
        shapes = draw(kit, picture, scene)
        shapes = frame.lay(picture.image, canvas.image, shapes)
    image, shapes = camera.turn(canvas.image, shapes, quarters)
    image, shapes = camera.photograph(camera.random_lens(kit, image.shape[:2]), image, shapes)
    camera.expose(kit, image)
    return camera.resolve(kit, image), shapes


def choose_turn(kit: Kit, turned: Turn) -> float:
    """Degrees by which the sheet is turned counter-clockwise."""
    if turned is None:
        return kit.one_of(scenes.TURNS)(kit)
    return float(kit.rng.uniform(*turned)) if isinstance(turned, tuple) else turned


def split(degrees: float) -> tuple[int, float]:
    """Quarter turns from 0 to 3, and the rest of the degrees, from -45 to 45."""
    quarters = round(degrees / 90)
    return quarters % 4, degrees - 90 * quarters


def draw(kit: Kit, canvas: Canvas, scene: scenes.Scene) -> list[Shape]:
    """All shapes of a scene, those of the plants last, after drawing it on the table that the canvas shows."""
    layouts, colors = [], []
    for sheet in scene.sheets:
        colors.append(vary(kit.rng, kit.pick(paper.SHEETS, (8, 7, 4, 2, 1, 2, 1, 3, 2, 1)), 5))
        angle = float(kit.rng.normal(0, 0.6)) if kit.chance(0.7) else 0.0
        paper.sheet(kit, canvas, sheet, colors[-1], angle)
        if scene.folded:
            paper.flaps(kit, canvas, sheet, colors[-1])
        seen = visible(sheet, scene.photo)
        layouts.append(Layout(kit, seen, plants.grow(kit, canvas, seen, scene.plants)))
    for side, makers in scene.strips.items():
        beside.place_strip(kit, canvas, layouts, side, makers, scene.photo, scene.margins)
    for layout, color in zip(layouts, colors):
        furnish.furnish(kit, canvas, layout, color, bool(scene.strips))
    if len(layouts) == 1 and kit.chance(0.04):
        neighbour(kit, canvas, scene.photo)
    return canvas.shapes + [Shape(SPECIMEN, points) for layout in layouts for points in layout.specimen.pieces]


def visible(sheet: Box, photo: Sequence[float]) -> Box:
    """The box of the sheet's visible part, a little inside its edges."""
    x0, y0 = max(sheet[0], 0) + 0.25, max(sheet[1], 0) + 0.25
    x1, y1 = min(sheet[0] + sheet[2], photo[0]) - 0.25, min(sheet[1] + sheet[3], photo[1]) - 0.25
    return x0, y0, x1 - x0, y1 - y0


def neighbour(kit: Kit, canvas: Canvas, photo: Sequence[float]) -> None:
    """Pastes the edge of another sheet at one side of the photograph, as IGNORE."""
    color = vary(kit.rng, (238, 232, 218), 10)
    card = Card(kit.rng.uniform(0.3, 1.2), photo[1] * kit.rng.uniform(0.3, 1.0), kit.scale, color)
    card.mark(inked.IGNORED)
    x = kit.pick((card.width / 2 - 0.1, photo[0] - card.width / 2 + 0.1))
    canvas.paste(card, x, photo[1] * kit.rng.uniform(0.2, 0.8), kit.rng.normal(0, 1), 0.2)
