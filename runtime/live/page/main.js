// The page: messages in, pictures and numbers out.

import { Gauges, History } from "./gauges.js";
import { Knobs } from "./knobs.js";
import { depthAt, Picture } from "./picture.js";
import { milliseconds, percent, set, short, show } from "./text.js";
import { Timeline } from "./timeline.js";
import { parse, Wire } from "./wire.js";

const element = (id) => document.getElementById(id);
const figures = [element("adaptive"), element("static")];
const pictures = figures.map((figure) => new Picture(figure));
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let about = null;
let state = null;
let newest = null; // a message that was not drawn yet
let last = null; // the one that is shown
let drawn = 0;
let greeted = false;

const wire = new Wire({ words, picture: take, lost });
const timeline = new Timeline(() => last && draw());
const gauges = new Gauges();
const past = new History();
const knobs = new Knobs((change) => wire.ask(change));

function words(message) {
  if (message.kind === "about") introduce(message);
  else if (message.kind === "state") follow(message);
  else complain(message.error);
}

function introduce(message) {
  about = message;
  const [side, other] = about.sides;
  set(element("what"), `${side.name} · ${side.blocks} blocks, ${side.tokens} tokens, ${side.timesteps} timesteps · ${side.backend}`);
  document.title = `${side.name} · spikehalt live`;
  set(element("against"), `${other.same ? "" : `${other.name}, `}ε = 0, all timesteps`);
  timeline.build(side);
  gauges.build(about.sides);
  knobs.build(about.limits);
  if (!greeted && calm.matches) wire.ask({ playing: false });
  greeted = true;
}

function follow(message) {
  state = message;
  complain(state.error);
  knobs.update(state);
  element("play").textContent = state.playing ? "Pause" : "Play";
  element("play").disabled = element("next").disabled = !state.source;
  const connection = element("connection");
  connection.dataset.state = state.playing ? "playing" : "paused";
  set(connection, state.playing ? "playing" : "paused");
  figures[1].hidden = !state.compare;
  figures[0].parentElement.classList.toggle("alone", !state.compare);
}

function complain(error) {
  element("error").hidden = !error;
  set(element("error"), error);
}

function lost() {
  const connection = element("connection");
  connection.dataset.state = "lost";
  set(connection, "the server is gone; waiting for it");
  show(element("rate"), null);
}

function take(buffer) {
  if (!newest) requestAnimationFrame(render);
  newest = buffer;
}

function render() {
  last = parse(newest);
  newest = null;
  timeline.update(last.sides[0], last.playing);
  draw();
  gauges.update(last.sides);
  past.add(last.index, last.sides[0], about.sides[0].timesteps);
  last.sides.forEach((side, index) => tell(figures[index], side));
  show(element("rate"), last.playing ? last.rate : null, (rate) => `${short(rate)} pictures/s`);
  set(element("name"), last.name);
  element("name").title = last.name;
  if (!last.playing) announce(last.sides[0]);
  drawn += 1;
  const asked = JSON.stringify(last.asked);
  Object.assign(document.body.dataset, { drawn, index: last.index, playing: last.playing, asked });
}

function draw() {
  last.sides.forEach((side, index) => {
    const step = index === 0 ? timeline.shown : side.timesteps - 1;
    const depth = depthAt(last.live[index], side.live, step);
    pictures[index].draw(last.pixels, last.picture, depth, side.live?.slice(2));
    pictures[index].canvas.setAttribute("aria-label", described(side, step, depth));
  });
}

function described(side, step, depth) {
  const through = depth && depth.filter((share) => share === 1).length;
  const patches = depth ? `; ${through} of ${depth.length} patches ran in all blocks` : "";
  return `${last.name} at timestep ${step + 1}${patches}`;
}

function tell(figure, side) {
  set(figure.querySelector("[data-key=name]"), side.name);
  show(figure.querySelector("[data-key=probability]"), side.probability, percent);
  const steps = `${side.timesteps} timestep${side.timesteps === 1 ? "" : "s"}`;
  set(figure.querySelector(".cost"), `${steps} · ${percent(side.tokens)} tokens · ${milliseconds(side.latency_ms)}`);
}

function announce(side) {
  set(element("told"), `${last.name}: ${side.name}, ${percent(side.probability)}, left after timestep ${side.timesteps}.`);
}

element("play").onclick = () => {
  if (!state.playing) set(element("told"), "");
  wire.ask({ playing: !state.playing });
};
element("next").onclick = () => wire.ask({ playing: false, ask: "next" });
element("file").onchange = ({ target }) => {
  for (const file of target.files) wire.drop(file);
  target.value = "";
};

let over = 0; // elements that a dragged file is over
addEventListener("dragenter", () => hover(1));
addEventListener("dragleave", () => hover(-1));
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  hover(-over);
  for (const file of event.dataTransfer.files) wire.drop(file);
});

function hover(change) {
  over = Math.max(over + change, 0);
  element("drop").hidden = !over;
}
