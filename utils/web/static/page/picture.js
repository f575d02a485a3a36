// Pictures of the photographs. A browser decodes a photograph of 21 megapixels to 84 MB, so only the one that is looked
// at is kept, and no larger than a canvas may be everywhere.

import {post} from "./server.js";

const MOST_PIXELS = 4096 * 4096; // Safari on phones draws nothing on a larger canvas
const PREVIEW_SIDE = 1600;       // pixels of the longer side of a picture that the server makes
const THUMBNAIL_SIDE = 112;      // twice its size on the page, for sharp screens

// A bitmap of a file, upright, at most `pixels` in size. Rejects if this browser cannot show the file.
async function decode(file, pixels) {
  const whole = await createImageBitmap(file);
  const factor = Math.sqrt(pixels / (whole.width * whole.height));
  if (factor >= 1) return whole;
  try {
    return await createImageBitmap(whole, {
      resizeWidth: Math.max(1, Math.floor(whole.width * factor)),
      resizeHeight: Math.max(1, Math.floor(whole.height * factor)),
      resizeQuality: "high",
    });
  } finally {
    whole.close();
  }
}

// {bitmap, drawn}: the picture of a sheet; `drawn` is true if the server made it, with the objects drawn in. Null if
// there is none (yet): the browser cannot show the file and the server has not answered for it.
// A picture that is turned otherwise than the server's answer does not fit its outlines: the server's is taken then.
export async function pictureOf(sheet, signal) {
  const bitmap = await decode(sheet.file, MOST_PIXELS).catch(() => null);
  if (!sheet.answer) return bitmap && {bitmap, drawn: false};
  if (bitmap && fits(bitmap, sheet.answer)) return {bitmap, drawn: false};
  bitmap?.close();
  const jpeg = await post(sheet.file, "image/jpeg", {query: {max_side: PREVIEW_SIDE}, signal});
  return {bitmap: await createImageBitmap(jpeg), drawn: true};
}

// Whether a picture has the shape of the photograph that an answer is about.
export function fits(picture, {width, height}) {
  return Math.abs(picture.width * height / (picture.height * width) - 1) < 0.02;
}

// Draws a small picture of a file on a canvas; leaves the canvas as it is if the browser cannot show the file.
export async function drawThumbnail(canvas, file) {
  const bitmap = await decode(file, THUMBNAIL_SIDE ** 2).catch(() => null);
  if (bitmap) show(canvas, bitmap);
}

// Moves a bitmap onto a canvas of its size.
export function show(canvas, bitmap) {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
}
