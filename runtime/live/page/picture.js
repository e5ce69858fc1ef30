// A picture on a canvas, its dead patches faded towards the page.

const FADED = 0.86; // of a patch that ran in no block
const SMOOTH_FROM = 200; // pixels: those of smaller pictures are shown as squares

export class Picture {
  constructor(figure) {
    this.figure = figure;
    this.canvas = figure.querySelector("canvas");
    this.context = this.canvas.getContext("2d");
    this.image = null;
  }

  /** Draw `pixels` of `shape` [h, w, 3]; `depth` [rows · columns] is in 0..1, or null. */
  draw(pixels, shape, depth, grid) {
    const [height, width] = shape;
    if (this.image?.width !== width || this.image.height !== height) this.resize(width, height);
    const into = this.image.data;
    for (let from = 0, to = 0; from < pixels.length; from += 3, to += 4) {
      into[to] = pixels[from];
      into[to + 1] = pixels[from + 1];
      into[to + 2] = pixels[from + 2];
    }
    this.context.putImageData(this.image, 0, 0);
    if (depth) this.fade(depth, grid);
  }

  resize(width, height) {
    Object.assign(this.canvas, { width, height });
    this.canvas.classList.toggle("squares", Math.min(width, height) < SMOOTH_FROM);
    this.figure.style.setProperty("--shape", `${width} / ${height}`);
    this.image = new ImageData(width, height);
    this.image.data.fill(255);
  }

  fade(depth, [rows, columns]) {
    const { context, canvas } = this;
    const high = canvas.height / rows;
    const wide = canvas.width / columns;
    context.fillStyle = getComputedStyle(this.canvas).backgroundColor;
    depth.forEach((share, patch) => {
      if (share === 1) return;
      const [x, y] = [(patch % columns) * wide, Math.floor(patch / columns) * high];
      context.globalAlpha = FADED * (1 - share);
      context.fillRect(x, y, wide, high);
    });
    context.globalAlpha = 1;
  }
}

/** In what share of its blocks each patch ran at a timestep (from 0); null where nobody knows. */
export function depthAt(live, shape, timestep) {
  if (!live || timestep >= shape[0]) return null;
  const [, blocks, rows, columns] = shape;
  const patches = rows * columns;
  const depth = new Float32Array(patches);
  for (let block = 0; block < blocks; block += 1) {
    const start = (timestep * blocks + block) * patches;
    for (let patch = 0; patch < patches; patch += 1) depth[patch] += live[start + patch] / blocks;
  }
  return depth;
}
