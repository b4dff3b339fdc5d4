// The page's other sections. Each fills one element from the view of the chosen recipe.

const widthOf = (section) => Math.max(280, Math.floor(byId(section).clientWidth));
const SERIES = 8;

function drawOverview(view) {
  const {counts, rows} = view;
  const tile = (label, value, ...more) =>
      el("div", {class: "tile"}, el("p", {class: "tile-label"}, label), el("p", {class: "tile-value"}, value),
         el("p", {class: "muted"}, ...more));
  const best = rows[0];
  const spent = view.trials.reduce((sum, trial) => sum + (trial.seconds ?? 0), 0);
  const open = [
    counts.running && `${count(counts.running)} running`, counts.released && `${count(counts.released)} paused`
  ].filter(Boolean).join(", ");
  put(byId("overview"),
      best ? el("div", {class: "tile lead"}, el("p", {class: "tile-label"}, "Best so far"),
                el("p", {class: "tile-formula"}, formulaNodes(view, best.function, {large: true})),
                el("p", {class: "muted"},
                   `${scoreText(best.mean)}${isNumber(best.margin) ? ` ± ${amountText(best.margin)}` : ""}${scoreScale.share ? " %" : ""}`,
                   `, ${plural(best.n, "seed")}`, tiedText(best) ? `; not told apart from ranks ${tiedText(best)}` : "")) :
                                                                   "",
      tile("Functions ranked", count(rows.length + view.leftOut.functions), plural(view.rejected, "spelling"), " refused before training"),
      tile("Trials finished", count(counts.done), open || "none in progress"),
      tile("Trials failed", count(counts.failed), counts.failed ? view.reasons.map(([reason]) => reason).slice(0, 2).join(", ") : "none"),
      tile("Training time", spent > 0 ? duration(spent) : NONE, "summed over finished trials"));
}

/** The curve large, with numbers on its axes, and the references as far as they lie beside it. */
function shapeChart(view, index, width) {
  const points = shapePoints(view.data.functions, index);
  if (!points || !points.some((point) => point)) return el("p", {class: "muted"}, "No finite values in [−5, 5] × [−10, 10] to draw.");
  const label = `Shape of ${labelOf(view.data.functions, index)} from -5 to 5`;
  const [low, high] = extent(points.filter((point) => point).map((point) => point[1])), room = 0.1 * (high - low) + 0.1;
  const inside = (point) => (point && point[1] >= low - room && point[1] <= high + room ? point : null);
  const others = view.references.filter((one) => one !== index && shapePoints(view.data.functions, one));
  const series =
      [...others.map((one, i) => ({points: shapePoints(view.data.functions, one).map(inside), style: 5 + i})), {points, style: 0}];
  return el(
      "div", {}, lines(width, {series, xLabel: "x", yLabel: "f(x), every β = 1", label, height: 260}),
      el("ul", {class: "legend"}, others.map((one, i) => el("li", {}, sample(5 + i), labelOf(view.data.functions, one)))));
}

/** A piece of a line as a chart has it. */
const sample = (style) =>
    svg("svg", {class: "sample", width: 34, height: 12, viewBox: "0 0 34 12", "aria-hidden": "true"},
        svg("path", {class: `line s${style}`, d: "M1 6H33"}));

/**
 * Columns [heading, what shows a row, class of heading and cell]. `stack`: a narrow screen has each row's cells below each other. `kind` is
 * a class of the table.
 */
const plainTable = (columns, rows, {stack = false, kind: table = ""} = {}) => el(
    "div", {class: "scroll"},
    el("table", {class: `plain ${stack ? "stack" : table}`},
       el("thead", {}, el("tr", {}, columns.map(([label, , kind]) => el("th", {scope: "col", class: kind}, label)))),
       el("tbody", {},
          rows.map(
              (row) => el(
                  "tr", {},
                  columns.map(([label, show,
                                kind]) => el("td", {class: kind, "data-label": label}, stack ? el("div", {}, show(row)) : show(row))))))));

function seedTable(trials) {
  const betaLine = ([middle, deviation, least, most], k, all) =>
      `β${all.length > 1 ? k : ""} ${fixed(middle, 3)} ± ${fixed(deviation, 3)}, ${fixed(least, 2)} to ${fixed(most, 2)}`;
  const tested = trials.some((trial) => isNumber(trial.final_test_accuracy));
  const columns = [
    ["Seed", (trial) => String(trial.seed)],
    [capital(scoreName()), (trial) => scoreText(trial.accuracy), "number"],
    tested && ["Final test accuracy %", (trial) => percent(trial.final_test_accuracy), "number"],
    ["Last loss", (trial) => fixed(trial.train_loss, 4), "number"],
    ["Time", (trial) => duration(trial.seconds), "number"],
    trials.some((trial) => trial.beta) &&
        ["Learned over channels", (trial) => trial.beta?.map((...one) => el("div", {}, betaLine(...one))) ?? NONE, "beta"],
  ];
  return plainTable(columns.filter(Boolean), trials, {stack: true});
}

function drawDetail(view) {
  const section = byId("detail"), index = view.selected;
  const row = view.rowOf.get(index);
  section.hidden = !row;
  if (!row) return;
  const functions = view.data.functions, trials = view.trialsOf.get(index) ?? [];
  const fact = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
  const facts =
      el("dl", {class: "facts"}, fact("Rank", `${row.rank} of ${count(view.rows.length + view.leftOut.functions)}`),
         tiedText(row) ? fact("Not told apart from", `ranks ${tiedText(row)}`) : [],
         fact(capital(scoreName()), `${scoreText(row.mean)}${isNumber(row.margin) ? ` ± ${amountText(row.margin)}` : ""}`),
         isNumber(row.low) ? fact("95 % interval of its own seeds", intervalText(row)) : [],
         isNumber(row.bound) ? fact(scoreName(scoreScale.negated ? "Upper bound" : "Lower bound"), scoreText(row.bound)) : [],
         fact(scoreName("Best trial"), scoreText(row.best)), fact("Seeds", row.n), fact("Operations", row.operations ?? NONE),
         isNumber(row.kernel) ?
             fact("Kernel", `${fixed(row.forward_ns, 2)} + ${fixed(row.backward_ns, 2)} ns an element, forward + backward`) :
             [],
         fact("Time of a trial", duration(row.seconds)));
  const width = widthOf("detail");
  put(section, heading("detail", "In detail"),
      el("div", {class: "detail"},
         el("div", {}, el("p", {class: "formula"}, formulaNodes(view, index, {large: true})),
            el("p", {}, el("code", {class: "plain-formula"}, functions.formula[index])), facts),
         el("div", {}, shapeChart(view, index, width > 900 ? Math.floor(width / 2) - 20 : width))),
      trials.length > 0 && seedTable(trials));
}

function drawTradeoffs(view) {
  const pointOf = (row, x) => {
    const {name, rank, formula: text, function: index} = row;
    const margin = amountInScale(row.margin);
    return {x: row[x], y: inScale(row.mean), good: row.mean, margin, text, name, rank, index, known: view.references.includes(index)};
  };
  const points = (x) => view.rows.filter((row) => isNumber(row[x]) && row[x] > 0).map((row) => pointOf(row, x));
  const best = (all) => {
    if (!view.state.half || all.length < 8) return all;
    const middle = [...all].sort((a, b) => b.good - a.good)[Math.floor(all.length / 2)].good;
    return all.filter((point) => point.good >= middle || point.known);
  };
  const unmeasured = view.rows.filter((row) => row.operations !== null && !isNumber(row.kernel)).length;
  const width = widthOf("tradeoffs"), half = width > 900 ? Math.floor((width - 32) / 2) : width;
  const one = (title, x, xLabel, unit, logarithmic) => {
    const all = best(points(x));
    if (all.length === 0) return "";
    const {picture, front} = scatter(half, {
      points: all,
      xLabel,
      yLabel: scoreName(),
      logarithmic,
      label: `${title}: ${plural(all.length, "function")}`,
      chosen: view.selected,
      choose: view.select,
      unit,
      whole: x === "operations"
    });
    const members = front.map(
        (p) =>
            el("li", {}, functionButton(view, p.index),
               el("span", {class: "muted"}, ` ${fixed(p.y, scaleDigits())}${scoreScale.share ? " %" : ""}, ${short(p.x)} ${unit}`)));
    return el(
        "figure", {}, el("figcaption", {}, title), picture,
        el("details", {}, el("summary", {}, `Pareto front: ${plural(front.length, "function")}`),
           el("ul", {class: "front-list"}, members)));
  };
  const redraw = (value) => {
    view.state.half = value;
    drawTradeoffs(view);
  };
  put(byId("tradeoffs"),
      heading(
          "tradeoffs", `What ${scoreScale.name} costs`,
          choice("Functions shown", [[false, "All"], [true, "Better half"]], view.state.half, redraw)),
      el("p", {class: "note"},
         "◆ on the line: the Pareto front, those that nothing shown beats in both. ■ the references. The upright bars are ±, where it " +
             "is known. Point at a dot for its formula; press it to see the function in detail."),
      el("div", {class: "pair"},
         one(`${capital(scoreScale.name)} and the kernel's time`, "kernel", "kernel, ns an element, forward and backward", "ns", true),
         one(`${capital(scoreScale.name)} and complexity`, "operations", "operations in the formula", "operations", false)),
      points("kernel").length > 0 &&
          el("p", {class: "note"},
             `Kernel times were measured when this page was made, on one core of ${
                 view.data.measured_on}, in fp32, the fastest of several calls.`,
             unmeasured > 0 ? ` For ${plural(unmeasured, "function")} of lower rank there was no time.` : ""));
}

const curves = () => [
    ["validation_accuracy", capital(scoreName(`validation ${scoreScale.name}`)), scaleFactor()], ["test_accuracy", "Test accuracy %", 100],
    ["train_accuracy", "Training accuracy %", 100], ["train_loss", "Training loss, nats", 1],
    ["validation_loss", "Validation loss, nats", 1]];

/**
 * The functions whose curves are drawn: the chosen one, those in training, the references, and the best; others in the order of the
 * document.
 */
function curveFunctions(view) {
  const running = view.unfinished.filter((trial) => trial.status === "running").map((trial) => trial.function);
  const best = view.rows.slice(0, SERIES).map((row) => row.function);
  const wanted = [view.selected, ...running.slice(0, 3), ...view.references, ...best, ...view.unfinished.map((trial) => trial.function)];
  return [...new Set(wanted)].filter((index) => view.epochsOf.has(index)).slice(0, SERIES);
}
/** Means over the trials that have come as far. */
function meanCurve(view, index, key, factor) {
  const byEpoch = new Map();
  for (const row of view.epochsOf.get(index)) {
    if (isNumber(row[key])) byEpoch.set(row.epoch, [...(byEpoch.get(row.epoch) ?? []), factor * row[key]]);
  }
  return [...byEpoch].sort((a, b) => a[0] - b[0]).map(([epoch, values]) => [epoch + 1, mean(values)]);
}
/** What is unfinished of a function, in words. */
function openTrials(view, index) {
  const open = view.unfinished.filter((trial) => trial.function === index);
  return open.length > 0 &&
      el("span", {class: "muted"}, `${open.length} unfinished, ${open.map((trial) => plural(trial.epochs, "epoch")).join(", ")}`);
}
function drawCurves(view) {
  const section = byId("curves");
  const known = curves().filter(([key]) => view.epochKeys.has(key));
  section.hidden = known.length === 0;
  if (section.hidden) return;
  const [key, label, factor] = known.find(([one]) => one === view.state.curve) ?? known[0];
  const indices = curveFunctions(view);
  const series = indices.map((index, style) => ({points: meanCurve(view, index, key, factor), style, marks: true}));
  const redraw = (value) => {
    view.state.curve = value;
    drawCurves(view);
  };
  put(section,
      heading(
          "curves", "Epoch by epoch", choice("Quantity", known.map(([value, text]) => [value, text.split(/,| %/)[0]]), key, redraw),
          csvButton("epochs", () => epochsCsv(view))),
      lines(widthOf("curves"), {
        series,
        xLabel: "epochs trained",
        yLabel: label,
        label: `${label} by epoch, ${plural(indices.length, "function")}`,
        whole: true
      }),
      el("ul", {class: "legend"},
         indices.map((index, style) => el("li", {}, sample(style), functionButton(view, index), openTrials(view, index)))),
      el("p", {class: "note"},
         "Means over the seeds that have come as far: the function in detail, those in training, the references, and the best.",
         view.leftOut.curves > 0 ? ` This page has no curves of ${plural(view.leftOut.curves, "function")} of lower rank.` : ""));
}

/** The first of the items, as many as are to be shown, and the references wherever they stand. */
function firstOf(view, key, items) {
  const shown = view.state.shown[key] ?? 15;
  return items.filter((item, i) => i < shown || view.references.includes(item.index));
}

/** A list of strips on one scale, those of firstOf, with a button for more. */
function stripList(section, view, {items, domain, zero, unit, key, label, side}) {
  const shown = firstOf(view, key, items);
  const list = el("ol", {class: "strips"});
  const axis = el(
      "li", {class: "axis-row", "aria-hidden": "true"}, el("span"), el("span", {class: "strip-cell"}), el("span", {class: "side"}, unit));
  list.append(axis);
  section.append(list);
  const cell = axis.querySelector(".strip-cell");
  const width = Math.max(160, Math.floor(cell.clientWidth));
  const at = scale(domain, 8, width - 8, {padding: 0.03});
  cell.append(stripAxis(width, at));
  for (const item of shown) {
    list.append(
        el("li", {class: item.index === view.selected ? "selected" : null}, functionButton(view, item.index),
           el("span", {class: "strip-cell"}, strip(width, at, item, zero)), el("span", {class: "side"}, side(item))));
  }
  if (items.length <= shown.length) return;
  const more = () => {
    view.state.shown[key] = (view.state.shown[key] ?? 15) + 30;
    view.draw(key);
  };
  section.append(
      el("button", {type: "button", class: "quiet", on: {click: more}}, `Show more (${count(items.length - shown.length)} ${label})`));
}

function drawSeeds(view) {
  const section = byId("seeds");
  const items = view.rows.filter((row) => view.trialsOf.has(row.function))
                    .map((row) => ({
                           index: row.function,
                           low: isNumber(row.margin) ? inScale(row.mean) - amountInScale(row.margin) : null,
                           high: isNumber(row.margin) ? inScale(row.mean) + amountInScale(row.margin) : null,
                           value: inScale(row.mean),
                           points: view.trialsOf.get(row.function).map((t) => inScale(t.accuracy)),
                           tick: row.n > 1,
                           row
                         }));
  section.hidden = items.length === 0;
  if (section.hidden) return;
  put(section, heading("seeds", "Seeds", csvButton("trials", () => trialsCsv(view))),
      el("p", {class: "note"}, "Each ring is a trial, the upright line their mean. ",
         view.recipe.spread ? `The bar is ±, half of a 95 % interval to each side: ${spreadText(view.recipe.spread)}. ` : "",
         "ReLU and Swish are always among those shown."));
  const visible = firstOf(view, "seeds", items);
  const domain = extent(visible.flatMap((item) => [...item.points, item.low, item.high].filter(isNumber)));
  stripList(section, view, {
    items,
    domain,
    unit: `${scoreName()} (seeds)`,
    key: "seeds",
    label: "functions",
    side: (item) => `${fixed(item.value, scaleDigits())} (${item.row.n})`
  });
}

/** In the words of the leaderboard command: better or worse where p is below 0.05. What is not told apart need not be equal. */
const verdictOf = ({difference, p}) => (p < 0.05 ? (difference > 0 ? "better" : "worse") : "not told apart");

function drawComparison(view) {
  const section = byId("comparison");
  const {comparisons} = view.recipe;
  section.hidden = !view.comparison;
  if (section.hidden) return;
  const functions = view.data.functions;
  const name = labelOf(functions, view.comparison.reference);
  const items = view.comparison.rows
                    .map((row) => {
                      const [low, high] = intervalInScale(row.low, row.high);
                      return {index: row.function, low, high, value: inScale(row.difference), row};
                    })
                    .sort((a, b) => b.row.difference - a.row.difference);
  const redraw = (reference) => {
    view.state.reference = functions.formula[reference];
    view.compare();
    drawLeaderboard(view);
    drawComparison(view);
  };
  put(section,
      heading(
          "comparison", `Beside ${name}`,
          choice("Reference", comparisons.map((c) => [c.reference, labelOf(functions, c.reference)]), view.comparison.reference, redraw),
          csvButton("comparison", () => comparisonCsv(view, name))),
      el("p", {class: "note"},
         `Differences in ${scoreScale.share ? "points of " : ""}${
             scoreScale.name}, by one model of all functions with several seeds. The intervals hold together with 95 %. Better or worse: ` +
             `Dunnett's test, which is corrected for all ${count(items.length)} comparisons, gives p below 0.05. ` +
             "Else the two are not told apart, which does not make them equal."));
  const visible = firstOf(view, "comparison", items);
  const within = new Set(bulk(visible.map((item) => item.value)));
  const domain = extent([0, ...visible.filter((item) => within.has(item.value)).flatMap((item) => [item.low, item.high])]);
  stripList(section, view, {
    items,
    domain,
    zero: 0,
    unit: `${differenceUnit()}, p (Dunnett)`,
    key: "comparison",
    label: "functions",
    side:
        (item) => [`${differenceText(item.row.difference)}, p ${probability(item.row.p)}`, el("div", {class: "under"}, verdictOf(item.row))]
  });
}

function histogram(values, most = 30) {
  const [low, high] = extent(values);
  if (!(high > low)) return [{from: low - 0.5, to: low + 0.5, count: values.length}];
  const wanted = Math.min(most, Math.ceil(2 * Math.cbrt(values.length)) + 4);
  const bins = Array.from(
      {length: wanted}, (_, i) => ({from: low + ((high - low) * i) / wanted, to: low + ((high - low) * (i + 1)) / wanted, count: 0}));
  for (const value of values) bins[Math.min(wanted - 1, Math.floor(((value - low) / (high - low)) * wanted))].count += 1;
  return bins;
}

function drawBetas(view) {
  const section = byId("betas");
  const learned = view.trials.filter((trial) => trial.beta && isNumber(trial.beta[0][0]));
  section.hidden = learned.length === 0;
  if (section.hidden) return;
  const most = Math.min(4, Math.max(...learned.map((trial) => trial.beta.length)));
  const width = widthOf("betas"), half = most > 1 && width > 900 ? Math.floor((width - 32) / 2) : width;
  const one = (k) => {
    const values = learned.map((trial) => trial.beta[k]?.[0]).filter(isNumber);
    const label = `Mean of ${most > 1 ? `β${k}` : "β"} over the channels of a trial`;
    const inside = bulk(values), [least, greatest] = extent(inside), outside = values.filter((value) => value < least || value > greatest);
    return el(
        "figure", {}, el("figcaption", {}, `${label}: ${plural(values.length, "trial")}`),
        outside.length > 0 &&
            el("p", {class: "note"},
               `${plural(outside.length, "trial")} far outside not drawn, from ${
                   extent(outside).map((value) => numberOf(Number(value.toPrecision(3)))).join(" to ")}.`),
        bars(half, {bins: histogram(inside), xLabel: `β${most > 1 ? k : ""}, mean of a trial`, yLabel: "trials", label}));
  };
  put(section, heading("betas", "Learned β"),
      el("p", {class: "note"},
         "Each channel has its own β, which starts at 1. Of a trial, mean, deviation, least and greatest over its channels are stored, " +
             "not each channel's value; so the histogram counts trials."),
      el("div", {class: "pair"}, Array.from({length: most}, (_, k) => one(k))));
  const items = view.rows.filter((row) => view.trialsOf.get(row.function)?.some((trial) => trial.beta)).map((row) => {
    const stored = view.trialsOf.get(row.function).filter((trial) => trial.beta).map((trial) => trial.beta[0]);
    const of = (place) => stored.map((numbers) => numbers[place]).filter(isNumber);
    const middle = mean(of(0)), deviation = mean(of(1));
    return {
      index: row.function,
      low: Math.min(...of(2)),
      high: Math.max(...of(3)),
      value: middle,
      thick: [Math.max(Math.min(...of(2)), middle - deviation), Math.min(Math.max(...of(3)), middle + deviation)]
    };
  });
  const domain = extent(bulk(firstOf(view, "betas", items).flatMap((item) => [item.low, item.high])));
  section.append(
      el("h3", {}, "Spread over the channels"),
      el("p", {class: "note"},
         "The first β: from least to greatest, the thick part one deviation around the mean (within those), over all seeds."));
  stripList(section, view, {items, domain, zero: 1, unit: "mean", key: "betas", label: "functions", side: (item) => fixed(item.value, 3)});
}

function drawFailures(view) {
  const section = byId("failures");
  const total = view.reasons.reduce((sum, [, n]) => sum + n, 0);
  const barList = (pairs) => el(
      "ul", {class: "reasons"},
      pairs.map(
          ([reason, n]) => el(
              "li", {}, el("span", {}, reason), barOf(n / Math.max(...pairs.map(([, m]) => m))), el("span", {class: "number"}, count(n)))));
  const barOf = (share) =>
      svg("svg", {class: "share", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true"},
          svg("rect", {width: 100 * share, height: 10}));
  const shown = view.failures.slice(0, view.state.shown.failures ?? 15);
  const refused = view.refusals;
  put(section, heading("failures", "Failures", view.failures.length > 0 && csvButton("failures", () => failuresCsv(view))),
      total === 0 ? el("p", {class: "muted"}, "No trial failed.") : el("h3", {}, `Trials: ${count(total)}`), barList(view.reasons));
  const columns = [
    ["Function", (failure) => formulaNodes(view, failure.function)],
    ["Seed", (failure) => String(failure.seed), "number"],
    ["Reason", (failure) => failure.reason, "reason"],
    ["Detail", (failure) => failure.detail, "explained"],
    ["Epochs", (failure) => failure.epochs ?? NONE],
  ];
  if (shown.length > 0) section.append(plainTable(columns, shown, {stack: true}));
  if (view.failures.length > shown.length) {
    const more = () => {
      view.state.shown.failures = shown.length + 50;
      drawFailures(view);
    };
    section.append(
        el("button", {type: "button", class: "quiet", on: {click: more}},
           `Show more (${count(view.failures.length - shown.length)} failures)`));
  }
  if (total > view.failures.length)
    section.append(el("p", {class: "note"}, `${plural(total - view.failures.length, "failure")} not listed in this page.`));
  if (refused.length > 0) section.append(el("h3", {}, "Spellings refused before training"), barList(refused));
}

function drawConditions(view) {
  const fact = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
  const pretty = (text) => {
    try {
      return Object.entries(JSON.parse(text)).flatMap(([name,
                                                        value]) => fact(name, Array.isArray(value) ? value.join(", ") : String(value)));
    } catch {
      return fact("conditions", text);  // not JSON: as it is stored
    }
  };
  const studies = view.studies.map(
      (study) => el(
          "details", {open: view.studies.length === 1},
          el("summary", {},
             `Study ${study.study}: ${study.kind}${study.space ? `, ${study.space}` : ""}${study.strategy ? `, ${study.strategy}` : ""}`),
          el("dl", {class: "facts wide-facts"}, fact("first seed", String(study.seed)), pretty(study.conditions),
             fact("program commit", study.program_commit), fact("machine", study.machine),
             fact("begun", `${study.created.slice(0, 16).replace("T", " ")} UTC`))));
  put(byId("conditions"), heading("conditions", "Conditions"), el("h3", {}, "Recipe"),
      el("dl", {class: "facts wide-facts"}, view.recipeFields.flatMap(([name, value]) => fact(name, value))),
      el("p", {}, el("code", {class: "plain-formula"}, view.recipe.text)), el("h3", {}, view.studies.length === 1 ? "Study" : "Studies"),
      ...studies);
}

const named =
    (view) => [["formula", (r) => view.data.functions.formula[r.function]], ["name", (r) => view.data.functions.name?.[r.function]]];
const marked = (view, rows) => rows.map((row) => ({...row, typeset: Boolean(view.data.functions.mathml?.[row.function])}));
const plainColumns = (names) => names.map((name) => [name, (r) => r[name]]);
const percentColumns = (names) => Object.entries(names).map(([name, label]) => [label, (r) => inPercent(r[name])]);
const trialsCsv = (view) => csvText(
    [
      ...named(view), ["seed", (r) => r.seed], [scoreName(), (r) => scoreNumber(r.accuracy)],
      ...percentColumns({best_test_accuracy: "best test accuracy %", final_test_accuracy: "final test accuracy %"}),
      ...plainColumns(["train_loss", "epochs", "seconds"]), ["beta", (r) => (r.beta ? JSON.stringify(r.beta) : null)]
    ],
    marked(view, view.trials));
const epochsCsv = (view) => csvText(
    [
      ...named(view), ["seed", (r) => r.seed], ["epoch", (r) => r.epoch],
      [scoreName(`validation ${scoreScale.name}`), (r) => scoreNumber(r.validation_accuracy)],
      ...percentColumns({test_accuracy: "test accuracy %", train_accuracy: "training accuracy %"}),
      ...plainColumns(["train_loss", "validation_loss"])
    ],
    marked(view, [...view.epochsOf.values()].flat()));
const comparisonCsv =
    (view, name) =>
        csvText(
            [
              ...named(view), ["reference", () => name], ["n", (r) => r.n], ["difference", (r) => scoreNumber(r.difference)],
              ["low", (r) => scoreNumber(scoreScale.negated ? r.high : r.low)],
              ["high", (r) => scoreNumber(scoreScale.negated ? r.low : r.high)], ...plainColumns(["p", "p_alone"]),
              ["equal within", (r) => Math.abs(scoreNumber(r.equal_within))], ["verdict", verdictOf]
            ],
            marked(view, view.comparison.rows));
const failuresCsv = (view) => csvText(
    [...named(view), ...plainColumns(["seed", "reason", "detail", "epochs", "seconds"])],
    marked(view, view.failures).map((row) => ({...row, typeset: false})));
