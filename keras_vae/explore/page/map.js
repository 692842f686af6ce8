// The map of two latents: decoded images on a grid, or the codes of the data.

const MOST_VALUES = 600000; // in one grid
const NEAR = 14; // CSS pixels
const LEFT = 34; // for the axes
const FOOT = 22;
const map = { x: null, y: null, background: null, shown: "", timer: 0, tip: null };

function makeMap() {
  const canvas = byId("map");
  for (const [id, start] of [["axis-x", 0], ["axis-y", 1]]) {
    const select = byId(id);
    model.latents.forEach((latent, i) => select.add(new Option(`${latent.label}  (${klText(latent)})`, i)));
    select.selectedIndex = Math.min(start, model.latents.length - 1);
    select.onchange = () => {
      readAxes();
      drawMap();
      requestBackground();
    };
  }
  readAxes();
  if (view() === "table") {
    byId("layer-decoded").disabled = true;
    state.layer = "data";
  }
  byId("layer-data").disabled = !data;
  byId(`layer-${state.layer}`).checked = true;
  for (const radio of document.getElementsByName("layer")) {
    radio.onchange = () => {
      state.layer = radio.value;
      hideTip();
      showLayer();
      requestBackground();
    };
  }
  canvas.onpointerdown = (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    pick(event);
  };
  canvas.onpointermove = (event) => {
    if (event.buttons & 1 && state.layer === "decoded") pick(event);
    else hover(event);
  };
  canvas.onpointerleave = hideTip;
  canvas.onkeydown = moveByKey;
  let width = 0;
  new ResizeObserver(() => {
    // Its height follows from the drawing.
    if (canvas.clientWidth === width) return;
    width = canvas.clientWidth;
    drawMap();
  }).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    map.shown = "";
    requestBackground();
    drawMap();
    drawOutput();
  });
  showLayer();
}

function readAxes() {
  map.x = model.latents[byId("axis-x").value];
  map.y = model.latents[byId("axis-y").value];
}

function showLayer() {
  const shownData = state.layer === "data" && data;
  byId("map-hint").textContent = shownData
    ? "Point at a code to see its example, and click to set z to it. Arrow keys move z."
    : `Point to look, and click or drag to set z. Arrow keys move z.${data ? "" : ` No encoded data: ${model.note}.`}`;
  const legend = byId("legend");
  legend.replaceChildren();
  if (shownData && data.labels) {
    for (const label of data.classes) {
      const entry = document.createElement("span");
      const dot = document.createElement("i");
      dot.style.background = colorOf(label);
      entry.append(dot, String(label));
      legend.append(entry);
    }
  }
  drawMap();
}

const colorOf = (label) => COLORS[data.classes.indexOf(label) % COLORS.length];

// How many images lie along an axis.
function steps(latent) {
  if (latent.kind === "category") return latent.size;
  if (latent.kind === "binary") return 2;
  return Math.max(4, Math.min(view() === "image" ? 15 : 9, Math.floor(Math.sqrt(MOST_VALUES / eventSize()))));
}

const cell = (latent) => (latent.high - latent.low) / (steps(latent) - 1);
const fraction = (latent, value) => (value - latent.low + cell(latent) / 2) / (latent.high - latent.low + cell(latent));
function valueAt(latent, fraction) {
  const value = fraction * (latent.high - latent.low + cell(latent)) + latent.low - cell(latent) / 2;
  const near = Math.min(latent.high, Math.max(latent.low, value));
  return latent.kind === "category" || latent.kind === "binary" ? Math.round(near) : near;
}

const inside = (fraction) => Math.min(0.995, Math.max(0.005, fraction));
// The place of z in a square of this size.
const place = (z, size) => [
  inside(fraction(map.x, latentValue(z, map.x))) * size,
  (1 - inside(fraction(map.y, latentValue(z, map.y)))) * size,
];

function drawMap() {
  const canvas = byId("map");
  const ratio = window.devicePixelRatio || 1;
  const size = canvas.clientWidth - LEFT;
  if (size <= 0 || !state.z) return;
  canvas.width = Math.round((size + LEFT) * ratio);
  canvas.height = Math.round((size + FOOT) * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  drawAxes(context, size);
  context.translate(LEFT, 0);
  context.beginPath();
  context.roundRect(0, 0, size, size, 6);
  context.clip();
  context.fillStyle = css("--field");
  context.fillRect(0, 0, size, size);
  if (state.layer === "data" && data) drawCodes(context, size);
  else if (map.background) {
    // Small images enlarged stay sharp; large ones shrink smoothly.
    context.imageSmoothingEnabled = map.background.width > size * ratio;
    context.imageSmoothingQuality = "high";
    context.drawImage(map.background, 0, 0, size, size);
  }
  if (state.a && state.b) drawPath(context, size);
  drawMark(context, size);
  canvas.setAttribute("aria-label", `Map of ${map.x.label} and ${map.y.label}. ${markText()}`);
}

function drawAxes(context, size) {
  context.font = "12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";
  context.fillStyle = css("--soft");
  for (const share of [0, 0.5, 1]) {
    const [across, up] = [map.x, map.y].map((latent) => latent.low + share * (latent.high - latent.low));
    if (share === 0.5) {
      context.fillStyle = css("--ink");
      context.textAlign = "center";
      context.fillText(`${map.x.label} →`, LEFT + size / 2, size + 16);
      context.save();
      context.translate(12, size / 2);
      context.rotate(-Math.PI / 2);
      context.fillText(`${map.y.label} →`, 0, 0);
      context.restore();
      context.fillStyle = css("--soft");
      continue;
    }
    context.textAlign = share ? "right" : "left";
    context.fillText(short(across).replace("-", "−"), share ? LEFT + size : LEFT, size + 16);
    context.textAlign = "right";
    context.fillText(short(up).replace("-", "−"), LEFT - 6, share ? 11 : size - 2);
  }
}

function drawCodes(context, size) {
  context.globalAlpha = 0.85;
  data.codes.forEach((z, i) => {
    const [x, y] = spot(i, z, size);
    context.beginPath();
    context.arc(x, y, 3.5, 0, 2 * Math.PI);
    context.fillStyle = data.labels ? colorOf(data.labels[i]) : css("--accent");
    context.fill();
  });
  context.globalAlpha = 1;
}

// Where a code is drawn: discrete ones spread within their cell, by the golden ratio.
function spot(i, z, size) {
  const [x, y] = place(z, size);
  const spread = (latent, share) =>
    latent.kind === "category" || latent.kind === "binary" ? ((((i + 1) * share) % 1) - 0.5) * 0.8 * (size / steps(latent)) : 0;
  return [x + spread(map.x, 0.618034), y + spread(map.y, 0.754878)];
}

function drawPath(context, size) {
  const ends = [place(state.a, size), place(state.b, size)];
  for (const [color, width] of [["#000000", 5], ["#ffffff", 2]]) {
    context.beginPath();
    context.moveTo(...ends[0]);
    context.lineTo(...ends[1]);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
  }
  context.font = "bold 14px system-ui, sans-serif";
  ends.forEach(([x, y], i) => outlined(context, "AB"[i], x + 7, y - 7));
}

function drawMark(context, size) {
  const [x, y] = place(state.z, size);
  for (const [color, width] of [["#000000", 5], ["#ffffff", 2.5]]) {
    context.beginPath();
    context.arc(x, y, 9, 0, 2 * Math.PI);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
  }
}

function outlined(context, text, x, y) {
  context.strokeStyle = "#000000";
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeText(text, x, y);
  context.fillStyle = "#ffffff";
  context.fillText(text, x, y);
}

const markText = () =>
  [map.x, map.y].map((latent) => `${latent.label} ${short(latentValue(state.z, latent))}`).join(", ");

function zAt(x, y) {
  const z = state.z.slice();
  setLatent(z, map.x, valueAt(map.x, x));
  setLatent(z, map.y, valueAt(map.y, 1 - y));
  return z;
}

// The group to tell the model of, if the decoder does not see it itself.
const movedOnMap = () => [map.x.group, map.y.group].find((group) => group in model.unseen) ?? map.x.group;

function fractionsOf(event) {
  const box = byId("map").getBoundingClientRect();
  const size = box.width - LEFT;
  return [(event.clientX - box.left - LEFT) / size, (event.clientY - box.top) / size, size];
}

function pick(event) {
  const [x, y, size] = fractionsOf(event);
  const found = state.layer === "data" && data ? nearest(x * size, y * size, size) : -1;
  stopPlaying();
  if (found >= 0) showExample(found);
  else setZ(zAt(x, y), movedOnMap());
}

function nearest(x, y, size) {
  let best = -1;
  let least = NEAR * NEAR;
  data.codes.forEach((z, i) => {
    const [a, b] = spot(i, z, size);
    const far = (a - x) ** 2 + (b - y) ** 2;
    if (far < least) [best, least] = [i, far];
  });
  return best;
}

const hover = (event) => {
  if (event.pointerType === "touch") return;
  const [x, y, size] = fractionsOf(event);
  if (state.layer === "data" && data) {
    const found = nearest(x * size, y * size, size);
    if (found < 0) hideTip();
    else tipOfExample(found, x * size, y * size);
  } else {
    tipOfPoint(x, y, size);
  }
};

const tipOfExample = latest(async (index, x, y) => {
  map.tip = index;
  const values = await exampleOf(index);
  const label = data.labels ? `label ${data.labels[index]}, ` : "";
  if (map.tip === index) showTip(values, `${label}example ${index}`, x, y);
});

const tipOfPoint = latest(async (x, y, size) => {
  map.tip = "point";
  const { mean } = await decodeRows([zAt(x, y)], movedOnMap());
  const [a, b] = [valueAt(map.x, x), valueAt(map.y, 1 - y)];
  if (map.tip === "point") showTip(mean, `${short(+a.toFixed(2))}, ${short(+b.toFixed(2))}`, x * size, y * size);
});

function showTip(values, text, inX, y) {
  const x = inX + LEFT;
  const tip = byId("tip");
  byId("tip-view").replaceChildren(picture(values, "", true));
  byId("tip-text").textContent = text;
  tip.hidden = false;
  const box = byId("map-box");
  const left = x + 18 + tip.offsetWidth > box.clientWidth ? x - 18 - tip.offsetWidth : x + 18;
  tip.style.left = `${Math.max(0, left)}px`;
  tip.style.top = `${Math.max(0, Math.min(y - 30, box.clientHeight - tip.offsetHeight))}px`;
}

function hideTip() {
  map.tip = null;
  byId("tip").hidden = true;
}

function moveByKey(event) {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  if (!way) return;
  event.preventDefault();
  stopPlaying();
  const z = state.z.slice();
  [map.x, map.y].forEach((latent, i) => {
    const discrete = latent.kind === "category" || latent.kind === "binary";
    const step = discrete ? 1 : (latent.high - latent.low) / (event.shiftKey ? 10 : 60);
    if (way[i]) setLatent(z, latent, Math.min(latent.high, Math.max(latent.low, latentValue(z, latent) + way[i] * step)));
  });
  hideTip();
  setZ(z, movedOnMap());
  byId("map-status").textContent = markText();
}

// Soon, since sliders send many changes.
function requestBackground() {
  clearTimeout(map.timer);
  map.timer = setTimeout(() => {
    map.timer = 0;
    drawBackground();
  }, 80);
}

const drawBackground = latest(async () => {
  if (state.layer !== "decoded" || state.playing) return;
  const base = state.z.slice();
  for (const latent of [map.x, map.y]) setLatent(base, latent, latent.low);
  const key = [map.x.start, map.y.start, state.condition, ...base].join();
  if (key === map.shown) return;
  const [across, up] = [steps(map.x), steps(map.y)];
  const rows = [];
  for (let j = 0; j < up; j++) {
    for (let i = 0; i < across; i++) {
      const z = base.slice();
      setLatent(z, map.x, map.x.low + i * cell(map.x));
      setLatent(z, map.y, map.y.high - j * cell(map.y));
      rows.push(z);
    }
  }
  const { mean } = await decodeRows(rows, movedOnMap());
  map.background = mosaic(mean, across, up);
  map.shown = key;
  drawMap();
});

function mosaic(mean, across, up) {
  const size = eventSize();
  const image = view() === "image";
  const [height, width] = image ? model.event_shape : [56, 84];
  const canvas = canvasOf(across * width, up * height);
  const context = canvas.getContext("2d");
  context.fillStyle = css("--field");
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (let n = 0; n < across * up; n++) {
    const values = mean.subarray(n * size, (n + 1) * size);
    const [x, y] = [(n % across) * width, Math.floor(n / across) * height];
    if (image) context.drawImage(imageCanvas(values), x, y);
    else curve(context, values, x + 4, y + 4, width - 8, height - 8, css("--accent"), 1.5);
  }
  return canvas;
}
