// Sorts, filters and opens the cards of a page. All it knows of a card are its data attributes: numbers are plain
// there, whatever the page shows, so no country's way of writing them matters.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const list = byId("cards");
  const cards = [...list.children];
  const controls = [...document.querySelectorAll("[data-filter]")];
  const search = byId("search"), sort = byId("sort"), reverse = byId("reverse");
  const texts = new Map(cards.map((card) => [card, plain(card.dataset.search)]));
  const collator = new Intl.Collator("en", {numeric: true});
  const isPressed = (button) => button.getAttribute("aria-pressed") === "true";
  const press = (button, on) => button.setAttribute("aria-pressed", on);
  let shown = cards; // those that the filters leave, in the order of the page

  function plain(text) {
    return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  }

  // A card without a value comes last in either direction; equal ones keep the order of the file.
  function sortCards() {
    const {value: key, dataset} = sort.selectedOptions[0];
    const sign = "descending" in dataset === isPressed(reverse) ? 1 : -1;
    const compare = "numeric" in dataset ? (a, b) => a - b : collator.compare;
    const order = [...cards].sort((first, second) => {
      const a = first.dataset[key], b = second.dataset[key];
      return a === "" || b === "" ? (a === "") - (b === "") : sign * compare(a, b);
    });
    for (const card of order) list.append(card);
    filterCards();
  }

  // A pressed button or a select shows the cards that have its value among the words of their attribute.
  function filterCards() {
    const words = plain(search.value).split(/\s+/).filter(Boolean);
    const wanted = controls
      .filter((control) => control.value && (control.tagName === "SELECT" || isPressed(control)))
      .map((control) => [control.dataset.filter, control.value]);
    shown = [...list.children].filter((card) => {
      card.hidden = !(words.every((word) => texts.get(card).includes(word)) &&
        wanted.every(([key, value]) => card.dataset[key].split(" ").includes(value)));
      return !card.hidden;
    });
    byId("status").textContent = shown.length === cards.length
      ? `${count(cards.length)} shown.` : `${shown.length} of ${count(cards.length)} shown.`;
    byId("empty").hidden = shown.length > 0;
  }

  function count(number) {
    return number === 1 ? "1 sheet" : `${number} sheets`;
  }

  function choose(button) {
    for (const other of controls) {
      if (other.dataset.filter === button.dataset.filter && other.tagName === "BUTTON") press(other, other === button);
    }
    filterCards();
    const heading = byId("list");
    if (heading.getBoundingClientRect().top > innerHeight / 2) heading.scrollIntoView();
  }

  function showAll() {
    search.value = "";
    for (const control of controls) {
      if (control.tagName === "SELECT") control.value = "";
      else press(control, control.value === "");
    }
    filterCards();
    search.focus();
  }

  // The large view.
  const viewer = byId("viewer"), stage = byId("stage"), panel = byId("panel");
  const previous = byId("previous"), next = byId("next"), outlines = byId("viewer-outlines");
  let current = null;

  function view(card) {
    current = card;
    const place = shown.indexOf(card);
    byId("viewer-name").textContent = card.dataset.name;
    byId("viewer-place").textContent = `${place + 1} of ${shown.length}`;
    stage.replaceChildren(card.querySelector(".photograph").cloneNode(true));
    panel.replaceChildren(card.querySelector("template").content.cloneNode(true));
    panel.scrollTop = 0;
    previous.setAttribute("aria-disabled", place === 0);
    next.setAttribute("aria-disabled", place === shown.length - 1);
    if (!viewer.open) viewer.showModal();
  }

  function step(by) {
    const card = shown[shown.indexOf(current) + by];
    if (card) view(card);
  }

  const KEYS = {
    ArrowLeft: () => step(-1), k: () => step(-1), ArrowRight: () => step(1), j: () => step(1),
    o: () => outlines.click(),
  };

  document.addEventListener("keydown", (event) => {
    const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!viewer.open || !act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  viewer.addEventListener("close", () => {
    current.querySelector(".thumbnail").focus({preventScroll: true});
    current.scrollIntoView({block: "nearest"});
    stage.replaceChildren();
    panel.replaceChildren();
  });
  viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
  byId("close").addEventListener("click", () => viewer.close());
  previous.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  outlines.addEventListener("change", () => viewer.classList.toggle("bare", !outlines.checked));
  for (const kind of ["pointerover", "focusin"]) {
    panel.addEventListener(kind, (event) => {
      const row = event.target.closest("tbody tr");
      const at = row ? [...row.parentNode.children].indexOf(row) : -1;
      stage.querySelectorAll("polygon").forEach((outline, index) => outline.classList.toggle("lit", index === at));
    });
  }

  list.addEventListener("click", (event) => {
    const opener = event.target.closest(".thumbnail, h3");
    if (opener && (opener.matches("button") || getSelection().isCollapsed)) view(opener.closest(".card"));
  });
  for (const control of controls) {
    if (control.tagName === "SELECT") control.addEventListener("change", filterCards);
    else control.addEventListener("click", () => choose(control));
  }
  for (const box of document.querySelectorAll("[data-layer]")) {
    box.addEventListener("change", () => document.body.classList.toggle(`hide-${box.dataset.layer}`, !box.checked));
  }
  search.addEventListener("input", filterCards);
  sort.addEventListener("change", sortCards);
  reverse.addEventListener("click", () => {
    press(reverse, !isPressed(reverse));
    sortCards();
  });
  byId("reset").addEventListener("click", showAll);

  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });

  const partly = byId("partly");
  if (partly && cards.length < Number(partly.dataset.all)) {
    partly.querySelector("b").textContent = cards.length;
    partly.hidden = false;
  }
  sortCards();
})();
