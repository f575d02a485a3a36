// Uses the page as a person would, and tells the server what it saw.
const byId = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];
const result = {};
const later = window.setTimeout;
window.setTimeout = (act, ms, ...values) => later(act, ms / 10, ...values);
window.alert = () => { result.alerts = (result.alerts ?? 0) + 1; };
result.alerts = 0;

async function until(what, condition) {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 1500) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => later(resolve, 10));
  }
}

const given = await (await fetch("given.json")).json();
const files = Object.entries(given).map(([name, text]) =>
  new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], name));
const transfer = (list) => {
  const data = new DataTransfer();
  list.forEach((file) => data.items.add(file));
  return data;
};
const lines = () => all("#sheets > li");
const nameOf = (line) => line.querySelector(".title").textContent;
const stateOf = (line) => line.querySelector(".text .fine").textContent;
const open = async (name) => {
  lines().find((line) => nameOf(line).startsWith(name)).querySelector(".open").click();
  await until(`picture of ${name}`, () => !byId("blank").textContent.includes("loading") || !byId("picture").hidden);
};
const polygons = () => all("#outlines polygon");
const polygon = (name) => polygons().find((item) => item.dataset.class === name);
const fire = (target, Kind, type, values) => target.dispatchEvent(
  new Kind(type, {bubbles: true, cancelable: true, composed: true, ...values}));
// The page has been laid out and drawn: observers of sizes have been told before.
const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
const zoom = () => Number.parseInt(byId("zoom").textContent, 10);
const corner = () => {
  const {left, top} = byId("picture").getBoundingClientRect();
  return [left, top];
};
const moved = (act) => {
  const [left, top] = corner();
  act();
  const [newLeft, newTop] = corner();
  return [Math.round(newLeft - left), Math.round(newTop - top)];
};

// Of the picture: its size; blue just inside and just outside of the objects; how far outlines lie from where they
// should, by the corners of what is drawn on the canvas.
const BOXES = {Barcode: [20, 20, 320, 150], Label: [240, 660, 580, 820], "Color chart": [20, 240, 200, 360],
  Scale: [500, 300, 580, 630]};
function look() {
  const {width, height} = byId("picture");
  const context = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
  context.drawImage(byId("picture"), 0, 0);
  const blue = (x, y) => context.getImageData(x, y, 1, 1).data[2];
  const boxes = Object.values(BOXES);
  return [[width, height], boxes.map(([left, top]) => blue(left + 4, top + 4)),
    boxes.map(([left, top]) => blue(left - 5, top - 5)), apart()];
}
function apart() {
  const {width, height} = byId("picture"), seen = byId("picture").getBoundingClientRect();
  const scale = Math.min(seen.width / width, seen.height / height);
  const left = seen.left + (seen.width - scale * width) / 2, top = seen.top + (seen.height - scale * height) / 2;
  return Object.entries(BOXES).flatMap(([name, [x, y, right, bottom]]) => {
    const box = polygon(name).getBoundingClientRect();
    return [box.left - left - scale * x, box.top - top - scale * y, box.right - left - scale * right,
      box.bottom - top - scale * bottom].map(Math.abs);
  });
}

// Downloads, caught before they reach a folder.
const caught = [];
const makeAddress = URL.createObjectURL;
URL.createObjectURL = (blob) => {
  caught.push({blob});
  return makeAddress.call(URL, blob);
};
HTMLAnchorElement.prototype.click = function () { caught.at(-1).name = this.download; };
const save = async (button) => {
  caught.length = 0;
  button.click();
  await until("a file", () => caught[0]?.name && !document.querySelector("#saving [aria-disabled=true]"));
  return [caught[0].name, caught[0].blob];
};
const saveText = async (button) => {
  const [name, blob] = await save(button);
  return [name, await blob.text()];
};

async function check() {
  result["asks for the token"] = !byId("access").hidden;
  const enter = (token) => {
    byId("token").value = token;
    byId("access").requestSubmit();
  };
  const last = files.pop();
  fire(document.body, DragEvent, "drop", {dataTransfer: transfer([files[0]])});
  enter("battery");
  await until("a token that is refused", () => !byId("access").hidden && stateOf(lines()[0]).includes("token"));
  result["after the wrong token"] = stateOf(lines()[0]);
  enter("correct horse");
  await until("a busy server", () => stateOf(lines()[0]).includes("busy"));
  result["while the server is busy"] = stateOf(lines()[0]);
  fire(document.body, DragEvent, "drop", {dataTransfer: transfer(files.slice(1))});
  await until("six photographs", () => lines().length === 6);
  fire(document.body, ClipboardEvent, "paste", {clipboardData: transfer([last])});
  await until("all photographs", () =>
    lines().length === 7 && lines().every(({dataset}) => ["done", "failed"].includes(dataset.state)));
  result.states = Object.fromEntries(lines().map((line) => [nameOf(line),
    line.dataset.state === "failed" ? "failed" : `${line.dataset.state} ${stateOf(line)}`]));
  result.status = byId("status").textContent;
  result["shown first"] = byId("name").textContent;
  await until("the picture", () => byId("picture").width > 1);
  await drawn();
  result.outlines = polygons().map((item) => {
    const points = item.getAttribute("points").split(" ").map((point) => point.split(",").map(Number));
    const [x, y] = [0, 1].map((axis) => points.map((point) => point[axis]));
    return `${Math.min(...x)},${Math.min(...y)} ${Math.max(...x)},${Math.max(...y)}`;
  });
  result.rows = all("#rows tr").map((row) => [...row.cells].map((cell) => cell.textContent).join("|"));
  result.barcodes = byId("codes").textContent;
  result["picture of K000123.jpg"] = look();

  byId("classes").querySelector("[data-class=Label]").click();
  const hidden = polygons().filter((item) => getComputedStyle(item).display === "none");
  result["label switched off"] = [hidden.map(({dataset}) => dataset.class),
    all("#rows .faint").map(({dataset}) => dataset.class)];
  byId("classes").querySelector("[data-class=Label]").click();

  const stage = byId("stage"), {left, top, width, height} = stage.getBoundingClientRect();
  const at = (x, y) => ({clientX: left + x, clientY: top + y});
  const key = (name, target = stage) => fire(target, KeyboardEvent, "keydown", {key: name});
  stage.setPointerCapture = () => {}; // which refuses pointers that no hardware has
  result.zooms = [zoom()];
  byId("in").click();
  result.zooms.push(zoom());
  fire(stage, WheelEvent, "wheel", {deltaY: -300, ...at(width / 2, height / 2)});
  result.zooms.push(zoom());
  result["picture of K000123.jpg"][3].push(...apart());
  const pointer = (type, id, x, y) => fire(stage, PointerEvent, type, {pointerId: id, button: 0, ...at(x, y)});
  pointer("pointerdown", 1, 100, 100);
  result.dragged = moved(() => pointer("pointermove", 1, 130, 120));
  pointer("pointerup", 1, 130, 120);
  result.arrow = moved(() => key("ArrowLeft"));
  const before = zoom();
  pointer("pointerdown", 1, 200, 200);
  pointer("pointerdown", 2, 240, 200);
  pointer("pointermove", 2, 280, 200);
  result.pinched = zoom() / before;
  pointer("pointerup", 1, 200, 200);
  pointer("pointercancel", 2, 280, 200);
  key("0");
  result.zooms.push(zoom());
  for (let i = 0; i < 40; i++) key("-");
  result["least and most"] = [zoom()];
  for (let i = 0; i < 40; i++) key("+");
  result["least and most"].push(zoom());
  byId("fit").click();

  fire(polygon("Label"), PointerEvent, "pointerover", {});
  result.hover = [byId("tip").textContent, document.querySelector("tr.pointed").dataset.number];
  fire(polygon("Label"), MouseEvent, "click", {detail: 0});
  const chosen = () => all("#rows .chosen, #outlines .chosen").map(({dataset}) => dataset.number);
  result["outline clicked"] = [...chosen(), polygon("Label").getAttribute("aria-pressed")];
  all("#rows tr")[2].querySelector("button").click();
  result["row clicked"] = [document.querySelector("#outlines .chosen").dataset.number,
    all("#rows button")[2].getAttribute("aria-pressed")];
  key("Enter", polygon("Barcode"));
  result["Enter on an outline"] = document.querySelector("#rows .chosen").dataset.number;
  fire(byId("outlines"), MouseEvent, "click", {detail: 0});
  result["clicked beside"] = chosen().length;

  const saving = (kind) => document.querySelector(`[data-save=${kind}]`);
  result.json = await saveText(saving("json"));
  result.labelme = await saveText(saving("labelme"));
  for (const kind of ["mask", "crops"]) {
    const [name, {type}] = await save(saving(kind));
    result[kind] = [name, type];
  }
  result.saved = byId("saved").textContent;
  result.all = await saveText(byId("save-all"));

  for (const name of ["turned.jpg", "K.1.tif"]) {
    await open(name);
    await until(name, () => byId("picture").width > 1);
    result[`picture of ${name}`] = look();
    result[`note of ${name}`] = !byId("drawn").hidden;
  }
  const {width: thumbWidth, height: thumbHeight} = lines()[0].querySelector("canvas");
  result.thumbnail = [thumbWidth, thumbHeight];
  await open("broken.jpg");
  result.broken = byId("error").textContent;
  const again = [...document.querySelectorAll("[aria-label^=Try]")].filter(({hidden}) => !hidden);
  result["may be tried again"] = again.map((button) => button.getAttribute("aria-label"));
  again[0].click();
  await until("the second try", () => byId("error").hidden);
  await until("its end", () => !byId("error").hidden);
  result["tried again"] = byId("error").textContent;
  await open("large.jpg");
  result.large = byId("error").textContent;
  await open("<img");
  result.name = byId("name").textContent;
  result["hostile barcode"] = document.querySelector("#rows .code").textContent;
  result["elements from names"] = all("img, b:not(.tick b)").length;
  const {scrollWidth, clientWidth} = document.documentElement;
  result.overflow = scrollWidth - clientWidth;
  result.unlabelled = all("button, input").filter((item) => !item.hidden && !(item.getAttribute("aria-label") ||
    item.labels?.[0]?.textContent.trim() || item.textContent.trim())).map((item) => item.outerHTML);

  await open("turned.jpg");
  lines()[0].querySelector("[aria-label^=Remove]").click();
  result.removed = [byId("name").textContent, lines().length];
  byId("clear").click();
  result.cleared = [lines().length, byId("sheet").hidden, byId("status").textContent];
}

await check().catch((error) => { result.error = `${error.stack}\n${JSON.stringify(result)}`; });
await fetch("result", {
  method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(result)});
