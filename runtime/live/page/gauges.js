// What this picture cost beside the static network, and what the last pictures cost.

import { energy, milliseconds, percent, set, short, show } from "./text.js";

const KEPT = 120; // pictures
const GAUGES = [
  { key: "latency_ms", label: "Latency", text: milliseconds },
  { key: "energy_mj", label: "Energy", text: energy },
  { key: "work", label: "Tokens run", text: percent, most: 1 },
  { key: "timesteps", label: "Timesteps", text: String },
];

export class Gauges {
  constructor() {
    this.rows = document.querySelector("#gauges .rows");
    this.note = document.getElementById("energy-note");
    this.gauges = [];
  }

  /** Rows for what a bundle can say. */
  build([side]) {
    this.timesteps = side.timesteps;
    const known = GAUGES.filter(({ key }) => key !== "energy_mj" || side.energy);
    this.gauges = known.map((gauge) => ({ ...gauge, ...makeRow(gauge), peak: 0 }));
    this.rows.replaceChildren(...this.gauges.map(({ row }) => row));
    set(
      this.note,
      side.energy
        ? "Energy is an estimate: 4.6 pJ a multiply-accumulate, 0.9 pJ an accumulate, by the bundle's constants."
        : "This bundle has no energy constants: export it from a checkpoint whose firing rates were measured.",
    );
  }

  /** What a gauge shows; the tokens that ran are told of those of all blocks and timesteps. */
  value(side, key) {
    return key === "work" ? (side.tokens * side.timesteps) / this.timesteps : side[key];
  }

  update(sides) {
    for (const gauge of this.gauges) {
      const values = sides.map((side) => this.value(side, gauge.key));
      const known = values.filter((value) => value !== null);
      gauge.peak = Math.max(...known, gauge.peak * 0.9);
      const most = gauge.most ?? (gauge.key === "timesteps" ? this.timesteps : gauge.peak);
      gauge.sides.forEach(({ meter, fill, data }, index) => {
        const value = values[index] ?? null;
        meter.hidden = data.hidden = value === null;
        if (value === null) return;
        fill.style.setProperty("--share", Math.min(value / (most || 1), 1));
        show(data, value, gauge.text);
        meter.setAttribute("aria-valuenow", value);
        meter.setAttribute("aria-valuemax", Math.max(most, value));
        meter.setAttribute("aria-valuetext", gauge.text(value));
      });
    }
  }
}

function makeRow({ key, label }) {
  const row = document.createElement("div");
  row.className = "row";
  const name = row.appendChild(document.createElement("span"));
  name.textContent = label;
  const sides = ["adaptive", "static"].map((side) => {
    const meter = row.appendChild(document.createElement("div"));
    meter.className = `meter ${side}`;
    meter.setAttribute("role", "meter");
    meter.setAttribute("aria-label", `${label}, ${side}`);
    meter.setAttribute("aria-valuemin", 0);
    const fill = meter.appendChild(document.createElement("i"));
    const data = row.appendChild(document.createElement("data"));
    data.dataset.key = `${side}.${key}`;
    return { meter, fill, data };
  });
  return { row, sides };
}

export class History {
  constructor() {
    this.canvas = document.querySelector("#history canvas");
    this.context = this.canvas.getContext("2d");
    this.tokens = [];
    this.timesteps = [];
    this.index = -1;
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  add(index, side, most) {
    if (index === this.index) {
      this.tokens.pop();
      this.timesteps.pop();
    }
    this.index = index;
    this.most = most;
    for (const [list, value] of [[this.tokens, side.tokens], [this.timesteps, side.timesteps]]) {
      list.push(value);
      if (list.length > KEPT) list.shift();
    }
    show(document.getElementById("mean-tokens"), mean(this.tokens), percent);
    show(document.getElementById("mean-timesteps"), mean(this.timesteps), (value) => short(value));
    this.draw();
  }

  draw() {
    const { canvas, context } = this;
    const scale = window.devicePixelRatio;
    const [wide, high] = [canvas.clientWidth * scale, canvas.clientHeight * scale].map(Math.round);
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
    }
    const style = getComputedStyle(document.documentElement);
    context.clearRect(0, 0, wide, high);
    context.lineWidth = scale;
    context.strokeStyle = style.getPropertyValue("--line");
    for (const share of [0, 0.5, 1]) this.line([share, share], wide);
    const step = wide / (KEPT - 1);
    context.lineWidth = 2 * scale;
    context.strokeStyle = style.getPropertyValue("--adaptive");
    this.line(this.tokens, step);
    context.setLineDash([5 * scale, 4 * scale]);
    context.strokeStyle = style.getPropertyValue("--ink");
    this.line(this.timesteps.map((value) => value / this.most), step);
    context.setLineDash([]);
  }

  /** Values of 0 to 1, the newest at the right edge. */
  line(values, step) {
    const { context, canvas } = this;
    const pad = 4 * window.devicePixelRatio;
    const left = canvas.width - (values.length - 1) * step;
    context.beginPath();
    values.forEach((value, index) =>
      context.lineTo(left + index * step, canvas.height - pad - value * (canvas.height - 2 * pad)),
    );
    context.stroke();
  }
}

const mean = (values) => values.reduce((sum, each) => sum + each, 0) / values.length;
