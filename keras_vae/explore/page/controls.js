// The controls of z and of the condition, and what follows when one changes.

const FIRST = 16; // latents shown before "Show all"
const rows = new Map();

// Shows z on all controls, decodes it, and moves the map's mark. `moved` is the group of the control that moved.
function setZ(z, moved) {
  state.z = z;
  showLatents();
  decodeNow(moved);
  drawMap();
  requestBackground();
}

const decodeNow = latest(async (moved) => {
  const asked = state.z;
  const answer = await decodeRows([asked], moved);
  state.mean = answer.mean;
  drawOutput();
  // Groups that follow the one that moved.
  if (moved && model.unseen[moved] && state.z === asked) {
    state.z = answer.z;
    showLatents();
    drawMap();
  }
});

function makeLatents() {
  const box = byId("latents");
  const most = Math.max(...model.latents.map((latent) => latent.kl ?? 0), 1e-9);
  model.latents.forEach((latent, i) => {
    const row = document.createElement("div");
    row.className = "latent";
    row.classList.toggle("dead", latent.kl !== null && latent.kl < 0.01);
    row.hidden = i >= FIRST;
    const which = document.createElement("label");
    which.className = "which";
    which.textContent = latent.label;
    which.htmlFor = `latent-${i}`;
    which.title = latent.label;
    const nats = document.createElement("span");
    nats.className = "nats";
    nats.textContent = klText(latent);
    nats.title = latent.kl === null ? "KL unknown" : `${klText(latent)} nats`;
    const bar = document.createElement("i");
    bar.style.width = `${(100 * (latent.kl ?? 0)) / most}%`;
    nats.append(bar);
    row.append(which, nats, ...makeControl(latent, i));
    box.append(row);
  });
  const more = byId("more");
  more.hidden = model.latents.length <= FIRST;
  more.textContent = `Show all ${model.latents.length}`;
  more.onclick = () => {
    for (const row of box.children) row.hidden = false;
    more.hidden = true;
    box.children[FIRST].querySelector("input, select").focus();
  };
  const rough = model.latents.some((latent) => !latent.exact && latent.kl !== null);
  byId("latents-unit").textContent = model.latents.some((latent) => latent.kl !== null) ? "KL in nats" : "KL unknown";
  const hints = [];
  if (rough) hints.push("≈ is computed from the encoder's means and scales.");
  for (const [group, follows] of Object.entries(model.unseen)) {
    hints.push(
      follows
        ? `The decoder does not see ${group}: the other group follows the prior's mean given it.`
        : `The decoder does not see ${group}, and this source cannot say what follows from it. Explore the run instead.`,
    );
  }
  byId("latents-hint").textContent = hints.join(" ");
}

const klText = (latent) => (latent.kl === null ? "–" : (latent.exact ? "" : "≈ ") + latent.kl.toFixed(2));

function makeControl(latent, i) {
  const name = `${latent.label}, ${latent.kl === null ? "KL unknown" : `KL ${klText(latent)} nats`}`;
  const change = (value) => {
    const z = state.z.slice();
    setLatent(z, latent, value);
    stopPlaying();
    setZ(z, latent.group);
  };
  if (latent.kind === "category") {
    const select = document.createElement("select");
    for (let k = 0; k < latent.size; k++) select.add(new Option(`category ${k}`, k));
    select.onchange = () => change(Number(select.value));
    rows.set(latent, { show: (value) => (select.value = value) });
    return [labeled(select, i, name)];
  }
  if (latent.kind === "binary") {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.onchange = () => change(box.checked ? 1 : 0);
    rows.set(latent, { show: (value) => (box.checked = value >= 0.5) });
    return [labeled(box, i, name)];
  }
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = latent.low;
  slider.max = latent.high;
  slider.step = (latent.high - latent.low) / 120;
  slider.oninput = () => change(Number(slider.value));
  slider.ondblclick = () => change(latent.middle);
  const output = document.createElement("output");
  rows.set(latent, {
    show: (value) => {
      slider.value = value;
      output.textContent = value.toFixed(2).replace("-", "−");
    },
  });
  return [labeled(slider, i, name), output];
}

function labeled(control, i, name) {
  control.id = `latent-${i}`;
  control.setAttribute("aria-label", name);
  return control;
}

function showLatents() {
  for (const [latent, row] of rows) row.show(latentValue(state.z, latent));
}

function makeCondition() {
  const condition = model.condition;
  const box = byId("condition");
  if (!condition) {
    box.hidden = true;
    return;
  }
  if (condition.kind === "label") {
    state.condition = 0;
    const field = document.createElement("label");
    field.className = "field";
    field.append("Label ");
    const choice = document.createElement(condition.classes && condition.classes <= 200 ? "select" : "input");
    choice.id = "label";
    if (choice.tagName === "SELECT") for (let k = 0; k < condition.classes; k++) choice.add(new Option(k, k));
    else Object.assign(choice, { type: "number", min: 0, step: 1, value: 0, max: condition.classes ? condition.classes - 1 : "" });
    choice.onchange = () => conditionChanged(choice.value === "" ? 0 : Number(choice.value));
    field.append(choice);
    box.append(field);
    return;
  }
  state.condition = new Array(condition.size).fill(0);
  const fields = document.createElement("fieldset");
  fields.className = "row";
  const legend = document.createElement("legend");
  legend.textContent = "Condition";
  fields.append(legend);
  state.condition.forEach((_, i) => {
    const number = document.createElement("input");
    Object.assign(number, { type: "number", step: "any", value: 0, ariaLabel: `Condition ${i}` });
    number.onchange = () => {
      const next = state.condition.slice();
      next[i] = Number(number.value);
      conditionChanged(next);
    };
    fields.append(number);
  });
  box.append(fields);
}

function conditionChanged(condition) {
  state.condition = condition;
  decodeNow();
  requestBackground();
  drawStrip();
}

function setLabel(label) {
  const choice = byId("label");
  if (!choice || state.condition === label) return;
  choice.value = label;
  conditionChanged(label);
}

function makeStage() {
  byId("generate").onsubmit = (event) => {
    event.preventDefault();
    generate();
  };
  byId("next-seed").onclick = () => {
    byId("seed").value = Number(byId("seed").value) + 1;
    generate();
  };
  byId("reset").onclick = () => {
    stopPlaying();
    state.seed = null;
    setZ(middle());
  };
  const table = view() === "table";
  byId("download").textContent = table ? "Download CSV" : "Download PNG";
  byId("download").onclick = () => (table ? downloadTable() : fileCanvas().toBlob((blob) => save(blob, "png")));
  byId("values").hidden = view() !== "curve";
}

const generate = () =>
  attempt(async () => {
    const seed = Number(byId("seed").value);
    const answer = await call("generate", withCondition({ seed }));
    stopPlaying();
    state.seed = seed;
    setZ(unpack(answer.z));
  });

function save(blob, suffix) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  const label = model.condition?.kind === "label" ? `-label-${state.condition}` : "";
  link.download = `${model.name}${label}${state.seed === null ? "" : `-seed-${state.seed}`}.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function downloadTable() {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const shown = model.columns.map((column) => {
    const text = readColumn(column, state.mean);
    return quoted(column.kind === "category" ? text.slice(0, text.lastIndexOf(" (")) : text);
  });
  const text = `${model.columns.map((column) => quoted(column.name)).join(",")}\n${shown.join(",")}\n`;
  save(new Blob([text], { type: "text/csv" }), "csv");
}
