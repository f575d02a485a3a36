// Photographs from the file dialog, from a drop, of files or folders, and from the clipboard.

const IMAGE = /\.(jpe?g|png|tiff?)$/i;
let pasted = 0;

// Calls `added(files)` for photographs that arrive, and `left(number)` for files of dropped folders that are none.
export function listenForFiles({input, target, added, left}) {
  input.addEventListener("change", () => {
    added([...input.files]);
    input.value = ""; // the same file may be chosen again
  });

  let depth = 0; // of elements that a drag has entered and not left
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  const over = (change) => (event) => {
    if (!holdsFiles(event)) return;
    depth = Math.max(0, depth + change);
    target.classList.toggle("over", depth > 0);
  };
  addEventListener("dragenter", over(1));
  addEventListener("dragleave", over(-1));
  addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  addEventListener("drop", async (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    depth = 0;
    target.classList.remove("over");
    const found = await filesOf(event.dataTransfer);
    added(found.files);
    if (found.left) left(found.left);
  });

  addEventListener("paste", (event) => {
    const files = [...event.clipboardData?.files ?? []];
    if (!files.length) return;
    event.preventDefault();
    added(files.map((file) => file.name === "image.png" ? renamed(file) : file));
  });
}

// Every browser calls a picture from the clipboard the same.
function renamed(file) {
  return new File([file], `pasted_${++pasted}.png`, {type: file.type});
}

// {files, left}: what was dropped. Files are taken as they are; of folders, at any depth, the photographs.
async function filesOf(transfer) {
  const items = [...transfer.items].filter(({kind}) => kind === "file")
    .map((item) => [item.webkitGetAsEntry?.(), item.getAsFile()]); // at once: the items are gone after the event
  const files = [];
  let left = 0;
  for (const [entry, file] of items) {
    if (!entry?.isDirectory) {
      files.push(file);
      continue;
    }
    const inside = await filesIn(entry);
    const images = inside.filter(({name}) => IMAGE.test(name) && !name.startsWith("."));
    files.push(...images);
    left += inside.length - images.length;
  }
  return {files, left};
}

async function filesIn(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) { // a reader gives a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    entries.push(...some);
  }
  entries.sort((a, b) => a.name.localeCompare(b.name, "en", {numeric: true}));
  const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));
  return (await Promise.all(entries.map((entry) => entry.isDirectory ? filesIn(entry) : fileOf(entry)))).flat();
}
