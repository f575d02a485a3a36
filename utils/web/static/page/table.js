// What was found on a sheet, as text: problems, facts, objects and barcodes. Names and texts that come from a file or a
// barcode become text nodes, so nothing in them is taken for HTML.

import {caption, centimetres, number, percent, pixels, shown} from "./words.js";

const byId = (id) => document.getElementById(id);

// An element with classes, texts and other elements in it.
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

// A table that calls `pointed(number)` and `chosen(number)`, as the viewer does.
export function makeTable({pointed, chosen, colours}) {
  const rows = byId("rows");

  function row(object, answer) {
    const {width, height} = object.rectangle;
    const swatch = make("i", "swatch");
    swatch.style.setProperty("--line", colours.get(object.class) ?? "CanvasText");
    const name = make("button", "plain name", swatch, object.class);
    name.type = "button";
    name.setAttribute("aria-label", caption(object));
    name.setAttribute("aria-pressed", "false");
    const codes = object.barcodes.map((index) => make("bdi", "code", shown(answer.barcodes[index].text)));
    const head = make("th", "", name, ...codes);
    head.scope = "row";
    const size = make("td", "n", pixels(width, height));
    if (answer.px_per_cm) size.append(make("br"), make("small", "", centimetres(width, height, answer.px_per_cm)));
    const line = make("tr", "", make("td", "n", number(object.number)), head,
      make("td", "n", object.confidence === null ? "–" : percent(object.confidence)), size);
    line.dataset.number = object.number;
    line.dataset.class = object.class;
    return line;
  }

  function fact(name, ...values) {
    return make("div", "", make("dt", "", name), " ", make("dd", "", ...values));
  }

  function facts({width, height, px_per_cm: pxPerCm, scale, seconds}) {
    const size = [pixels(width, height)];
    if (pxPerCm) size.push(make("br"), centimetres(width, height, pxPerCm));
    const uncertain = scale?.uncertainty_percent == null ? "" : `, ± ${number(scale.uncertainty_percent, 1)}%`;
    return [
      fact("Photograph", ...size),
      fact("Resolution", pxPerCm ? `${number(pxPerCm, 1)} px/cm${uncertain}` : "not measured"),
      fact("Time", `${number(seconds, 1)} s`),
    ];
  }

  // Shows an answer of the server; null: there is none.
  function open(answer) {
    byId("results").hidden = !answer;
    byId("nothing").hidden = Boolean(answer);
    byId("problems").replaceChildren(...(answer?.problems ?? []).map(({text}) => make("li", "", text)));
    byId("facts").replaceChildren(...(answer ? facts(answer) : []));
    rows.replaceChildren(...(answer?.objects ?? []).map((object) => row(object, answer)));
    byId("codes").replaceChildren(...(answer?.barcodes ?? []).map(({text, symbology}) =>
      make("li", "", make("bdi", "code", shown(text)), " ", make("span", "", symbology))));
    byId("none").hidden = !answer || answer.objects.length > 0;
    rows.closest("table").hidden = !byId("none").hidden;
    byId("unread").hidden = !answer || answer.barcodes.length > 0;
  }

  function mark(kind, number) {
    for (const line of rows.children) {
      const on = line.dataset.number === String(number);
      line.classList.toggle(kind, on);
      if (kind === "chosen") line.querySelector("button").setAttribute("aria-pressed", on);
    }
  }

  function filter(wanted) {
    for (const line of rows.children) line.classList.toggle("faint", !wanted(line.dataset.class));
  }

  const numberAt = (event) => event.target.closest("tr")?.dataset.number ?? null;
  for (const kind of ["pointerover", "focusin"]) rows.addEventListener(kind, (event) => pointed(numberAt(event)));
  for (const kind of ["pointerleave", "focusout"]) rows.addEventListener(kind, () => pointed(null));
  rows.addEventListener("click", (event) => chosen(numberAt(event)));
  const reveal = (number) => [...rows.children].find((line) => line.dataset.number === String(number))
    ?.scrollIntoView({block: "nearest"});
  return {open, mark, filter, reveal};
}
