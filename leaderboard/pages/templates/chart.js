// Utility against evidence: a small drawing of the points of a curve and of the seeds of a square.
const drawn = (name, attributes, parent, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
};

// The power of ten of a p-value as the page writes it: `p=0.27 exact`, `10^-59 ranked`; null for another text.
const power = (text) => {
  const found = /^(?:p=([\d.e-]+)|10\^(-?[\d.]+))/.exec(text ?? "");
  return found ? (found[1] === undefined ? Number(found[2]) : Math.max(Math.log10(Number(found[1])), -400)) : null;
};

// Round steps, about five of them.
const ticks = (low, high) => {
  const rough = (high - low) / 5;
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * ten).find((one) => one >= rough);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high; at += 1) found.push(Number((at * step).toPrecision(6)));
  return found;
};

// seeds: [name, utility, power]; curve: the same, in the order of its numbers. Nothing is drawn of fewer than two points.
const chart = (seeds, curve, delivered, { alpha, budget, unit }, parent) => {
  const all = [...seeds, ...curve, ...delivered];
  if (seeds.length + curve.length < 2) return;
  const [width, height, left, top, right, bottom] = [480, 260, 52, 14, 12, 44];
  const across = [...all.map(([, utility]) => utility), -budget, 0];
  const up = [...all.map(([, , log10]) => -log10), -Math.log10(alpha), 0];
  const span = (values) => [Math.min(...values), Math.max(...values)];
  const [[low, high], [least, most]] = [span(across), span(up)];
  const margin = (high - low) * 0.08;
  const x = (value) => left + ((value - low + margin) / (high - low + 2 * margin)) * (width - left - right);
  const y = (value) => height - bottom - ((value - least) / ((most - least) * 1.06)) * (height - top - bottom);
  const figure = make("figure", undefined, parent);
  const about = `Change of utility (${unit}) against evidence (minus log10 p) of ${seeds.length} cells`
    + `${curve.length ? ` and ${curve.length} settings` : ""}; the same numbers stand in the tables.`;
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": about }, figure);
  for (const value of ticks(low, high)) {
    drawn("line", { class: "grid", x1: x(value), x2: x(value), y1: top, y2: height - bottom }, svg);
    drawn("text", { x: x(value), y: height - bottom + 15, "text-anchor": "middle" }, svg, value);
  }
  for (const value of ticks(least, most)) {
    drawn("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }, svg);
    drawn("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, svg, value);
  }
  drawn("text", { x: (left + width) / 2, y: height - 8, "text-anchor": "middle" }, svg, `change of utility, ${unit}`);
  drawn("text", { x: -height / 2 + bottom / 2, y: 14, "text-anchor": "middle", transform: "rotate(-90)" }, svg, "evidence, −log10 p");
  drawn("line", { class: "limit", x1: left, x2: width - right, y1: y(-Math.log10(alpha)), y2: y(-Math.log10(alpha)) }, svg);
  drawn("line", { class: "limit", x1: x(-budget), x2: x(-budget), y1: top, y2: height - bottom }, svg);
  drawn("polyline", { class: "curve", points: curve.map(([, utility, log10]) => `${x(utility)},${y(-log10)}`).join(" ") }, svg);
  const dot = (kind, radius) => ([name, utility, log10]) => {
    drawn("title", {}, drawn("circle", { class: kind, cx: x(utility), cy: y(-log10), r: radius }, svg), name);
  };
  curve.forEach(dot("setting", 3));
  delivered.forEach(dot("delivered", 6));
  seeds.forEach(dot("seed", 5));
  const key = ["Filled: the seeds of this square", curve.length ? "line: the settings, mean change and median p" : "", delivered.length ? "ring: as delivered" : ""];
  make("figcaption", `${key.filter(Boolean).join("; ")}; dashed: alpha ${alpha} and the budget of ${budget} ${unit}.`, figure);
};
