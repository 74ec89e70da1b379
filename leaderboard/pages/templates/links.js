// What leads where: filters, squares of the heat map, squares of the matrix, and links that name a cell.
const MANY = 400; // squares, from which on one kind of attack is shown first

const decoded = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

const failed = (error) => {
  status.textContent = `The cells can't be unpacked by this browser (${error.message}): they stand in matrix.csv.`;
};

const start = async () => {
  const packed = await unpack("squares");
  const squares = readSquares(packed);
  let cells = null; // unpacked when the first cell is opened
  let opener = null;

  const open = async (square, from) => {
    cells ??= unpack("cells").then(readCells);
    const data = await cells;
    opener = from;
    history.replaceState(null, "", `#${addressOf(square)}`);
    show(square, data, packed.attacks);
  };

  // `#scheme/attack`, by slugs or whole labels, and `/innocent` behind it for an unmarked model under the key. A name
  // of several settings, or none, leads to the table of all that it means.
  const addressOf = ({ scheme, attack, table }) => `${scheme.slug}/${attack.slug}${table.kind === INNOCENT ? "/innocent" : ""}`;
  const follow = () => {
    const [scheme, attack, innocent] = location.hash.slice(1).split("/").map(decoded);
    if (attack === undefined) return; // a place of the page
    const is = (one, name) => name === one.slug || name === one.label;
    const fits = (one, name) => name === "" || name === one.page || is(one, name);
    const found = squares.filter((one) => fits(one.scheme, scheme) && fits(one.attack, attack)
      && (one.table.kind === INNOCENT) === (innocent === "innocent"));
    const exact = found.filter((one) => is(one.scheme, scheme) && is(one.attack, attack));
    const [first, ...others] = exact.length ? exact : found;
    if (!first) status.textContent = "The address names no cell of this board.";
    else if (!others.length) open(first, null).catch(failed);
    else {
      form.reset();
      setTimeout(() => toMatrix(found)); // behind what the reset leads to
    }
  };

  const { form } = byText;
  const toMatrix = (those) => {
    draw(those, packed.tables);
    const matrix = document.getElementById("matrix");
    matrix.scrollIntoView();
    matrix.focus();
  };
  const drawAll = () => draw(squares, packed.tables);
  form.addEventListener("input", drawAll);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(drawAll));

  const go = ({ kind, family }) => {
    for (const one of [byBeside, byText, byWord]) one.value = "";
    byKind.value = kind;
    byScheme.value = family;
    toMatrix(squares);
  };

  document.addEventListener("click", (event) => {
    const square = event.target.closest(".square");
    const part = event.target.closest(".part");
    if (square) open(squares[Number(square.dataset.square)], square).catch(failed);
    else if (part) go(part.dataset);
    else if (event.target === dialog) dialog.close(); // the backdrop
  });
  document.getElementById("evidence-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    history.replaceState(null, "", location.pathname + location.search);
    opener?.focus();
    opener = null;
  });
  addEventListener("hashchange", follow);

  if (squares.length > MANY) byKind.value = packed.tables.find(({ kind }) => kind !== "auto").kind;
  drawAll();
  follow();
};

start().catch(failed);
