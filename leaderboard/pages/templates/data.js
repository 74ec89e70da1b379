// Unpacking: what `writers/html_data.py` packed, to the letter.
const unpack = async (id) => {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (sign) => sign.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
};

const summed = (steps) => {
  let sum = 0;
  return steps.map((step) => (sum += step));
};

// Lists of [name, text]: a column's texts first, then row by row, then those of each cell.
const unpackFacts = ({ row, shapes, shape, columns }) => {
  const texts = columns.map(({ forms, form, slots }) => {
    const parts = forms.map((one) => one.split("\u0001"));
    const stood = slots.map((one) => one.split(" "));
    const next = slots.map(() => 0);
    return summed(form).map((which) => {
      const [first, ...rest] = parts[which];
      return rest.reduce((text, part, at) => text + stood[at][next[at]++] + part, first);
    });
  });
  const next = columns.map(() => 0);
  const rows = summed(shape).map((which) => shapes[which].map((at) => [columns[at].name, texts[at][next[at]++]]));
  return summed(row).map((which) => rows[which]);
};

// Elements. Every text is set as text: nothing of the data is ever read as markup.
const find = (selector, root = document) => [...root.querySelectorAll(selector)];

const make = (name, text, parent) => {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
};

// A region that scrolls by itself, also by keyboard.
const region = (label, parent) => {
  const element = make("div", undefined, parent);
  element.className = "scroll";
  element.tabIndex = 0;
  element.setAttribute("role", "region");
  element.setAttribute("aria-label", label);
  return element;
};

// A label that a narrow column may break after its signs.
const breaking = (text, parent) => {
  text.split(/(?<=[(,+=;|/])(?=\w)/).forEach((part, at) => {
    if (at) make("wbr", undefined, parent);
    parent.append(part);
  });
};
