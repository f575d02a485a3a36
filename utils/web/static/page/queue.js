// The photographs of this page and their way to the server, a few at a time.
//
// A sheet is {file, name, fits, state, share, note, json, answer}: `fits` is false for a file that is too large; `state`
// is "waiting", "sending", "working", "done" or "failed"; `share` of the file that has been sent, 0 to 1; `note` a
// sentence about the state; `json` the answer as the server wrote it and `answer` what it says, null before "done".

import {post} from "./server.js";

const AT_ONCE = 2;           // more would only wait in the server's own queue
const BUSY = 503, UNAUTHORIZED = 401;

// A queue that calls `changed(sheet)` whenever a sheet changes, and `locked()` when the server asks for a token.
//   limit: bytes of the largest file that the server takes
//   isLocked: whether it asks for a token that is not there yet
export function makeQueue({changed, locked, limit, isLocked}) {
  const sheets = [];
  const requests = new Map(); // sheet -> AbortController of its request
  let timer = null;           // runs while a busy server is left in peace

  function set(sheet, values) {
    Object.assign(sheet, values);
    if (sheets.includes(sheet)) changed(sheet);
  }

  function add(file) {
    const sheet = {
      file, name: file.name, fits: file.size <= limit, state: "waiting", share: 0, note: "", json: null, answer: null,
    };
    sheets.push(sheet);
    if (!sheet.fits) {
      const size = Math.ceil(file.size / 1e5) / 10;
      set(sheet, {state: "failed", note: `The file has ${size} MB. This server takes up to ${limit / 1e6} MB.`});
    } else {
      set(sheet, {});
      next();
    }
    return sheet;
  }

  function next() {
    while (!timer && !isLocked && requests.size < AT_ONCE) {
      const sheet = sheets.find(({state}) => state === "waiting");
      if (!sheet) return;
      send(sheet);
    }
  }

  async function send(sheet) {
    const controller = new AbortController();
    requests.set(sheet, controller);
    set(sheet, {state: "sending", share: 0, note: ""});
    const onSent = (share) => set(sheet, {share, state: share < 1 ? "sending" : "working"});
    try {
      const answer = await post(sheet.file, "application/json", {onSent, signal: controller.signal});
      const json = await answer.text();
      set(sheet, {state: "done", json, answer: JSON.parse(json)});
    } catch (error) {
      if (error.status === BUSY && error.wait) pause(sheet, error.wait);
      else if (error.status === UNAUTHORIZED) lock(sheet, error.message);
      else set(sheet, {state: "failed", note: error.message});
    } finally {
      requests.delete(sheet);
      next();
    }
  }

  function pause(sheet, seconds) {
    set(sheet, {state: "waiting", share: 0, note: `The server is busy. Next try in ${seconds} s.`});
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = null;
      next();
    }, seconds * 1000);
  }

  function lock(sheet, note) {
    set(sheet, {state: "waiting", share: 0, note});
    isLocked = true;
    locked();
  }

  function unlock() {
    isLocked = false;
    next();
  }

  function retry(sheet) {
    if (sheet.state !== "failed" || !sheet.fits) return;
    set(sheet, {state: "waiting", share: 0, note: ""});
    next();
  }

  function remove(sheet) {
    sheets.splice(sheets.indexOf(sheet), 1);
    requests.get(sheet)?.abort();
  }

  return {sheets, add, retry, remove, unlock};
}
