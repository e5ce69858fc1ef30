// Numbers as people read them, and elements that keep the whole number beside the text.

/** About `digits` digits that say something, without an exponent. */
export function short(value, digits = 3) {
  if (value === 0) return "0";
  const places = digits - 1 - Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(Math.max(places, 0), 6));
}

export const percent = (value) => `${(100 * value).toFixed(1)} %`;
export const milliseconds = (value) => `${short(value)} ms`;

/** An energy with the unit that fits its size, as everywhere in spikehalt. */
export function energy(mj) {
  if (Math.abs(mj) >= 1000) return `${short(mj / 1000)} J`;
  return Math.abs(mj) < 1 ? `${short(1000 * mj)} µJ` : `${short(mj)} mJ`;
}

/** Show a number in a <data> element; null empties it. */
export function show(element, value, text) {
  element.value = value ?? "";
  set(element, value === null || value === undefined ? "" : text(value));
}

/** Text of an element, touched only where it changes. */
export function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
