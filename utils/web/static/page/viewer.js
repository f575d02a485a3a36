// The large picture with the outlines of its objects, which can be zoomed and moved.
//
// CSS fits canvas and outlines alike into the stage ("contain"). On top of that comes the view {k, x, y}: a point p of
// the stage is seen at k * p + (x, y), in CSS pixels.

import {listen, zoomIn, zoomOut} from "./gestures.js";
import {show} from "./picture.js";
import {caption, shown} from "./words.js";

const CLOSEST = 8;           // CSS pixels that a pixel of the photograph may become
const MARGIN = 24;           // pixels that are left around an object that is brought into view
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

// A viewer that calls `pointed(number)` and `chosen(number)` with the object under the pointer or focus, or clicked on;
// null: none. `colours`: name of a class -> its colour.
export function makeViewer({pointed, chosen, colours}) {
  const stage = byId("stage"), picture = byId("picture"), outlines = byId("outlines"), tip = byId("tip");
  const group = outlines.querySelector("g");
  let size = {width: 1, height: 1}; // of the upright photograph, in its pixels
  let objects = [];
  let k = 1, x = 0, y = 0;
  let shownTip = null;              // the object that the tip tells of

  // How CSS fits the photograph into the stage: pixel p of it lies at f * p + (left, top). And the size of the stage.
  function fitted() {
    const {width, height} = stage.getBoundingClientRect();
    const f = Math.min(width / size.width, height / size.height) || 1;
    return {f, left: (width - f * size.width) / 2, top: (height - f * size.height) / 2, width, height};
  }

  function apply() {
    const {f, left, top, width, height} = fitted();
    const inside = (offset, start, length, room) => { // no gap where there is something to fill it
      const low = -k * start + Math.min(0, room - k * length), high = -k * start + Math.max(0, room - k * length);
      return k * length <= room ? (low + high) / 2 : Math.min(high, Math.max(low, offset));
    };
    x = inside(x, left, f * size.width, width);
    y = inside(y, top, f * size.height, height);
    picture.style.transform = `translate(${x}px, ${y}px) scale(${k})`;
    group.setAttribute("transform", `translate(${(k * left + x - left) / f} ${(k * top + y - top) / f}) scale(${k})`);
    stage.classList.toggle("fits", k === 1);
    byId("zoom").textContent = size.width > 1 ? `${Math.round(100 * k * f)}%` : "";
    byId("out").setAttribute("aria-disabled", k === 1);
    byId("in").setAttribute("aria-disabled", k >= closest(f));
    placeTip();
  }

  function closest(f) {
    return Math.max(1, CLOSEST / f);
  }

  const view = {
    zoom(factor, atX, atY) {
      const before = k;
      k = Math.min(closest(fitted().f), Math.max(1, k * factor));
      x = atX - (atX - x) * k / before;
      y = atY - (atY - y) * k / before;
      apply();
    },
    move(dx, dy) {
      x += dx;
      y += dy;
      apply();
    },
    fit() {
      [k, x, y] = [1, 0, 0];
      apply();
    },
  };

  // Where the box of an object is seen on the stage: {left, top, right, bottom}.
  function seen({box}) {
    const {f, left, top} = fitted();
    const [atX, atY] = [(p) => k * (f * p + left) + x, (p) => k * (f * p + top) + y];
    return {
      left: atX(box.left), top: atY(box.top), right: atX(box.left + box.width), bottom: atY(box.top + box.height),
    };
  }

  // Moves no further than it takes to see the object; one that is too large is centred.
  function reveal(object) {
    const {left, top, right, bottom} = seen(object), {width, height} = fitted();
    const shift = (low, high, room) => {
      if (high - low > room - 2 * MARGIN) return (room - low - high) / 2;
      return Math.max(0, MARGIN - low) + Math.min(0, room - MARGIN - high);
    };
    view.move(shift(left, right, width), shift(top, bottom, height));
  }

  function placeTip() {
    tip.hidden = !shownTip;
    if (!shownTip) return;
    tip.textContent = caption(shownTip);
    const {left, top, bottom} = seen(shownTip);
    const above = top - tip.offsetHeight - 6;
    const down = above >= 0 ? above : Math.min(bottom + 6, stage.clientHeight - tip.offsetHeight);
    tip.style.left = `${Math.max(0, Math.min(left, stage.clientWidth - tip.offsetWidth))}px`;
    tip.style.top = `${Math.max(0, down)}px`;
  }

  function outline(object) {
    const polygon = document.createElementNS(SVG, "polygon");
    polygon.setAttribute("points", object.polygon.map((point) => point.join(",")).join(" "));
    polygon.setAttribute("tabindex", "0");
    polygon.setAttribute("role", "button");
    polygon.setAttribute("aria-label", caption(object));
    polygon.setAttribute("aria-pressed", "false");
    polygon.dataset.number = object.number;
    polygon.dataset.class = object.class;
    polygon.classList.toggle("box", object.class_index === null);
    polygon.style.setProperty("--line", colours.get(object.class) ?? "CanvasText");
    return polygon;
  }

  // Shows the objects of a photograph of `width` x `height` pixels. Small objects lie on large ones.
  function open(name, {width, height}, objects_) {
    if (size.width !== width || size.height !== height) [k, x, y] = [1, 0, 0];
    [size, objects, shownTip] = [{width, height}, objects_, null];
    picture.setAttribute("aria-label", `Photograph ${shown(name)}`);
    outlines.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const area = ({box}) => box.width * box.height;
    group.replaceChildren(...[...objects].sort((a, b) => area(b) - area(a)).map(outline));
    apply();
  }

  // Puts a picture, {bitmap, drawn}, under the outlines; null: takes away the one that is there.
  function draw(picture_) {
    picture.hidden = !picture_;
    outlines.classList.toggle("drawn", Boolean(picture_?.drawn));
    if (picture_) show(picture, picture_.bitmap);
    else picture.width = picture.height = 1;
  }

  function mark(kind, number) {
    for (const polygon of group.children) polygon.classList.toggle(kind, polygon.dataset.number === String(number));
    if (kind === "chosen") {
      for (const item of group.children) item.setAttribute("aria-pressed", item.classList.contains("chosen"));
    }
    shownTip = find(number) ?? find(group.querySelector(".chosen:not([hidden])")?.dataset.number) ?? null;
    placeTip();
  }

  function find(number) {
    return objects.find((object) => String(object.number) === String(number));
  }

  // Shows the objects of the classes for which `wanted(name)` is true.
  function filter(wanted) {
    for (const polygon of group.children) polygon.toggleAttribute("hidden", !wanted(polygon.dataset.class));
    if (shownTip && !wanted(shownTip.class)) shownTip = null;
    placeTip();
  }

  // The stage listens: browsers let the Tab key stop at an SVG that listens for the focus itself.
  const numberAt = (event) => event.target.closest("polygon")?.dataset.number ?? null;
  for (const kind of ["pointerover", "focusin"]) stage.addEventListener(kind, (event) => pointed(numberAt(event)));
  for (const kind of ["pointerleave", "focusout"]) stage.addEventListener(kind, () => pointed(null));
  stage.addEventListener("focusin", (event) => numberAt(event) && reveal(find(numberAt(event))));
  stage.addEventListener("click", (event) => chosen(numberAt(event)));
  stage.addEventListener("keydown", (event) => {
    if (!numberAt(event) || event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    chosen(numberAt(event));
  });
  byId("in").addEventListener("click", () => zoomIn(stage, view));
  byId("out").addEventListener("click", () => zoomOut(stage, view));
  byId("fit").addEventListener("click", view.fit);
  listen(stage, view);
  new ResizeObserver(apply).observe(stage);
  return {open, draw, mark, filter, reveal: (number) => reveal(find(number))};
}
