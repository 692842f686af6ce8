// What the page knows, and how it asks the server.

const byId = (id) => document.getElementById(id);
const token = new URLSearchParams(location.search).get("token") || "";

let model = null;
// The codes and labels of the held-out examples, or null.
let data = null;
// Requests without an answer yet.
let waiting = 0;
const state = { z: null, condition: null, mean: null, seed: null, a: null, b: null, playing: false, layer: "decoded" };

function report(error) {
  byId("error").textContent = error.message;
  byId("error").hidden = false;
}

function fine() {
  byId("error").hidden = true;
}

async function call(path, body) {
  const options = { headers: { Authorization: `token ${token}` } };
  if (body !== undefined) {
    options.method = "POST";
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  let text;
  waiting++;
  try {
    response = await fetch(`api/${path}`, options);
    text = await response.text();
  } catch {
    throw new Error("The server of this page does not answer. Start keras-vae explore again and open its new URL.");
  } finally {
    waiting--;
  }
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error(`The server answered ${response.status} ${response.statusText}. Reload the page.`);
  }
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function unpack(tensor) {
  const bytes = Uint8Array.from(atob(tensor.float32), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

function pack(values, shape) {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) {
    text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  }
  return { shape, float32: btoa(text) };
}

// A function that runs once at a time: of the calls that come meanwhile, the latest is run afterwards.
function latest(run) {
  let busy = false;
  let next = null;
  return async (...given) => {
    next = given;
    if (busy) return;
    busy = true;
    while (next) {
      const now = next;
      next = null;
      try {
        await run(...now);
        fine();
      } catch (error) {
        report(error);
      }
    }
    busy = false;
  };
}

// Run something that the user asked for, and show what went wrong.
async function attempt(run) {
  try {
    await run();
    fine();
  } catch (error) {
    report(error);
  }
}

const withCondition = (request) => (model.condition ? { ...request, condition: state.condition } : request);

// Decode rows of z; `moved` is the group that has changed, for models whose other groups follow.
async function decodeRows(rows, moved) {
  const flat = new Float32Array(rows.length * model.latent_size);
  rows.forEach((z, i) => flat.set(z, i * model.latent_size));
  const request = { z: pack(flat, [rows.length, model.latent_size]) };
  if (moved && model.unseen[moved]) request.moved = moved;
  const answer = await call("decode", withCondition(request));
  return { mean: unpack(answer.mean), z: unpack(answer.z) };
}

const latentValue = (z, latent) => {
  if (latent.kind !== "category") return z[latent.start];
  let best = 0;
  for (let k = 1; k < latent.size; k++) if (z[latent.start + k] > z[latent.start + best]) best = k;
  return best;
};

function setLatent(z, latent, value) {
  if (latent.kind === "category") {
    for (let k = 0; k < latent.size; k++) z[latent.start + k] = k === Math.round(value) ? 1 : 0;
  } else if (latent.kind === "binary") {
    z[latent.start] = value >= 0.5 ? 1 : 0;
  } else {
    z[latent.start] = latent.kind === "unit" ? Math.min(1, Math.max(0, value)) : value;
  }
}

function middle() {
  const z = new Float32Array(model.latent_size);
  for (const latent of model.latents) setLatent(z, latent, latent.middle);
  return z;
}

// z on the straight line from A to B; discrete latents change half way.
function between(a, b, t) {
  const z = Float32Array.from(a, (value, i) => value + t * (b[i] - value));
  for (const latent of model.latents) {
    if (latent.kind === "category" || latent.kind === "binary") setLatent(z, latent, latentValue(t < 0.5 ? a : b, latent));
  }
  return z;
}
