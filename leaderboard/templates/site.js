"use strict";
// Sorting and filtering of boards, players, and charts. Everything here adds to pages that say all without it.

const dark = matchMedia("(prefers-color-scheme: dark)");
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Boards: a button in each sortable heading; what has no value stays last either way.
const cellValue = (row, column) => {
  const cell = row.cells[column];
  if (cell.dataset.value === undefined) return cell.textContent.trim();
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
};
const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b);

const sortBy = (table, heading) => {
  const now = heading.getAttribute("aria-sort");
  const first = heading.dataset.sort === "up" ? "ascending" : "descending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = now === first ? other : first;
  for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => [cellValue(row, heading.cellIndex), row]);
  keyed.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b)));
  body.append(...keyed.map(([, row]) => row));
};

const makeSortable = (table) => {
  for (const heading of table.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, heading));
    heading.append(button);
  }
};

const makeFilterable = (form) => {
  const rows = [...document.getElementById(form.dataset.for).tBodies[0].rows];
  const marks = new Map(rows.map((row) => [row, JSON.parse(row.dataset.marks)]));
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const filter = () => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const unwanted = new Set(boxes.filter((box) => !box.checked).map((box) => box.name));
    let shown = 0;
    for (const row of rows) {
      const text = [...row.querySelectorAll("th, .team")].map((cell) => cell.textContent).join(" ").toLowerCase();
      const reference = row.classList.contains("reference") ? ["reference"] : [];
      const wanted = ![...marks.get(row), ...reference].some((mark) => unwanted.has(mark));
      row.hidden = !(wanted && words.every((word) => text.includes(word)));
      shown += !row.hidden;
    }
    form.querySelector(".count").textContent = `${shown} of ${rows.length} runs`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
};

// Players: one at a time, with a line over the picture where it plays.
const makePlayer = (audio) => {
  const line = audio.parentElement.querySelector(".playhead");
  const follow = () => {
    if (line) {
      line.hidden = false;
      line.style.left = `${(100 * audio.currentTime) / (audio.duration || 1)}%`;
    }
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    follow();
  });
  audio.addEventListener("seeked", follow);
};

// Charts, in the page's own colours and type.
const chartConfig = () => {
  const [ink, quiet, line, accent] = ["--ink", "--quiet", "--grid", "--accent"].map(color);
  const text = { labelColor: quiet, titleColor: quiet, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500 };
  return {
    background: null,
    font: getComputedStyle(document.body).fontFamily,
    view: { stroke: null },
    axis: { ...text, gridColor: line, domainColor: line, tickColor: line, labelPadding: 6, titlePadding: 10 },
    legend: { ...text, labelFontSize: 12 },
    text: { color: ink, fontSize: 12 },
    line: { color: accent, strokeWidth: 2 },
    area: { color: accent },
    bar: { color: accent },
    rect: { color: accent },
    rule: { color: ink },
    point: { color: accent },
    range: { category: [accent, quiet] },
  };
};

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
const showTip = (_handler, event, _item, value) => {
  tip.hidden = value === null || value === undefined || value === "";
  if (tip.hidden) return;
  const said = typeof value === "object" ? Object.entries(value) : [["", value]];
  tip.replaceChildren(
    ...said.map(([name, what]) => {
      const row = document.createElement("div");
      row.textContent = name ? `${name}: ${what}` : String(what);
      return row;
    }),
  );
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
};

const draw = async (figure) => {
  const spec = JSON.parse(figure.querySelector("script").textContent);
  figure.view?.finalize();
  const made = await vegaEmbed(figure.querySelector(".canvas"), spec, {
    mode: "vega-lite",
    ast: true, // expressions are walked, not compiled: the policy has no unsafe-eval
    actions: false,
    defaultStyle: false,
    renderer: "svg",
    tooltip: showTip,
    config: chartConfig(),
  });
  figure.view = made.view;
};

const drawAll = () => {
  for (const figure of document.querySelectorAll("figure.chart")) draw(figure);
};

document.querySelectorAll("table.board").forEach(makeSortable);
document.querySelectorAll("form.filters").forEach(makeFilterable);
document.querySelectorAll("audio").forEach(makePlayer);
if (document.querySelector("figure.chart")) {
  document.body.append(tip);
  drawAll();
  dark.addEventListener("change", drawAll);
}
