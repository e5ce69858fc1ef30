// Timesteps: what ran in each, what it would have answered, and which one the picture shows.

import { percent, set } from "./text.js";

export class Timeline {
  constructor(onChoose) {
    this.group = document.querySelector(".steps");
    this.back = document.getElementById("back");
    this.forth = document.getElementById("forth");
    this.hint = document.getElementById("hint");
    this.onChoose = onChoose;
    this.steps = [];
    this.chosen = null; // from 0; null: the last one that ran
    this.shown = this.known = 0;
    this.back.onclick = () => this.choose(this.shown - 1);
    this.forth.onclick = () => this.choose(this.shown + 1);
    this.group.onkeydown = (event) => this.onKey(event);
  }

  /** Make a button for every timestep of a bundle. */
  build({ timesteps, blocks, tokens, missing }) {
    this.blocks = blocks;
    this.tokens = tokens;
    this.missing = missing;
    this.steps = Array.from({ length: timesteps }, (_, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "step";
      const [label, bars, share, guess] = ["b", "span", "span", "span"].map((tag) =>
        button.appendChild(document.createElement(tag)),
      );
      label.textContent = `t = ${index + 1}`;
      bars.className = "bars";
      bars.setAttribute("aria-hidden", "true");
      for (let block = 0; block < blocks; block += 1) bars.append(document.createElement("i"));
      button.onclick = () => this.choose(index);
      return { button, bars: [...bars.children], share, guess };
    });
    this.group.replaceChildren(...this.steps.map((step) => step.button));
  }

  /** Show an answer; `fresh` if it is of another picture than before. */
  update(side, playing) {
    if (playing) this.chosen = null;
    const live = side.live_tokens;
    this.known = live.length;
    const last = side.timesteps - 1;
    this.shown = Math.min(this.chosen ?? last, this.known - 1);
    this.steps.forEach((step, index) => this.fill(step, index, side, live[index]));
    this.point();
    const note = playing ? "Pause to see what later timesteps would have said." : "";
    set(this.hint, [this.missing && `No patch is faded: ${this.missing}.`, note].filter(Boolean).join(" "));
  }

  fill(step, index, side, live) {
    const left = index >= side.timesteps;
    step.button.classList.toggle("left", left);
    step.button.disabled = !live;
    step.bars.forEach((bar, block) =>
      bar.style.setProperty("--share", live ? live[block] / this.tokens : 0),
    );
    const mean = live && live.reduce((sum, each) => sum + each, 0) / (live.length * this.tokens);
    set(step.share, live ? `${percent(mean)} tokens` : "did not run");
    const point = side.points?.find((each) => each.timestep === index + 1);
    const guess = point ? `${point.name} ${percent(point.probability)}` : "";
    set(step.guess, left && live ? `had left · ${guess}` : guess);
    step.guess.title = guess;
  }

  choose(index) {
    if (index < 0 || index >= this.known) return;
    this.chosen = this.shown = index;
    this.point();
    this.onChoose();
  }

  point() {
    this.steps.forEach(({ button }, index) =>
      button.setAttribute("aria-pressed", String(index === this.shown)),
    );
    this.back.disabled = this.shown <= 0;
    this.forth.disabled = this.shown >= this.known - 1;
  }

  onKey(event) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    this.choose(this.shown + way);
    this.steps[this.shown].button.focus();
  }
}
