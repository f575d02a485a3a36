// Numbers and names as the page writes them.

// A number that no country reads wrong: narrow spaces between thousands, a point before decimals.
export function number(value, digits = 0) {
  return value.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits})
    .replaceAll(",", "\u202f");
}

// A share of 1 in percent; 99.6% is not rounded up to all, 0.4% not down to none.
export function percent(share) {
  if (share > 0 && share < 0.01) return "<1%";
  return share > 0.99 && share < 1 ? ">99%" : `${Math.round(100 * share)}%`;
}

// What an object is, in a few words: "1 Barcode, 98%".
export function caption(object) {
  const name = `${object.number} ${object.class}`;
  return object.confidence === null ? name : `${name}, ${percent(object.confidence)}`;
}

// Width and height of an object or photograph: "120 × 80 px".
export function pixels(width, height) {
  return `${number(width)} × ${number(height)} px`;
}

// The same in centimetres, with the resolution that was measured on the sheet.
export function centimetres(width, height, pxPerCm) {
  return `${number(width / pxPerCm, 1)} × ${number(height / pxPerCm, 1)} cm`;
}

export function count(value, one, many) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

// A file's name without its last suffix.
export function stem(name) {
  return name.replace(/(?<=.)\.[^.]*$/, "");
}

// A name or text with what cannot be seen, or turns the direction of writing, as an escape: \u202e.
export function shown(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (letter) =>
    `\\u${letter.codePointAt(0).toString(16).padStart(4, "0")}`);
}
