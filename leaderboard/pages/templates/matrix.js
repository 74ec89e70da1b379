// The matrix: one table for each kind of attack on each task, made of the squares that the filters leave.
const status = document.getElementById("status");
const tables = document.getElementById("tables");
const [byScheme, byBeside, byKind, byText, byWord] = ["scheme", "beside", "kind", "text", "word"].map((name) => document.getElementById(`filter-${name}`));
const EMPTY = "not-applicable";
const INNOCENT = "innocent models";

// The squares as objects, with what their numbers stand for.
const readSquares = (packed) => {
  const [scheme, attack, table, cells] = ["scheme", "attack", "table", "cells"].map((name) => summed(packed[name]));
  const lines = unpackFacts(packed.lines);
  const words = unpackFacts(packed.words);
  let next = 0;
  return packed.count.map((count, number) => ({
    number,
    scheme: packed.schemes[scheme[number]],
    attack: packed.attacks[attack[number]],
    table: packed.tables[table[number]],
    places: [scheme[number], attack[number]],
    lines: lines[number], // [where it stands, line]: "" in the table and in the dialog, "dialog" there alone
    words: words[number][0][1].split(" "),
    look: packed.looks[packed.look[number]],
    sign: packed.signs[packed.sign[number]],
    rank: 1e5 * packed.look[number] - packed.depth[number], // broken marks first, and of these the deepest
    cells: cells.slice(next, (next += count)),
  }));
};

const squareButton = (square, parent) => {
  const button = make("button", undefined, parent);
  button.type = "button";
  button.className = `square ${square.look}`;
  button.dataset.square = square.number;
  button.setAttribute("aria-haspopup", "dialog");
  const text = make("span", undefined, button);
  const sign = make("span", square.sign, text);
  sign.className = "sign";
  sign.setAttribute("aria-hidden", "true");
  const [first, ...others] = square.lines.filter(([where]) => where === "").map(([, line]) => line);
  text.append(" ");
  make("strong", first, text);
  for (const line of others) {
    make("br", undefined, text);
    text.append(line);
  }
};

// Sorting: by the attack's name or by how a scheme fared; a third press restores the order of the run.
const sortable = (table) => {
  const body = table.tBodies[0];
  const original = [...body.rows];
  find(".sort", table).forEach((button, column) => {
    button.addEventListener("click", () => {
      const header = button.parentElement;
      const next = { none: "ascending", ascending: "descending", descending: "none" }[header.ariaSort];
      for (const other of table.tHead.rows[0].cells) other.ariaSort = "none";
      header.ariaSort = next;
      const value = (row) => (column ? Number(row.cells[column].dataset.rank) : row.dataset.attack);
      const compare = (a, b) => (column ? value(a) - value(b) : value(a).localeCompare(value(b), "en", { numeric: true }));
      const rows = [...original];
      if (next !== "none") rows.sort((a, b) => (next === "ascending" ? compare(a, b) : compare(b, a)));
      body.append(...rows);
      const by = button.textContent.trim();
      status.textContent = next === "none" ? "In the order of the run." : `Sorted by ${by}, ${next}${column ? ", broken marks first when ascending" : ""}.`;
    });
  });
};

const heading = (text, label, row) => {
  const cell = make("th", undefined, row);
  cell.scope = "col";
  cell.ariaSort = "none";
  const button = make("button", undefined, cell);
  button.type = "button";
  button.className = "sort";
  button.title = label; // in full, where the name is short or cut
  breaking(text, button);
};

const drawTable = ({ kind, task, about }, squares, several) => {
  const section = make("section", undefined, tables);
  section.className = "board";
  section.dataset.kind = kind;
  const name = kind[0].toUpperCase() + kind.slice(1) + (several ? `, ${task}` : "");
  make("h3", name, section);
  if (about) make("p", about, section);
  const [columns, rows] = [0, 1].map((side) => [...new Set(squares.map((one) => one.places[side]))].sort((a, b) => a - b));
  const table = make("table", undefined, region(name, section));
  table.className = "matrix";
  table.style.setProperty("--columns", columns.length);
  const at = new Map(squares.map((one) => [one.places.join(), one]));
  const of = (side, place) => squares.find((one) => one.places[side] === place);
  const head = make("tr", undefined, make("thead", undefined, table));
  heading("attack", "", head);
  const schemes = columns.map((place) => of(0, place).scheme);
  for (const scheme of schemes) heading(scheme.name, scheme.label, head);
  const body = make("tbody", undefined, table);
  for (const place of rows) {
    const { attack } = of(1, place);
    const row = make("tr", undefined, body);
    row.dataset.attack = attack.label;
    const header = make("th", undefined, row);
    header.scope = "row";
    header.title = attack.label;
    breaking(attack.name, header);
    columns.forEach((column, i) => {
      const square = at.get([column, place].join());
      const cell = make("td", undefined, row);
      cell.dataset.scheme = schemes[i].name;
      cell.dataset.rank = square ? square.rank : 999999;
      if (square) squareButton(square, cell);
      else cell.textContent = "–";
      cell.classList.toggle("match", Boolean(square) && square.words.includes(byWord.value));
    });
  }
  sortable(table);
  return rows.length;
};

const picks = (select) => {
  const { value, dataset } = select.selectedOptions[0];
  return (scheme) => value !== "" && (dataset.family === undefined ? scheme.label === value : scheme.family === dataset.family);
};

const draw = (all, every) => {
  tables.replaceChildren();
  const [first, second] = [byScheme, byBeside].map(picks);
  const wanted = byText.value.trim().toLowerCase();
  const named = (attack) => `${attack.label} ${attack.name}`.toLowerCase().includes(wanted);
  const several = new Set(every.map((one) => one.task)).size > 1;
  let shown = 0, rows = 0, left = 0;
  for (const table of every) {
    if (byKind.value !== "" && byKind.value !== table.kind) continue;
    const on = all.filter((one) => one.table === table && (byScheme.value === "" || first(one.scheme) || second(one.scheme)));
    // rows and columns of nothing but pairs that can't be run are shown where they are asked for
    const run = (one) => byWord.value === EMPTY || one.words.some((word) => word !== EMPTY);
    const [schemes, attacks] = [0, 1].map((side) => new Set(on.filter(run).map((one) => one.places[side])));
    const met = on.filter((one) => schemes.has(one.places[0]) && attacks.has(one.places[1]));
    const hits = new Set(met.filter((one) => named(one.attack) && (byWord.value === "" || one.words.includes(byWord.value))).map((one) => one.places[1]));
    rows += attacks.size;
    left += on.length - met.length;
    if (hits.size) shown += drawTable(table, met.filter((one) => hits.has(one.places[1])), several);
  }
  const aside = left ? ` Not among them: ${left} squares of pairs that can't be run; the verdict ${EMPTY} shows why.` : "";
  status.textContent = `${shown} of ${rows} rows shown.${aside}`;
};
