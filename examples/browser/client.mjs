// A client over REST for a served variational autoencoder, without dependencies, for browsers and Node 18 or newer.

const FIRST_PAUSE = 50; // milliseconds
const LONGEST_PAUSE = 1000;
// Too many requests, and not available: the server answers the same request later.
const PASSING = new Set([429, 503]);

/** A server refused a request, or did not answer it in time. */
export class ServingError extends Error {
  constructor(asked, status, details) {
    super(`${asked}: HTTP ${status}: ${details}`);
    this.name = "ServingError";
    this.status = status;
    this.details = details;
  }
}

/** Talks to one model; tensors are nested arrays of numbers. */
export class Client {
  /**
   * @param {string} address The REST address, such as "http://127.0.0.1:8501".
   * @param {string} model The model's name.
   * @param {{version?: number, label?: string, timeout?: number}} options The version to ask for, by number or by label;
   *   the latest by default. The milliseconds a request may take, including repetitions: 10,000 by default.
   */
  constructor(address, model, { version, label, timeout = 10_000 } = {}) {
    const chosen = version !== undefined ? `/versions/${version}` : label !== undefined ? `/labels/${label}` : "";
    this.model = model;
    this.url = `${address.replace(/\/+$/, "")}/v1/models/${encodeURIComponent(model)}${chosen}`;
    this.timeout = timeout;
  }

  /**
   * Generates one example per seed; the same seed gives the same example on any server.
   * @param {number[]} seeds Integers; JavaScript has them up to 2^53.
   * @param {number[] | number[][]} [condition] For a conditional model: one per seed.
   * @returns {Promise<{mean: any[], z: any[]}>} The decoder's means and the latents.
   */
  generate(seeds, condition) {
    return this.predict("generate", condition === undefined ? { seed: seeds } : { seed: seeds, condition });
  }

  /** Encodes a batch; returns the posterior's `mean` and `scale`. */
  encode(x) {
    return this.predict("encode", { x });
  }

  /** Decodes latent points, [batch, latent]; returns the decoder's `mean` and the likelihood's parameters. */
  decode(z) {
    return this.predict("decode", { z });
  }

  /**
   * Runs any signature, in REST's column format.
   * @param {string} signature Its name.
   * @param {Object<string, any>} inputs Its inputs by name.
   * @returns {Promise<any>} Its outputs by name; a bare tensor if there is only one, as TensorFlow Serving answers.
   */
  async predict(signature, inputs) {
    const asked = `model '${this.model}', signature '${signature}'`;
    const body = JSON.stringify({ signature_name: signature, inputs });
    return (await this.#fetch(asked, ":predict", { method: "POST", body })).outputs;
  }

  /** Returns the inputs and outputs of the model's signatures, as TensorFlow Serving describes them. */
  async signatures() {
    const answer = await this.#fetch(`model '${this.model}'`, "/metadata", {});
    return answer.metadata.signature_def.signature_def;
  }

  async #fetch(asked, path, request) {
    const deadline = Date.now() + this.timeout;
    for (let longest = FIRST_PAUSE; ; longest = Math.min(2 * longest, LONGEST_PAUSE)) {
      const signal = AbortSignal.timeout(Math.max(deadline - Date.now(), 1));
      let response, text;
      try {
        response = await fetch(this.url + path, { ...request, signal });
        text = await response.text();
      } catch (error) {
        throw new ServingError(asked, 0, `${this.url} does not answer (${error.cause?.message ?? error.message})`);
      }
      if (response.ok) return parse(text);
      // Callers that were refused together should not all return at the same moment.
      const pause = (longest * (1 + Math.random())) / 2;
      if (!PASSING.has(response.status) || Date.now() + pause >= deadline) {
        throw new ServingError(asked, response.status, errorText(text));
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** Parses JSON with NaN, Infinity and -Infinity, which the server sends and JSON.parse refuses. */
function parse(text) {
  const quoted = text.replace(/"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)/g, (part) => (part[0] === '"' ? part : `"\\u0000${part}"`));
  return JSON.parse(quoted, (_, value) => (typeof value === "string" && value[0] === "\0" ? Number(value.slice(1)) : value));
}

function errorText(text) {
  try {
    return JSON.parse(text).error ?? text;
  } catch {
    return text; // from a proxy, for example
  }
}

/**
 * Makes the pixels of a canvas from an image.
 * @param {number[][] | number[][][]} image [height, width] or [height, width, channels], values from 0 to 1.
 * @returns {{width: number, height: number, data: Uint8ClampedArray}} Red, green, blue and alpha of each pixel.
 */
export function toPixels(image) {
  const [height, width] = [image.length, image[0].length];
  const data = new Uint8ClampedArray(4 * height * width);
  image.flat().forEach((pixel, index) => {
    const values = [pixel].flat();
    const rgb = values.length === 3 ? values : [values[0], values[0], values[0]];
    data.set([...rgb.map((value) => 255 * value), 255], 4 * index);
  });
  return { width, height, data };
}

/** Draws an image, in its own size, on a canvas. */
export function draw(canvas, image) {
  const { width, height, data } = toPixels(image);
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
}
