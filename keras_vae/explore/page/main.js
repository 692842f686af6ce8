// Loads the model and its data, and fills the page.

async function readData() {
  if (!model.data) return null;
  const answer = await call("data");
  const flat = unpack(answer.z);
  const codes = Array.from({ length: flat.length / model.latent_size }, (_, i) =>
    flat.slice(i * model.latent_size, (i + 1) * model.latent_size),
  );
  const classes = answer.labels ? [...new Set(answer.labels)].sort((a, b) => a - b) : [];
  return { codes, labels: answer.labels, classes, x: new Map() };
}

function showFacts() {
  const size = `${model.latent_size} latents`;
  const facts = [model.origin, model.likelihood && `${model.likelihood} likelihood`, size, `x ${model.event_shape.join(" × ")}`];
  if (model.data) facts.push(`${model.data.count} examples of ${model.data.name}`);
  byId("facts").textContent = facts.filter(Boolean).join(" · ");
}

// On a phone the sliders come next after the image; in the document too, so that the keyboard follows.
function arrange() {
  const narrow = matchMedia("(max-width: 700px)");
  const [stage, latents] = [byId("stage"), byId("latents-panel")];
  const column = latents.parentElement;
  const place = () => (narrow.matches ? stage.after(latents) : column.append(latents));
  narrow.addEventListener("change", place);
  place();
}

async function start() {
  model = await call("model");
  data = await readData();
  state.z = middle();
  showFacts();
  arrange();
  document.querySelector("main").hidden = false;
  makeCondition();
  makeLatents();
  makeStage();
  makeEncode();
  makeInterpolation();
  makeMap();
  setZ(state.z);
  if (data) await showExample(0);
  else await generate();
}

start().catch((error) => {
  byId("facts").textContent = "";
  report(error);
});
