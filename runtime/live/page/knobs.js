// Sliders and choices: what the server says stands in them, what is turned is asked for at once.

import { set } from "./text.js";

const HELD_MS = 400; // so long an echo of the server does not move what a hand is moving
const STEPS = 1000;
const SIGNS = { at_least: "leaves at or above", at_most: "leaves at or below" };

const element = (id) => document.getElementById(id);

export class Knobs {
  constructor(ask) {
    this.ask = ask;
    this.pending = null;
    this.turned = new Map();
    this.texts = {
      epsilon: (value) => value.toFixed(2),
      threshold: (value) => value.toFixed(3),
      max_timesteps: (value) => `${value} of ${this.limits.max_timesteps.max}`,
      rate: (value) => String(value),
    };
    this.sliders = {
      epsilon: element("epsilon"),
      threshold: element("threshold"),
      max_timesteps: element("max_timesteps"),
      rate: element("rate-knob"),
    };
    for (const [name, slider] of Object.entries(this.sliders)) {
      slider.oninput = () => this.turn(name, Number(slider.value));
    }
    element("policy").onchange = () => ask({ policy: element("policy").value });
    element("compare").onchange = () => ask({ compare: element("compare").checked });
  }

  /** Ranges of a bundle. */
  build(limits) {
    this.limits = limits;
    element("knob-epsilon").hidden = !limits.epsilon;
    if (limits.epsilon) this.range("epsilon", { ...limits.epsilon, step: 0.01 });
    this.range("max_timesteps", limits.max_timesteps);
    this.range("rate", { ...limits.rate, step: 0.5 });
    element("policy").replaceChildren(
      ...limits.policies.map(({ name }) => new Option(name, name)),
    );
  }

  range(name, { min, max, step }) {
    Object.assign(this.sliders[name], { min, max, step });
  }

  turn(name, value) {
    this.turned.set(name, performance.now());
    this.label(name, value);
    if (!this.pending) requestAnimationFrame(() => this.send());
    this.pending = { ...this.pending, [name]: value };
  }

  send() {
    this.ask(this.pending);
    this.pending = null;
  }

  /** What the server says. */
  update(state) {
    const policy = this.limits.policies.find(({ name }) => name === state.policy);
    element("policy").value = state.policy;
    set(element("policy-note"), `An image leaves when ${policy.description}.`);
    element("knob-threshold").hidden = !policy.range;
    if (policy.range) {
      const [min, max] = policy.range;
      this.range("threshold", { min, max, step: (max - min) / STEPS });
      set(element("knob-threshold").querySelector("small"), SIGNS[policy.direction]);
      this.place("threshold", state.thresholds[state.policy]);
    }
    for (const name of ["epsilon", "max_timesteps", "rate"]) this.place(name, state[name]);
    element("compare").checked = state.compare;
  }

  place(name, value) {
    if (performance.now() - (this.turned.get(name) ?? -Infinity) < HELD_MS) return;
    this.sliders[name].value = value;
    this.label(name, value);
  }

  label(name, value) {
    const text = this.texts[name](value);
    const slider = this.sliders[name];
    set(document.querySelector(`output[for="${slider.id}"]`), text);
    slider.setAttribute("aria-valuetext", text);
  }
}
