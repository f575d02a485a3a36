// Brings the parts of the page together: files go into the queue, the sheet that is looked at into viewer and table.

import {listenForFiles} from "./files.js";
import {makeList, stateOf, summary} from "./list.js";
import {fits, pictureOf} from "./picture.js";
import {makeQueue} from "./queue.js";
import {hasToken, save, saveAll, setToken} from "./server.js";
import {make, makeTable} from "./table.js";
import {count, shown} from "./words.js";
import {makeViewer} from "./viewer.js";

const byId = (id) => document.getElementById(id);
const boxes = [...document.querySelectorAll("[data-class][data-colour]")];
const colours = new Map(boxes.map(({dataset}) => [dataset.class, dataset.colour]));
const title = document.title;
let current = null;   // the sheet that is looked at
let loading = null;   // AbortController of its picture
let onCanvas = null;  // {width, height} of the bitmap of it that is shown
let selected = null;  // number of the object that was chosen
let leftOut = "";     // a sentence about dropped files that are no photographs

const viewer = makeViewer({colours, pointed, chosen: (number) => choose(number, table)});
const table = makeTable({colours, pointed, chosen: (number) => choose(number, viewer)});
const list = makeList({opened: open, retried: (sheet) => queue.retry(sheet), removed: remove});
const {uploadMb, token} = document.body.dataset;
const isLocked = token === "asked" && !hasToken();
const queue = makeQueue({changed, locked, limit: Number(uploadMb) * 1e6, isLocked});

function pointed(number) {
  for (const part of [viewer, table]) part.mark("pointed", number);
}

// Chooses an object, or none if it was chosen already; `other` is the part that it has to be shown in.
function choose(number, other) {
  selected = number === selected ? null : number;
  for (const part of [viewer, table]) part.mark("chosen", selected);
  if (selected !== null) other.reveal(selected);
}

function filter() {
  const off = new Set(boxes.filter((box) => !box.checked).map((box) => box.dataset.class));
  for (const part of [viewer, table]) part.filter((name) => !off.has(name));
}

function changed(sheet) {
  list.update(sheet);
  tell();
  if (!current) return open(sheet);
  if (sheet !== current) return;
  describe();
  if (sheet.state === "done" || sheet.state === "failed") present();
}

// What the page as a whole says: how far it is, and what can be done with all.
function tell() {
  const text = [summary(queue.sheets), leftOut].filter(Boolean).join(" ");
  if (byId("status").textContent !== text) byId("status").textContent = text;
  const done = queue.sheets.filter(({state}) => state === "done").length;
  document.title = queue.sheets.length ? `${done}/${queue.sheets.length} ${title}` : title;
  byId("all").hidden = !queue.sheets.length;
  byId("save-all").hidden = done < 2;
  byId("retry-all").hidden = queue.sheets.filter(({state, fits}) => state === "failed" && fits).length < 2;
}

function open(sheet) {
  current = sheet;
  byId("sheet").hidden = !sheet;
  list.setCurrent(sheet);
  loading?.abort();
  viewer.draw(null);
  byId("drawn").hidden = true;
  onCanvas = null;
  if (!sheet) return;
  byId("saved").textContent = "";
  describe();
  present();
}

// What becomes of the current sheet, as text.
function describe() {
  const failed = current.state === "failed";
  byId("name").replaceChildren(make("bdi", "", shown(current.name)));
  byId("state").textContent = failed ? "" : stateOf(current);
  byId("error").textContent = failed ? current.note : "";
  byId("error").hidden = !failed;
  byId("nothing").textContent = failed ? "There is no result." : "There is no result yet.";
}

// Shows the objects of the current sheet at once, and its picture when it is loaded.
async function present() {
  const sheet = current, {answer} = sheet;
  selected = null;
  table.open(answer);
  if (answer) viewer.open(sheet.name, answer, answer.objects);
  for (const box of boxes) {
    const found = answer?.objects.filter((object) => object.class === box.dataset.class);
    box.parentElement.querySelector("b").textContent = found?.length ?? "";
  }
  filter();

  loading?.abort();
  loading = new AbortController();
  const {signal} = loading;
  if (onCanvas && (!answer || fits(onCanvas, answer))) return;
  blank("The picture is loading.");
  let picture = null;
  let text = sheet.state === "failed" ? "This file cannot be shown." : "The picture comes with the result.";
  try {
    picture = await pictureOf(sheet, signal);
  } catch (error) {
    text = `There is no picture: ${error.message}`;
  }
  if (signal.aborted) {
    picture?.bitmap.close();
    return;
  }
  if (!answer) viewer.open(sheet.name, picture?.bitmap ?? {width: 1, height: 1}, []);
  onCanvas = picture && {width: picture.bitmap.width, height: picture.bitmap.height};
  viewer.draw(picture);
  byId("drawn").hidden = !picture?.drawn;
  blank(picture ? "" : text);
}

// Says why there is no picture; "": there is one.
function blank(text) {
  byId("blank").textContent = text;
  byId("blank").hidden = !text;
  byId("sheet").classList.toggle("bare", Boolean(text) && !current.answer);
}

function remove(sheet) {
  const at = queue.sheets.indexOf(sheet);
  queue.remove(sheet);
  list.remove(sheet);
  const neighbour = queue.sheets[at] ?? queue.sheets[at - 1] ?? null;
  if (sheet === current) open(neighbour);
  tell();
  if (neighbour) list.focus(neighbour);
  else byId("files").focus();
}

function clear() {
  for (const sheet of [...queue.sheets]) {
    queue.remove(sheet);
    list.remove(sheet);
  }
  leftOut = "";
  open(null);
  tell();
  byId("files").focus();
}

function locked() {
  byId("access").hidden = false;
  byId("token").focus();
}

byId("access").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(byId("token").value.trim());
  byId("token").value = "";
  byId("access").hidden = true;
  queue.unlock();
});

byId("saving").addEventListener("click", async ({target}) => {
  const kind = target.dataset.save;
  if (!kind || target.getAttribute("aria-disabled") === "true") return;
  const sheet = current;
  const tellSaved = (text) => sheet === current && (byId("saved").textContent = text);
  target.setAttribute("aria-disabled", "true");
  tellSaved("One moment…");
  try {
    tellSaved(`Saved as ${await save(kind, sheet)}.`);
  } catch (error) {
    tellSaved(error.message);
  } finally {
    target.removeAttribute("aria-disabled");
  }
});

byId("access").hidden = !isLocked;
byId("classes").addEventListener("change", filter);
byId("clear").addEventListener("click", clear);
byId("retry-all").addEventListener("click", () => queue.sheets.forEach(queue.retry));
byId("save-all").addEventListener("click", () => saveAll(queue.sheets.filter(({state}) => state === "done")));
for (const box of boxes) box.parentElement.querySelector(".swatch").style.setProperty("--line", box.dataset.colour);
listenForFiles({
  input: byId("files"), target: byId("drop"),
  added: (files) => files.forEach(queue.add),
  left: (number) => {
    leftOut = `Left out: ${count(number, "file", "files")} in the folder that cannot be JPEG, PNG or TIFF.`;
    tell();
  },
});
addEventListener("beforeunload", (event) => {
  if (queue.sheets.some(({state}) => state !== "done" && state !== "failed")) event.preventDefault();
});
