"""Things on a sheet that belong to no class, or that experts could disagree about.

Cards that count as background have no shape. Blank packets and emblems are marked `_ignore_`, as in labels that are
made by hand.
"""

from __future__ import annotations

import cv2
import numpy as np

from utils.sheets.drawing.draw import Card, Kit
from utils.sheets.drawing.pixels import Color, grain, shade, smooth_noise, vary, wander
from utils.sheets.drawing.text import INKS
from utils.sheets.growth.leaves import PRESSED
from utils.sheets.things.emblems import logo
from utils.sheets.things.inked import IGNORED


def fragments(kit: Kit, card: Card) -> None:
    """Scatters seeds, small leaves and bits of stem over a packet."""
    rng = kit.rng
    color, faint = vary(rng, kit.pick(((86, 62, 40), (58, 50, 32), (120, 96, 60))), 10), rng.uniform(0.15, 1.0)
    bits = Card(card.width, card.height, kit.scale, (0, 0, 0))
    middle, spread = rng.uniform(0.35, 0.65, 2), rng.uniform(0.08, 0.18)
    t = np.linspace(0, 2 * np.pi, 10)
    for _ in range(int(rng.integers(3, 40))):
        at = np.clip(middle + rng.normal(0, spread, 2), 0.1, 0.9) * (card.width, card.height)
        if kit.chance(0.5):
            turn, size = rng.uniform(0, 6.3), rng.uniform(0.1, 0.7)
            leaf = np.stack([np.cos(t) * size, np.sin(t) * size * rng.uniform(0.2, 0.6)], 1)
            bits.fill(at + leaf @ np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))]),
                      (int(rng.integers(150, 256)),) * 3)
        else:
            bits.line(wander(rng, at, rng.uniform(0, 6.3), rng.uniform(0.3, 2), 1.0), (230, 230, 230), 0.05)
    card.stain(bits.image[..., 0], 0, 0, color, faint)


def packet(kit: Kit, sheet: Color) -> Card:
    """A packet or envelope for fragments: folded paper without text, sometimes transparent, sometimes filled."""
    rng = kit.rng
    alike = kit.chance(0.7)
    color = vary(rng, np.asarray(sheet) + rng.uniform(-25, 14), 4) if alike else vary(rng, (214, 196, 158), 12)
    card = Card(rng.uniform(4, 11), rng.uniform(4, 13), kit.scale, color)
    width, height = card.width, card.height
    fold = tuple(int(channel * rng.uniform(0.86, 0.97)) for channel in color)
    light = tuple(int(min(255, channel * 1.03)) for channel in color)
    kind = kit.pick(("flap", "folds", "envelope", "bag"), (3, 4, 2, 1))
    if kind == "flap":
        card.fill(np.array([(0, 0), (width, 0), (width / 2, height * rng.uniform(0.3, 0.55))]), light)
        card.line(((0, 0), (width / 2, height * 0.45), (width, 0)), fold, 0.04)
    elif kind == "envelope":
        for points in (((0, height), (width * 0.4, height * 0.5)), ((width, height), (width * 0.6, height * 0.5)),
                       ((0, height * 0.42), (width, height * 0.42))):
            card.line(points, fold, 0.04)
    elif kind == "bag":
        card.rect(0, 0, width, 0.5, light)
        card.line(((0, 0.5), (width, 0.5)), kit.pick((fold, (190, 40, 40))), 0.05)
        card.alpha[:] = 190
    for _ in range(int(rng.integers(1, 4))):
        x = rng.uniform(0.03, 0.97)
        line = ((0, height * x), (width, height * x)) if kit.chance(0.5) else ((width * x, 0), (width * x, height))
        card.line(line, fold, rng.uniform(0.02, 0.08))
    if kit.chance(0.4) or kind == "bag":
        fragments(kit, card)
    card.mark(IGNORED)
    return card


def photograph(kit: Kit) -> Card:
    """A photograph or drawing without text, glued on: a landscape, plants, or lines. It counts as background."""
    rng = kit.rng
    frame = rng.uniform(0.1, 0.7) if kit.chance(0.75) else 0.0
    ground = kit.pick(((245, 244, 240), (228, 218, 194), (24, 24, 26)), (6, 2, 1))
    card = Card(rng.uniform(4, 11), rng.uniform(4, 11), kit.scale, ground)
    inner = Card(card.width - 2 * frame, card.height - 2 * frame, kit.scale, (255, 255, 255))
    kit.pick((landscape, greenery, sketch), (4, 4, 3))(kit, inner)
    if kit.chance(0.35):  # black and white, or faded to brown
        tint = (1.0, 1.0, 1.0) if kit.chance(0.5) else (1.0, 0.93, 0.8)
        inner.image[:] = np.clip(inner.image.mean(2, keepdims=True) * tint, 0, 255).astype(np.uint8)
    card.put(inner, frame, frame)
    return card


def landscape(kit: Kit, card: Card) -> None:
    """Fills a card with sky above ground."""
    size = card.alpha.shape
    sky = np.clip(np.linspace(215, 120, size[0])[:, None] + smooth_noise(kit.rng, size, 3) * 25, 0, 255)
    ground = smooth_noise(kit.rng, size, 10) * 40 + 90
    horizon = size[0] * (0.5 + 0.12 * smooth_noise(kit.rng, size, 2))
    above = np.arange(size[0])[:, None] < horizon
    colors = np.where(above[..., None], kit.rng.uniform(0.75, 1.1, 3), kit.rng.uniform(0.5, 1.1, 3))
    card.image[:] = np.clip(np.where(above, sky, ground)[..., None] * colors, 0, 255).astype(np.uint8)


def greenery(kit: Kit, card: Card) -> None:
    """Fills a card with leaves and a few bright flowers, out of focus."""
    rng = kit.rng
    card.image[:] = vary(rng, kit.pick(((58, 76, 40), (92, 100, 64), (130, 140, 150), (110, 84, 60))), 12)
    angle = np.linspace(0, 2 * np.pi, 12)
    for _ in range(int(rng.integers(20, 70))):
        turn, size = rng.uniform(0, 6.3), rng.uniform(0.2, 1.4)
        leaf = np.stack([np.cos(angle) * size, np.sin(angle) * size * rng.uniform(0.2, 0.6)], 1)
        at = rng.uniform(0, 1, 2) * (card.width, card.height)
        tone = kit.pick(PRESSED if kit.chance(0.88) else ((220, 90, 120), (240, 220, 90), (240, 240, 240)))
        turned = leaf @ np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
        card.fill(at + turned, vary(rng, tone, 20))
    card.image[:] = cv2.GaussianBlur(card.image, (0, 0), rng.uniform(0.02, 0.1) * card.scale)


def sketch(kit: Kit, card: Card) -> None:
    """Draws a few curved lines on a white card."""
    tone = kit.pick(INKS)
    for _ in range(int(kit.rng.integers(4, 14))):
        start = kit.rng.uniform(0.2, 0.8, 2) * (card.width, card.height)
        card.line(wander(kit.rng, start, kit.rng.uniform(0, 6.3), card.height * 0.35, 1.5), tone, 0.03)


def plain_strip(kit: Kit) -> Card:
    """A rectangle of one colour, such as cardboard, dark paper, wood or tape. It counts as background."""
    rng = kit.rng
    colors = ((34, 32, 32), (150, 122, 86), (196, 178, 140), (232, 228, 214), (90, 92, 96), (120, 40, 36),
              (204, 166, 108), (176, 176, 172))
    color = kit.pick(colors)
    long = kit.chance(0.7)
    height = rng.uniform(0.3, 1.2) if long else rng.uniform(1, 5)
    card = Card(rng.uniform(2, 20 if long else 9), height, kit.scale, vary(rng, color, 8))
    size = card.alpha.shape
    gain = 1 + smooth_noise(rng, size, 6) * 0.04 + grain(rng, size) * 0.015
    shade(card.image, gain.astype(np.float32))
    return card


def mounting_tape(kit: Kit) -> Card:
    """A thin strip of gummed cloth or clear tape that holds the plant. It counts as background."""
    rng = kit.rng
    color = kit.pick(((250, 250, 246), (240, 236, 222), (225, 214, 180), (214, 190, 130)))
    card = Card(rng.uniform(0.8, 5.0), rng.uniform(0.15, 0.5), kit.scale, vary(rng, color, 5))
    if kit.chance(0.35):
        card.alpha[:] = int(rng.uniform(60, 170))
    return card


def clear_tape(kit: Kit) -> Card:
    """A wide piece of clear tape, new or yellow with age, with cut or toothed ends. It counts as background."""
    rng = kit.rng
    height, length = rng.uniform(1.0, 2.6), rng.uniform(1.2, 9)
    color = vary(rng, kit.pick(((252, 252, 250), (236, 224, 186), (216, 184, 120), (198, 158, 92)), (5, 3, 2, 1)), 6)
    card = Card(length, height, kit.scale, color)
    size = card.alpha.shape
    body = rng.uniform(14, 90)
    alpha = body * (1 + 0.35 * smooth_noise(rng, size, rng.uniform(4, 14)))
    for _ in range(int(rng.integers(0, 4))):  # folds and glare run across it
        start, wide = rng.uniform(0, 0.9), rng.uniform(0.02, 0.2)
        alpha[:, int(start * size[1]):int((start + wide) * size[1])] += rng.uniform(8, 60)
    edge = max(1, round(0.03 * kit.scale))
    alpha[:edge], alpha[-edge:] = alpha[:edge] + 30, alpha[-edge:] + 30
    card.alpha[:] = np.clip(alpha, 6, 200).astype(np.uint8)
    if kit.chance(0.5):  # a toothed end
        teeth = np.arange(0, height + 0.1, 0.1)
        zigzag = np.stack([length - 0.09 * (np.arange(len(teeth)) % 2), np.minimum(teeth, height)], 1)
        shown = Card(length, height, kit.scale, (0, 0, 0))
        shown.fill(np.concatenate([[(0, 0)], zigzag, [(0, height)]]), (255, 255, 255))
        card.alpha = cv2.min(card.alpha, shown.image[..., 0])
    return card


def nameplate(kit: Kit) -> Card:
    """A plate beside the sheet with an institution's emblem and name. It is IGNORE."""
    rng = kit.rng
    dark = kit.chance(0.6)
    ground, tone = ((20, 20, 20), (235, 235, 235)) if dark else ((250, 250, 250), kit.pick(
        ((30, 30, 30), (0, 90, 100), (120, 20, 40), (40, 60, 120))))
    card = Card(rng.uniform(2.5, 8), rng.uniform(1.2, 2.6), kit.scale, ground)
    logo(kit, card, (0.1, 0.1, card.width - 0.2, card.height - 0.2), tone)
    card.mark(IGNORED)
    return card


def clip(kit: Kit) -> Card:
    """A paper clip. It counts as background."""
    card = Card(1.2, 3.4, kit.scale, (0, 0, 0))
    card.line(((0.3, 0.9), (0.3, 2.7), (0.45, 3.0), (0.75, 3.0), (0.9, 2.7), (0.9, 0.6), (0.75, 0.3), (0.6, 0.3),
               (0.5, 0.5), (0.5, 2.4)), (255, 255, 255), 0.08)
    card.alpha = card.image[..., 0].copy()
    card.image[:] = vary(kit.rng, (150, 150, 155), 25)
    return card
