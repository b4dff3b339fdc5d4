// The leaderboard: sorted, filtered, a page at a time, so that ten thousand rows are as quick as fifty.

const PAGE_SIZES = [25, 50, 200];

const capital = (text) => text[0].toUpperCase() + text.slice(1);
/** A number for CSV: a share in per cent, a score in its scale, an amount. */
const inPercent = (value) => (isNumber(value) ? Number((100 * value).toPrecision(8)) : null);
const scoreNumber = (value) => (isNumber(value) ? Number(inScale(value).toPrecision(8)) : null);
const amountNumber = (value) => (isNumber(value) ? Number(amountInScale(value).toPrecision(8)) : null);

/** The ranks that a function is not told apart from, where there are several. */
const tiedText = (row) => (row.tied_first && row.tied_first < row.tied_last ? `${row.tied_first}–${row.tied_last}` : null);
/** Where ± comes from. */
const spreadText = ({deviation, source}) => `one seed deviates by ${amountText(deviation)} ${differenceUnit()} (${source})`;

/** Columns: what sorts (`value`), what is shown (`show`), the first direction of a sort, whether a narrow screen has it. */
function leaderboardColumns(view) {
  const {spread} = view.recipe;
  const columns = [
    {
      key: "rank",
      label: "#",
      hint: "by lower bound; below it the ranks that it is not told apart from",
      value: (r) => r.rank,
      show: (r) => [r.rank, tiedText(r) && el("div", {class: "under"}, tiedText(r))].filter(Boolean),
      first: 1,
      narrow: true
    },
    {key: "shape", label: "Shape", show: (r) => sparkline(view.data.functions, r.function), narrow: true, text: true},
    {
      key: "formula",
      label: "Function",
      value: (r) => r.label,
      show: (r) => functionButton(view, r.function),
      first: 1,
      narrow: true,
      text: true
    },
    {key: "mean", label: capital(scoreName()), value: (r) => r.mean, show: (r) => scoreText(r.mean), first: -1, narrow: true},
    spread && {
      key: "margin",
      label: scoreName("±"),
      hint: `half of the 95 % interval: ${spreadText(spread)}`,
      value: (r) => r.margin,
      show: (r) => amountText(r.margin),
      first: 1
    },
    view.several && {
      key: "bound",
      label: scoreScale.negated ? "Upper bound" : "Lower bound",
      hint: "what the mean of so few seeds is worth",
      value: (r) => r.bound,
      show: (r) => scoreText(r.bound),
      first: -1
    },
    {key: "n", label: "Seeds", value: (r) => r.n, show: (r) => r.n, first: -1, narrow: true},
    {key: "beta", label: "β", hint: "mean of the first learned parameter", value: (r) => r.beta, show: (r) => fixed(r.beta, 3), first: -1},
    {
      key: "operations",
      label: "Ops",
      hint: "operations in the formula",
      value: (r) => r.operations,
      show: (r) => r.operations ?? NONE,
      first: 1
    },
    {
      key: "kernel",
      label: "Kernel, ns",
      hint: "nanoseconds an element, forward and backward",
      value: (r) => r.kernel,
      show: (r) => fixed(r.kernel, 2),
      first: 1
    },
  ].filter(Boolean);
  if (!view.comparison) return columns;
  const difference = (r) => view.comparison.of.get(r.function);
  const label = `− ${labelOf(view.data.functions, view.comparison.reference)}`;
  const show = (r) =>
      (difference(r) ? [differenceText(difference(r).difference), el("div", {class: "under"}, verdictOf(difference(r)))] : NONE);
  columns.push({
    key: "difference",
    label,
    hint: `${differenceUnit()}, over the seeds that both have`,
    value: (r) => difference(r)?.difference,
    show,
    first: -1
  });
  return columns;
}
const intervalText = (row) =>
    (isNumber(row.low) ? intervalInScale(row.low, row.high).map((end) => fixed(end, scaleDigits())).join(" – ") : NONE);

/** A function that is shown in detail when pressed; text alone where it is not ranked. */
function functionButton(view, index) {
  if (!view.rowOf.has(index)) return el("span", {class: "function"}, formulaNodes(view, index));
  const pressed = String(index === view.selected);
  return el(
      "button", {
        type: "button",
        class: "function",
        "aria-pressed": pressed,
        title: view.data.functions.formula[index],
        on: {click: () => view.select(index)}
      },
      formulaNodes(view, index));
}

/** Rows that hold `text` and that `several` lets through, in the order of the sort; those without a value come last. */
function arranged(view, columns) {
  const {text, several, key, direction} = view.state;
  const wanted = text.trim().toLowerCase();
  const rows = view.rows.filter((row) => (!several || row.n > 1) && (wanted === "" || row.search.includes(wanted)));
  const value = columns.find((column) => column.key === key)?.value ?? columns[0].value;
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
  const missing = (a) => a === null || a === undefined;
  return rows.sort((a, b) => {
    const x = value(a), y = value(b);
    if (missing(x) || missing(y)) return missing(x) - missing(y) || a.rank - b.rank;
    return direction * compare(x, y) || a.rank - b.rank;
  });
}

function headCell(view, column, redraw) {
  const {key, direction} = view.state;
  const sorted = column.key === key;
  const kind = `${column.text ? "text" : "number"}${column.narrow ? "" : " wide"}`;
  if (!column.value) return el("th", {scope: "col", class: kind}, column.label);
  const sort = () => {
    view.state.direction = sorted ? -direction : column.first;
    view.state.key = column.key;
    view.state.page = 0;
    redraw();
    byId("leaderboard").querySelector(`th[data-key="${column.key}"] button`).focus();
  };
  const order = sorted ? (direction > 0 ? "ascending" : "descending") : "none";
  const arrow = el("span", {class: "arrow", "aria-hidden": "true"}, sorted ? (direction > 0 ? "▲" : "▼") : "");
  return el(
      "th", {scope: "col", class: kind, "aria-sort": order, "data-key": column.key},
      el("button", {type: "button", title: column.hint, on: {click: sort}}, column.label, arrow));
}

function bodyRow(view, columns, row) {
  const cells = columns.map(
      (column) => el("td", {class: `${column.text ? "text" : "number"}${column.narrow ? "" : " wide"} ${column.key}`}, column.show(row)));
  return el("tr", {class: row.function === view.selected ? "selected" : null, "data-function": row.function}, cells);
}

function pager(view, total, redraw) {
  const {page, size} = view.state;
  const last = Math.max(0, Math.ceil(total / size) - 1);
  const turn = (by) => () => {
    view.state.page = Math.min(last, Math.max(0, page + by));
    redraw();
  };
  const step = (label, by, disabled) => el("button", {type: "button", disabled, on: {click: turn(by)}}, label);
  const sizes =
      el("select", {
        "aria-label": "Rows on a page",
        on: {change: (event) => Object.assign(view.state, {size: Number(event.target.value), page: 0}) && redraw()}
      },
         PAGE_SIZES.map((n) => el("option", {value: n, selected: n === size}, `${n} rows`)));
  const first = total === 0 ? 0 : page * size + 1;
  return [
    step("Previous", -1, page === 0),
    el("span", {role: "status"}, `${count(first)}–${count(Math.min(total, (page + 1) * size))} of ${count(total)}`),
    step("Next", 1, page >= last), sizes
  ];
}

const leaderboardCsv =
    (view, rows) =>
        csvText(
            [
              ["rank", (r) => r.rank], ["tied_first", (r) => r.tied_first], ["tied_last", (r) => r.tied_last],
              ["formula", (r) => r.formula], ["name", (r) => r.name], [scoreName(), (r) => scoreNumber(r.mean)],
              [scoreName("±"), (r) => amountNumber(r.margin)], ["n", (r) => r.n],
              [scoreName("low"), (r) => scoreNumber(scoreScale.negated ? r.high : r.low)],
              [scoreName("high"), (r) => scoreNumber(scoreScale.negated ? r.low : r.high)],
              [scoreName("bound"), (r) => scoreNumber(r.bound)], [scoreName("best"), (r) => scoreNumber(r.best)], ["beta", (r) => r.beta],
              ["operations", (r) => r.operations], ["kernel_ns", (r) => r.kernel], ["epochs", (r) => r.epochs],
              ["seconds", (r) => r.seconds]
            ],
            rows);

/** Fills the section. Only its table and its pager are drawn anew afterwards, so that the filter keeps the keyboard. */
function drawLeaderboard(view) {
  const columns = leaderboardColumns(view);
  const head = el("tr"), body = el("tbody"), foot = el("div", {class: "pager"});
  const redraw = () => {
    const rows = arranged(view, columns);
    const {page, size} = view.state;
    view.state.page = Math.min(page, Math.max(0, Math.ceil(rows.length / size) - 1));
    const first = view.state.page * size;
    head.replaceChildren(...columns.map((column) => headCell(view, column, redraw)));
    body.replaceChildren(...rows.slice(first, first + size).map((row) => bodyRow(view, columns, row)));
    if (rows.length === 0) body.append(el("tr", {}, el("td", {colspan: columns.length, class: "none"}, "No function matches.")));
    foot.replaceChildren(...pager(view, rows.length, redraw));
  };
  const changed = (change) => (event) => {
    Object.assign(view.state, change(event.target), {page: 0});
    redraw();
  };
  const filter = el("input", {
    type: "search",
    id: "filter",
    placeholder: "Filter by formula or name",
    "aria-label": "Filter by formula or name",
    value: view.state.text,
    autocomplete: "off",
    spellcheck: "false",
    on: {input: changed((input) => ({text: input.value}))}
  });
  const several =
      el("label", {class: "check"},
         el("input", {type: "checkbox", checked: view.state.several, on: {change: changed((box) => ({several: box.checked}))}}),
         "several seeds");
  redraw();
  put(byId("leaderboard"),
      heading("leaderboard", "Leaderboard", filter, several, csvButton("leaderboard", () => leaderboardCsv(view, arranged(view, columns)))),
      el("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": "Leaderboard table"},
         el("table", {class: "ranking"}, el("thead", {}, head), body)),
      foot,
      el("p", {class: "note"},
         view.several ?
             `Ranked by the ${scoreScale.negated ? "upper bound: the mean plus" : "lower bound: the mean less"} t·s/√n, with the ` +
                 "deviation of a trial pooled over the functions that have several seeds. " :
             `No function has several seeds yet: single trials, by their ${scoreScale.name}. `,
         view.recipe.spread ? `± is half of a 95 % interval: ${
                                  spreadText(view.recipe.spread)}. The ranks under a rank are those that it is not told apart from. ` :
                              "How far seeds deviate is not known here, so near ranks may be chance. ",
         "The best of many candidates looks better than it is; score it again with fresh seeds before believing it."),
      view.leftOut.functions > 0 &&
          el("p", {class: "note"}, `${plural(view.leftOut.functions, "function")} of lower rank not in this page.`));
  view.redrawTable = redraw;
}
