// The dialog: what a square's seeds have in common, then each with its evidence and the command that reproduces it.
const dialog = document.getElementById("evidence");
const title = document.getElementById("evidence-title");
const body = document.getElementById("evidence-body");
const SUSPECT = "Evidence in the suspect";
const SAID = ["verdict", "reason", "flag"]; // of the verdict's facts, in the table of seeds
const DELIVERED = "Evidence in the model as delivered";

const readCells = (packed) => {
  const [attack, seed] = [summed(packed.attack), summed(packed.seed)];
  const [thief, command, points] = [packed.thief, packed.command, packed.points].map(unpackFacts);
  const sections = packed.sections.map((one) => [one.title, unpackFacts(one)]);
  let next = 0;
  const curves = packed.curves.map((one) => ({ ...one, points: points.slice(next, (next += one.count)) }));
  const cell = (number) => ({
    attack: attack[number],
    seed: seed[number],
    thief: thief[number][0]?.[1],
    command: command[number][0][1],
    sections: sections.map(([name, facts]) => [name, facts[number]]).filter(([, facts]) => facts.length),
  });
  return { ...packed, curves, cell };
};

// What a word means stands in the legend once.
const meanings = (own) => {
  const rows = find("#legend tbody tr").map(({ cells }) => [cells[0].textContent, cells[1].textContent]);
  return { ...own, ...Object.fromEntries(rows) };
};

const list = (name, facts, meaning, parent) => {
  if (!facts.length) return;
  make("h4", name, parent);
  const dl = make("dl", undefined, parent);
  for (const [term, value] of facts) {
    make("dt", term, dl);
    const about = meaning[value] ?? meaning[term];
    make("dd", about ? `${value} (${about})` : value, dl);
  }
};

const simpleTable = (label, header, rows) => {
  const table = make("table", undefined, region(label, body));
  const head = make("tr", undefined, make("thead", undefined, table));
  for (const name of header) make("th", name, head).scope = "col";
  const lines = make("tbody", undefined, table);
  for (const values of rows) {
    const row = make("tr", undefined, lines);
    values.forEach((value, i) => {
      const cell = make(i ? "td" : "th", value, row);
      if (!i) cell.scope = "row";
    });
  }
};

const copy = async (code, said) => {
  try {
    await navigator.clipboard.writeText(code.textContent);
    said.textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(code);
    said.textContent = document.execCommand("copy") ? "Copied." : "Selected: copy it with the keyboard.";
  }
};

const command = (text, parent) => {
  make("h4", "Reproduce this cell", parent);
  const pre = make("pre", undefined, parent);
  pre.tabIndex = 0;
  pre.setAttribute("role", "region");
  pre.setAttribute("aria-label", "The command");
  const code = make("code", text, pre);
  const line = make("p", undefined, parent);
  const button = make("button", "Copy the command", line);
  button.type = "button";
  button.className = "copy";
  line.append(" ");
  const said = make("span", "", line);
  said.setAttribute("role", "status");
  button.addEventListener("click", () => copy(code, said));
  make("p", "Finished jobs of the results folder are used again; --fresh runs them anew.", parent);
};

const fact = (cell, section, term) => {
  const facts = cell.sections.find(([name]) => name === section)?.[1] ?? [];
  return facts.find(([name]) => name === term)?.[1];
};

// Cells of one square are told apart by their seed, by the attack where the ensemble picked it, and by the thief.
const nameOf = (cell, square, attacks) => {
  const attack = attacks[cell.attack];
  return [`Seed ${cell.seed}`, attack === square.attack ? "" : attack.name, cell.thief ?? ""].filter(Boolean).join(", ");
};

const points = (cells, names, section) => cells
  .map((cell, i) => [names[i], Number.parseFloat(fact(cell, "Utility", "change")), power(fact(cell, section, "p"))])
  .filter(([, utility, log10]) => !Number.isNaN(utility) && log10 !== null);

const drawCurves = (square, cells, names, data) => {
  const seeds = points(cells, names, SUSPECT);
  const as = points(cells, names, DELIVERED).slice(0, 1).map(([, , log10]) => ["as delivered", 0, log10]);
  const own = data.curves.filter((one) => one.squares.includes(square.number));
  const rows = own.map((one) => one.points.map((facts) => facts.map(([, text]) => text)));
  const lines = rows.map((one) => one.map(([value, utility, evidence]) => [value, Number(utility), power(evidence)]));
  if (seeds.length + (lines[0] ?? []).length > 1) make("h3", "Utility against evidence", body);
  if (!own.length) chart(seeds, [], as, square.table, body);
  own.forEach((curve, i) => {
    make("h4", `Curve of ${curve.title}`, body);
    chart(seeds, lines[i], as, square.table, body);
    const [[, ...header]] = curve.points.map((facts) => facts.map(([name]) => name));
    simpleTable(`Curve of ${curve.title}`, [curve.field, ...header], rows[i]);
  });
};

const summary = (square, cells, names) => {
  make("p", `${cells.length} cells, changes in ${square.table.unit}: ${square.lines.map(([, line]) => line).join("; ")}.`, body);
  const header = ["seed", "verdict", "observed", "p", "change of utility"];
  simpleTable("The seeds", header, cells.map((cell, i) => [
    names[i],
    cell.sections[0][1].filter(([term]) => SAID.includes(term)).map(([, text]) => text).join(", "),
    fact(cell, SUSPECT, "observed") ?? "–",
    fact(cell, SUSPECT, "p") ?? "–",
    fact(cell, "Utility", "change") ?? "–",
  ]));
};

const show = (square, data, attacks) => {
  const cells = square.cells.map(data.cell);
  const names = cells.map((cell) => nameOf(cell, square, attacks));
  const meaning = meanings(data.meaning);
  title.replaceChildren();
  breaking(`${square.table.kind === INNOCENT ? "unmarked under " : ""}${square.scheme.label} × ${square.attack.label}`, title);
  body.replaceChildren();
  if (cells.length > 1) summary(square, cells, names);
  drawCurves(square, cells, names, data);
  make("h3", cells.length > 1 ? "Seed by seed" : "Evidence", body);
  cells.forEach((cell, i) => {
    const part = cells.length > 1 ? make("details", undefined, body) : body;
    if (part !== body) make("summary", `${names[i]}: ${fact(cell, "Verdict", "verdict")}`, part);
    cell.sections.forEach(([name, facts], at) => {
      list(name, facts, meaning, part);
      if (at === 0) command(cell.command, part);
    });
  });
  make("h3", "Threat model", body);
  list("Of the scheme", data.schemes[square.places[0]], meaning, body);
  list("Of the attack", data.attacks[square.places[1]] ?? [], meaning, body);
  dialog.showModal();
  dialog.scrollTop = 0;
  title.focus();
};
