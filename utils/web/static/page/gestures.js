// Mouse, touch, pen, wheel and keys as zooming and moving.

const STEP = 1.25;           // zoom of one key or button
const NUDGE = 60;            // pixels that an arrow key moves
const SLOP = 5;              // pixels that a finger may stray while it taps
const LINE = 16;             // pixels of a line, for wheels that count lines

// Calls view.zoom(factor, x, y), view.move(dx, dy) and view.fit(); x and y are pixels from the corner of `stage`.
export function listen(stage, view) {
  const pointers = new Map(); // id -> [x, y], those that are down
  let travelled = 0;          // pixels since the first of them came down
  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (!pointers.size) travelled = 0;
    pointers.set(event.pointerId, place(event));
  });

  stage.addEventListener("pointermove", (event) => {
    const from = pointers.get(event.pointerId);
    if (!from) return;
    const to = place(event);
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    pointers.set(event.pointerId, to);
    travelled += distance(from, to);
    if (travelled < SLOP && !other) return;
    stage.setPointerCapture(event.pointerId);
    stage.classList.add("moving");
    if (other) {
      const [before, after] = [from, to].map((point) => Math.max(distance(point, other), 1));
      view.zoom(after / before, (to[0] + other[0]) / 2, (to[1] + other[1]) / 2);
      view.move((to[0] - from[0]) / 2, (to[1] - from[1]) / 2);
    } else {
      view.move(to[0] - from[0], to[1] - from[1]);
    }
  });

  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) {
    stage.addEventListener(kind, (event) => {
      pointers.delete(event.pointerId);
      if (!pointers.size) stage.classList.remove("moving");
    });
  }

  stage.addEventListener("click", (event) => {
    if (travelled >= SLOP && event.detail) event.stopImmediatePropagation(); // the end of a drag is no choice
  }, {capture: true});

  stage.addEventListener("dblclick", (event) => view.zoom(2, ...place(event)));

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE : 1);
    view.zoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.002)), ...place(event)); // ctrlKey: a pinch on a touchpad
  }, {passive: false});

  const keys = {
    "+": () => zoomIn(stage, view), "=": () => zoomIn(stage, view), "-": () => zoomOut(stage, view), "0": view.fit,
    ArrowLeft: () => view.move(NUDGE, 0), ArrowRight: () => view.move(-NUDGE, 0),
    ArrowUp: () => view.move(0, NUDGE), ArrowDown: () => view.move(0, -NUDGE),
  };
  stage.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
}

export function zoomIn(stage, view) {
  view.zoom(STEP, stage.clientWidth / 2, stage.clientHeight / 2);
}

export function zoomOut(stage, view) {
  view.zoom(1 / STEP, stage.clientWidth / 2, stage.clientHeight / 2);
}

function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}
