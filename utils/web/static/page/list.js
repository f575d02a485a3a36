// The list of photographs with what becomes of each, and the line that says how far the work is.

import {drawThumbnail} from "./picture.js";
import {make} from "./table.js";
import {count, percent, shown} from "./words.js";

const byId = (id) => document.getElementById(id);

// What a sheet's line says.
export function stateOf({state, share, note, answer}) {
  switch (state) {
    case "sending": return `Sending, ${percent(share)}`;
    case "working": return "The server is working on it";
    case "failed": return note;
    case "done": {
      const problems = answer.problems.length;
      const found = count(answer.objects.length, "object", "objects");
      return problems ? `${found}, ${count(problems, "problem", "problems")}` : found;
    }
    default: return note || "Waiting";
  }
}

// A list that calls `opened(sheet)`, `retried(sheet)` and `removed(sheet)` for its buttons.
export function makeList({opened, retried, removed}) {
  const list = byId("sheets");
  const lines = new Map(); // sheet -> its elements
  let thumbnails = Promise.resolve(); // one after the other: each takes the memory of a whole photograph for a moment

  function button(className, text, act) {
    const element = make("button", className, text);
    element.type = "button";
    element.addEventListener("click", act);
    return element;
  }

  function add(sheet) {
    const canvas = make("canvas", "thumbnail");
    canvas.width = canvas.height = 1;
    const name = make("bdi", "title", shown(sheet.name)), state = make("span", "fine");
    name.title = shown(sheet.name);
    const open = button("open", canvas, () => opened(sheet));
    open.append(make("span", "text", name, make("span", "unseen", ": "), state));
    const meter = make("progress");
    meter.setAttribute("aria-label", `Progress of ${shown(sheet.name)}`);
    const again = button("small", "Try again", () => retried(sheet));
    const remove = button("small square", make("span", "", "✕"), () => removed(sheet));
    remove.firstChild.setAttribute("aria-hidden", "true");
    remove.setAttribute("aria-label", `Remove ${shown(sheet.name)}`);
    remove.title = "Remove";
    again.setAttribute("aria-label", `Try ${shown(sheet.name)} again`);
    const item = make("li", "", open, make("div", "acts", again, remove), meter);
    lines.set(sheet, {item, open, state, meter, again, canvas});
    list.append(item);
  }

  function update(sheet) {
    if (!lines.has(sheet)) add(sheet);
    const line = lines.get(sheet);
    line.item.dataset.state = sheet.state;
    const text = stateOf(sheet);
    if (line.state.textContent !== text) line.state.textContent = text;
    line.again.hidden = sheet.state !== "failed" || !sheet.fits;
    line.meter.hidden = sheet.state !== "sending" && sheet.state !== "working";
    if (sheet.state === "sending") line.meter.value = sheet.share;
    else line.meter.removeAttribute("value");
    if (sheet.state === "done" && line.canvas.width === 1) {
      thumbnails = thumbnails.then(() => lines.has(sheet) && drawThumbnail(line.canvas, sheet.file));
    }
  }

  function remove(sheet) {
    lines.get(sheet)?.item.remove();
    lines.delete(sheet);
  }

  function setCurrent(sheet) {
    for (const [other, {open}] of lines) {
      if (other === sheet) open.setAttribute("aria-current", "true");
      else open.removeAttribute("aria-current");
    }
  }

  return {update, remove, setCurrent, focus: (sheet) => lines.get(sheet)?.open.focus()};
}

// How far the work on `sheets` is, in a sentence.
export function summary(sheets) {
  const number = (state) => sheets.filter((sheet) => sheet.state === state).length;
  const done = number("done"), failed = number("failed"), all = count(sheets.length, "photograph", "photographs");
  if (!sheets.length) return "";
  return `${done === sheets.length ? all : `${done} of ${all}`} done${failed ? `, ${failed} failed` : ""}.`;
}
