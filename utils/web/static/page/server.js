// Requests to the server: upload progress, the token, errors as sentences, and results as files to save.

import {stem} from "./words.js";

const SHEETS = "api/v1/sheets"; // relative to the page, so that a proxy may put the page below any path
const TOKEN = "token";
const PAUSE = 5;             // seconds to wait for a server that gives a date instead

// What the server, or the way to it, made of a request that did not succeed. `status`: 0 without an answer; `wait`:
// seconds after which the server wants to be asked again, null if it does not say.
export class Refusal extends Error {
  constructor(detail, status, wait = null) {
    super(detail);
    this.status = status;
    this.wait = wait;
  }
}

export function hasToken() {
  return sessionStorage.getItem(TOKEN) !== null;
}

export function setToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

// Sends a photograph and resolves to the answer, a Blob of the media type `accept`. Rejects with a Refusal.
//   query: parameters of the address
//   onSent: is told the share that has been sent, 0 to 1
//   signal: an AbortSignal that gives the request up
export function post(file, accept, {query = {}, onSent = () => {}, signal = null} = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much it has sent
    const form = new FormData();
    form.append("file", file, file.name);
    request.open("POST", [SHEETS, new URLSearchParams(query)].filter(String).join("?"));
    request.responseType = "blob";
    request.setRequestHeader("Accept", `${accept}, application/problem+json;q=0.5`);
    const token = sessionStorage.getItem(TOKEN);
    if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.upload.addEventListener("progress", (event) => onSent(event.total ? event.loaded / event.total : 0));
    request.upload.addEventListener("load", () => onSent(1));
    request.addEventListener("load", () => {
      if (request.status === 200) resolve(request.response);
      else refusal(request).then(reject);
    });
    request.addEventListener("error", () => reject(new Refusal(
      "The server cannot be reached, or the file cannot be read any more. Check both, then try again.", 0)));
    request.addEventListener("abort", () => reject(new Refusal("The request was given up.", 0)));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

async function refusal(request) {
  let detail = "";
  try {
    detail = JSON.parse(await request.response.text()).detail;
  } catch {
    // A proxy answers with a page of its own, which is no JSON.
  }
  const fallback = `The server answered with error ${request.status}. Try again later.`;
  const after = request.getResponseHeader("Retry-After"); // seconds, or a date
  const wait = after && Math.max(Number.parseInt(after, 10) || PAUSE, 1);
  return new Refusal(String(detail || fallback), request.status, wait);
}

// What the buttons save: the media type that the server is asked for, and what follows the photograph's stem. labelme
// and the project's data sets look for <stem>.json and <stem>.png; the answer in JSON must not take their place.
const KINDS = {
  json: {accept: "application/json", suffix: "_sheet.json"},
  labelme: {accept: "application/vnd.labelme+json", suffix: ".json"},
  mask: {accept: "image/png", suffix: ".png"},
  crops: {accept: "application/zip", suffix: ".zip", query: {include: "crops"}},
};

// Saves the result of a sheet; the JSON is here already, the server makes the others. Returns the file's name.
export async function save(kind, sheet) {
  const {accept, suffix, query} = KINDS[kind];
  const blob = kind === "json" ? new Blob([sheet.json], {type: accept}) : await post(sheet.file, accept, {query});
  return download(blob, stem(sheet.name) + suffix);
}

// Saves the answers for many sheets as one JSON list.
export function saveAll(sheets) {
  return download(
    new Blob(["[", sheets.map(({json}) => json).join(",\n"), "]\n"], {type: "application/json"}), "sheets.json");
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // a browser may begin to read only after it has asked where
  return name;
}
