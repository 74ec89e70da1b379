"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = (selector, root = document) => [...root.querySelectorAll(selector)];
  const status = document.getElementById("status");

  // Every text is set as text: nothing of the data is ever read as markup.
  const make = (name, text, parent) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  };

  // Sorting: each table by itself, by the attack's name or by how a scheme fared; a third press restores the order.
  for (const table of find(".matrix")) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    table.style.setProperty("--columns", table.tHead.rows[0].cells.length - 1);
    for (const button of find(".sort", table)) {
      button.addEventListener("click", () => {
        const column = Number(button.dataset.column);
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
    }
  }

  // Filtering.
  const text = document.getElementById("filter-text");
  const word = document.getElementById("filter-word");
  const kind = document.getElementById("filter-kind");
  const filter = () => {
    const wanted = text.value.trim().toLowerCase();
    let shown = 0, all = 0;
    for (const section of find(".board")) {
      let any = false;
      for (const row of find("tbody tr", section)) {
        let has = false;
        for (const cell of row.cells) {
          const match = word.value !== "" && (cell.dataset.words ?? "").split(" ").includes(word.value);
          cell.classList.toggle("match", match);
          has ||= match;
        }
        const show = (kind.value === "" || kind.value === section.dataset.kind)
          && row.dataset.attack.toLowerCase().includes(wanted) && (word.value === "" || has);
        row.hidden = !show;
        any ||= show;
        shown += show;
        all += 1;
      }
      section.hidden = !any;
    }
    status.textContent = `${shown} of ${all} rows shown.`;
  };
  const form = text.form;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  filter();

  // Evidence.
  const dialog = document.getElementById("evidence");
  const title = document.getElementById("evidence-title");
  const body = document.getElementById("evidence-body");
  let opener = null;

  // What a word means stands in the legend once.
  const meaning = { ...data.meaning };
  for (const { cells } of find("#legend tbody tr")) meaning[cells[0].textContent] = cells[1].textContent;

  const list = (name, facts) => {
    if (!facts.length) return;
    make("h3", name, body);
    const dl = make("dl", undefined, body);
    for (const [term, value] of facts) {
      make("dt", term, dl);
      const about = meaning[value] ?? meaning[term];
      make("dd", about ? `${value} (${about})` : value, dl);
    }
  };

  const curveTable = (curve) => {
    make("h3", curve.title, body);
    const region = make("div", undefined, body);
    region.className = "scroll";
    region.tabIndex = 0;
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", curve.title);
    const table = make("table", undefined, region);
    const head = make("tr", undefined, make("thead", undefined, table));
    for (const name of curve.header) make("th", name, head).scope = "col";
    const rows = make("tbody", undefined, table);
    for (const values of curve.rows) {
      const row = make("tr", undefined, rows);
      values.forEach((value, i) => { make(i ? "td" : "th", value, row).scope = "row"; });
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

  const command = (cell) => {
    make("h3", "Reproduce this cell", body);
    const pre = make("pre", undefined, body);
    pre.tabIndex = 0;
    pre.setAttribute("role", "region");
    pre.setAttribute("aria-label", "The command");
    const code = make("code", cell.command, pre);
    const line = make("p", undefined, body);
    const button = make("button", "Copy the command", line);
    button.type = "button";
    button.className = "copy";
    line.append(" ");
    const said = make("span", "", line);
    said.setAttribute("role", "status");
    button.addEventListener("click", () => copy(code, said));
    make("p", "Finished jobs of the results folder are used again; --fresh runs them anew.", body);
  };

  const open = (button) => {
    const square = data.squares[Number(button.dataset.square)];
    opener = button;
    title.textContent = square.title;
    body.replaceChildren();
    square.cells.forEach((cell) => {
      if (square.cells.length > 1) make("h3", `Seed ${cell.seed}`, body).className = "seed";
      cell.sections.forEach(([name, facts], i) => {
        list(name, facts);
        if (i === 0) command(cell);
      });
    });
    square.curves.forEach(curveTable);
    list("Threat model of the scheme", data.schemes[square.scheme]);
    if (square.attack >= 0) list("Threat model of the attack", data.attacks[square.attack]);
    dialog.showModal();
    dialog.scrollTop = 0;
    title.focus();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".square");
    if (button) open(button);
    else if (event.target === dialog) dialog.close(); // the backdrop
  });
  document.getElementById("evidence-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    opener?.focus();
    opener = null;
  });
})();
