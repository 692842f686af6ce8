// Encoding an image or an example, and the way from A to B.

const STRIP = 9; // images between A and B
const PLAY_SECONDS = 4; // one way

function makeEncode() {
  const kind = view();
  byId("invert-label").hidden = kind !== "image";
  byId("file").accept = kind === "image" ? "image/*" : ".csv,.txt,text/*";
  byId("drop-text").textContent = kind === "image" ? "Drop an image here, or" : `Drop a text file of ${eventSize()} numbers here, or`;
  byId("file").onchange = () => {
    const [file] = byId("file").files;
    byId("file").value = "";
    if (file) encodeFile(file);
  };
  byId("invert").onchange = () => state.file && encodeFile(state.file);
  const drop = byId("drop");
  window.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  window.addEventListener("dragleave", (event) => event.relatedTarget || drop.classList.remove("over"));
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) encodeFile(file);
    else report(new Error("drop: expected a file, received something else. Save the image, and drop the file."));
  });
  byId("example-label").hidden = !data;
  if (data) {
    byId("example").max = data.codes.length - 1;
    byId("example").onchange = () => byId("example").value !== "" && showExample(Number(byId("example").value));
  }
}

const encodeFile = (file) =>
  attempt(async () => {
    const x = view() === "image" ? await readImage(file) : await readNumbers(file);
    const answer = await call("encode", withCondition({ x: pack(x, model.event_shape) }));
    state.file = file;
    byId("example").value = "";
    showPair(unpack(answer.x), unpack(answer.mean));
    stopPlaying();
    state.seed = null;
    setZ(unpack(answer.z));
  });

// The image in the model's size: its middle, as large as fits, as values in [0, 1].
async function readImage(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name}: expected an image, received a file that the browser cannot read. Use PNG or JPEG.`);
  }
  const [height, width, channels = 1] = model.event_shape;
  const side = Math.min(bitmap.width / width, bitmap.height / height);
  const [w, h] = [side * width, side * height];
  const canvas = canvasOf(width, height);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (bitmap.width - w) / 2, (bitmap.height - h) / 2, w, h, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height).data;
  const x = new Float32Array(height * width * channels);
  for (let i = 0; i < height * width; i++) {
    const opaque = pixels[4 * i + 3] / 255;
    const rgb = [0, 1, 2].map((c) => Math.round(pixels[4 * i + c] * opaque));
    // Rec. 601, as PIL converts to gray.
    const shown = channels === 3 ? rgb : [Math.round(0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2])];
    shown.forEach((level, c) => (x[i * channels + c] = (byId("invert").checked ? 255 - level : level) / 255));
  }
  return x;
}

async function readNumbers(file) {
  const words = (await file.text()).split(/[\s,;]+/).filter(Boolean);
  const numbers = words.map(Number);
  const wrong = words[numbers.findIndex(Number.isNaN)];
  if (wrong !== undefined) throw new Error(`${file.name}: expected numbers, received "${wrong.slice(0, 40)}". Remove other text.`);
  if (numbers.length !== eventSize()) {
    throw new Error(`${file.name}: expected ${eventSize()} numbers, received ${numbers.length}. Use one row of data.`);
  }
  return numbers;
}

async function exampleOf(index) {
  if (!data.x.has(index)) data.x.set(index, unpack((await call(`data?index=${index}`)).x));
  return data.x.get(index);
}

const showExample = (index) =>
  attempt(async () => {
    const x = await exampleOf(index);
    state.file = null;
    state.seed = null;
    byId("example").value = index;
    stopPlaying();
    if (data.labels && model.condition?.kind === "label") setLabel(data.labels[index]);
    const z = data.codes[index].slice();
    setZ(z);
    showPair(x, (await decodeRows([z])).mean);
  });

function showPair(x, reconstruction) {
  byId("input-view").replaceChildren(picture(x, "The input as the model takes it", true));
  byId("reconstruction-view").replaceChildren(picture(reconstruction, "Its reconstruction", true));
  byId("pair").hidden = false;
}

function makeInterpolation() {
  byId("set-a").onclick = () => setEnd("a");
  byId("set-b").onclick = () => setEnd("b");
  byId("play").onclick = () => (state.playing ? stopPlaying() : play());
  byId("t").oninput = () => {
    stopPlaying();
    goTo(Number(byId("t").value));
  };
}

function setEnd(end) {
  stopPlaying();
  state[end] = state.z.slice();
  byId(`set-${end}`).classList.add("set");
  const both = Boolean(state.a && state.b);
  byId("t").disabled = byId("play").disabled = !both;
  if (both) byId("t").value = end === "a" ? 0 : 1;
  byId("interpolate-hint").textContent = both ? "" : `${end.toUpperCase()} is set. Change z, then set ${end === "a" ? "B" : "A"}.`;
  drawMap();
  drawStrip();
}

const drawStrip = latest(async () => {
  if (!state.a || !state.b || view() === "table") return;
  const rows = Array.from({ length: STRIP }, (_, i) => between(state.a, state.b, i / (STRIP - 1)));
  const { mean } = await decodeRows(rows);
  const made = mosaic(mean, STRIP, 1);
  const strip = byId("strip");
  strip.width = made.width;
  strip.height = made.height;
  strip.getContext("2d").drawImage(made, 0, 0);
  strip.hidden = false;
});

function goTo(t) {
  byId("t").value = t;
  state.seed = null;
  setZ(between(state.a, state.b, t));
}

function play() {
  state.playing = true;
  showPlaying();
  const start = performance.now() - Number(byId("t").value) * PLAY_SECONDS * 1000;
  const frame = (now) => {
    if (!state.playing) return;
    const way = ((now - start) / 1000 / PLAY_SECONDS) % 2;
    goTo(Math.max(0, way < 1 ? way : 2 - way));
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

function stopPlaying() {
  if (!state.playing) return;
  state.playing = false;
  showPlaying();
  requestBackground();
}

function showPlaying() {
  byId("play").textContent = state.playing ? "Pause" : "Play";
  byId("play").setAttribute("aria-pressed", state.playing);
}
