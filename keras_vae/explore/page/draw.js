// Draws x: an image, a curve, or a table.

const COLORS = ["#4e79d7", "#f28e2b", "#e0535a", "#4fb3a9", "#5aa146", "#d9b23a", "#a874b8", "#ff8fa3", "#9c7257", "#8f9aa8"];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const eventSize = () => model.event_shape.reduce((a, b) => a * b, 1);

function view() {
  const shape = model.event_shape;
  if (model.columns.length) return "table";
  if (shape.length === 3 && (shape[2] === 1 || shape[2] === 3)) return "image";
  return shape.length === 2 && shape[0] > 1 && shape[1] > 1 ? "image" : "curve";
}

function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

// One image of x at its own size.
function imageCanvas(values) {
  const [height, width, channels = 1] = model.event_shape;
  const canvas = canvasOf(width, height);
  const pixels = new ImageData(width, height);
  const scale = 255 / (model.high - model.low);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) {
      pixels.data[4 * i + c] = (values[channels === 3 ? 3 * i + c : i * channels] - model.low) * scale;
    }
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

function curve(context, values, x, y, width, height, color, line) {
  context.beginPath();
  const span = model.high - model.low;
  for (let i = 0; i < values.length; i++) {
    const across = x + (values.length > 1 ? (i / (values.length - 1)) * width : width / 2);
    const up = y + height - ((values[i] - model.low) / span) * height;
    if (i) context.lineTo(across, up);
    else context.moveTo(across, up);
  }
  context.strokeStyle = color;
  context.lineWidth = line;
  context.lineJoin = "round";
  context.stroke();
}

function curveCanvas(values, width, height, labels) {
  const canvas = canvasOf(width, height);
  canvas.className = "curve";
  const context = canvas.getContext("2d");
  context.fillStyle = css("--field");
  context.fillRect(0, 0, width, height);
  const pad = labels ? 44 : 4;
  const foot = labels ? 34 : 4;
  if (labels) {
    context.fillStyle = css("--soft");
    context.font = "20px system-ui, sans-serif";
    context.fillText(short(model.high), 4, 26);
    context.fillText(short(model.low), 4, height - foot);
    context.fillText("0", pad, height - 8);
    context.textAlign = "right";
    context.fillText(String(values.length - 1), width - 8, height - 8);
    context.strokeStyle = css("--line");
    context.strokeRect(pad, 10, width - pad - 10, height - foot - 10);
  }
  curve(context, values, pad + 2, 12, width - pad - 14, height - foot - 14, css("--accent"), labels ? 3 : 2);
  return canvas;
}

const short = (value) => (Math.abs(value) >= 1000 || (value && Math.abs(value) < 0.001) ? value.toExponential(1) : String(+value.toFixed(3)));

function readColumn(column, values) {
  if (column.kind !== "category") return short(values[column.start]);
  let best = column.start;
  for (let k = column.start; k < column.stop; k++) if (values[k] > values[best]) best = k;
  return `${column.vocabulary[best - column.start]} (${short(values[best])})`;
}

function tableOf(rows) {
  const table = document.createElement("table");
  for (const [name, value] of rows) {
    const row = table.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    row.insertCell().textContent = value;
  }
  return table;
}

const columnRows = (values) => model.columns.map((column) => [column.name, readColumn(column, values)]);

// What shows x; `small` for thumbnails.
function picture(values, label, small) {
  const kind = view();
  if (kind === "table") return tableOf(small ? columnRows(values).slice(0, 6) : columnRows(values));
  const made = kind === "image" ? imageCanvas(values) : curveCanvas(values, small ? 192 : 640, small ? 128 : 360, !small);
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", label);
  return made;
}

function drawOutput() {
  if (!state.mean) return;
  byId("output").replaceChildren(picture(state.mean, "What the model decodes from z", false));
  if (view() === "curve") {
    const rows = Array.from(state.mean, (value, i) => [`x[${i}]`, short(value)]);
    byId("values").querySelector(".scroll").replaceChildren(tableOf(rows));
  }
}

// A picture for the file: images enlarged by a whole factor, so that pixels stay sharp.
function fileCanvas() {
  if (view() === "curve") return curveCanvas(state.mean, 960, 540, true);
  const image = imageCanvas(state.mean);
  const factor = Math.max(1, Math.round(448 / Math.max(image.width, image.height)));
  const canvas = canvasOf(image.width * factor, image.height * factor);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}
