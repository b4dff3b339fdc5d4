// The page as a whole: the chosen recipe's view of the document, what is drawn when, light and dark, and news from the server.

const SECTIONS = [
  ["overview", "Overview", drawOverview], ["running", "Running now", drawRunning], ["leaderboard", "Leaderboard", drawLeaderboard],
  ["race", "Race", drawRace], ["detail", "In detail", drawDetail], ["tradeoffs", "Costs", drawTradeoffs], ["curves", "Epochs", drawCurves],
  ["seeds", "Seeds", drawSeeds], ["comparison", "Comparison", drawComparison], ["betas", "Learned β", drawBetas],
  ["failures", "Failures", drawFailures], ["conditions", "Conditions", drawConditions]
];

/** What the reader has chosen; it outlives news from the server. Functions and recipes are known by their texts. */
const state = {
  recipe: 0,
  recipeText: null,
  formula: null,
  text: "",
  several: false,
  key: "rank",
  direction: 1,
  page: 0,
  size: 50,
  half: true,
  curve: null,
  reference: null,
  shown: {}
};
let view = null;
let current = null;  // the document, and the text it was made from
let currentText = "";
let receivedAt = Date.now();

/** Columns as rows. */
function rowsOf(columns, names = Object.keys(columns)) {
  return Array.from({length: lengthOf(columns)}, (_, i) => Object.fromEntries(names.map((name) => [name, columns[name]?.[i] ?? null])));
}
function grouped(rows, key) {
  const groups = new Map();
  for (const row of rows) {
    if (!groups.has(row[key])) groups.set(row[key], []);
    groups.get(row[key]).push(row);
  }
  return groups;
}

/** The words of a user, quoted as in JSON. */
function unquoted(text) {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;  // as it is stored
  }
}

/**
 * A recipe's text: its name, then words and fields name=value. A value of the user's own is a JSON string; the data, at the end of other
 * texts, may hold blanks.
 */
function fieldsOf(text) {
  const fields = [["name", text.split(" ", 1)[0]]];
  const field = / ([^ =]+)(?:=("(?:[^"\\]|\\.)*"|[^ ]*))?/sy;
  field.lastIndex = fields[0][1].length;
  for (let found = field.exec(text); found; found = field.exec(text)) {
    const [, key, value] = found;
    if (key === "data") {
      fields.push([key, text.slice(field.lastIndex - (value ?? "").length)]);
      break;
    }
    fields.push([key.replaceAll("_", " "), value?.startsWith("\"") ? unquoted(value) : value ?? ""]);
  }
  return fields;
}

/** Nanoseconds an element, both passes; null where it was not measured. */
const kernelOf = (functions, index) => {
  const [forward, backward] = [functions.forward_ns?.[index], functions.backward_ns?.[index]];
  return isNumber(forward) && isNumber(backward) ? Number((forward + backward).toPrecision(3)) : null;
};

function viewOf(data) {
  const recipe = data.recipes[state.recipe], {functions} = data;
  scoreScale = recipe.scale ?? ACCURACY;
  const rows = rowsOf(recipe.ranking).map((row, i) => {
    const formula = functions.formula[row.function], name = functions.name?.[row.function] ?? null;
    return {
      ...row,
      rank: i + 1,
      formula,
      name,
      label: name ?? formula,
      search: `${formula} ${name ?? ""}`.toLowerCase(),
      operations: functions.operations?.[row.function] ?? null,
      forward_ns: functions.forward_ns?.[row.function] ?? null,
      backward_ns: functions.backward_ns?.[row.function] ?? null,
      kernel: kernelOf(functions, row.function),
      typeset: Boolean(functions.mathml?.[row.function])
    };
  });
  for (const row of rows)
    for (const key of ["low", "high", "bound", "margin", "best", "beta"]) row[key] ??= null;
  const trials = rowsOf(recipe.trials), unfinished = rowsOf(recipe.unfinished);
  const begun = [...trials, ...unfinished];
  const epochs = rowsOf(recipe.epochs).map((row) => {
    const {function: index, seed} = begun[row.trial];
    return {...row, function: index, seed};
  });
  const studies = data.studies.filter((study) => study.recipe === recipe.text);
  const refusals = new Map();
  for (const [study, reason, n] of data.rejections) {
    if (studies.some((one) => one.study === study)) refusals.set(reason, (refusals.get(reason) ?? 0) + n);
  }
  const made = {
    data,
    state,
    recipe,
    rows,
    references: data.references.map((name) => rows.find((row) => row.name === name)?.function).filter((index) => index !== undefined),
    rowOf: new Map(rows.map((row) => [row.function, row])),
    trials,
    unfinished,
    running: rowsOf(recipe.running),
    paused: rowsOf(recipe.paused),
    wholeEpochs: Number(fieldsOf(recipe.text).find(([name]) => name === "epochs")?.[1] ?? 0),
    studies,
    functions,
    several: rows.some((row) => row.n > 1),
    counts: {done: 0, failed: 0, ...recipe.counts},
    leftOut: {functions: 0, trials: 0, curves: 0, paused: 0, ...recipe.left_out},
    reasons: recipe.reasons,
    failures: rowsOf(recipe.failures),
    refusals: [...refusals],
    rejected: [...refusals.values()].reduce((sum, n) => sum + n, 0),
    trialsOf: grouped(trials, "function"),
    epochsOf: grouped(epochs, "function"),
    epochKeys: new Set(Object.keys(recipe.epochs)),
    recipeFields: fieldsOf(recipe.text),
    selected: functions.formula?.indexOf(state.formula) ?? -1,
  };
  if (!made.rowOf.has(made.selected)) made.selected = rows[0]?.function ?? -1;
  made.compare = () => {
    const chosen = recipe.comparisons.find((one) => functions.formula[one.reference] === state.reference) ?? recipe.comparisons[0];
    const compared = chosen && rowsOf(chosen.rows);
    made.comparison =
        chosen ? {reference: chosen.reference, rows: compared, of: new Map(compared.map((row) => [row.function, row]))} : null;
  };
  made.compare();
  made.draw = (name) => SECTIONS.find(([id]) => id === name)[2](made);
  made.select = (index) => {
    made.selected = index;
    state.formula = functions.formula[index];
    hideTip();
    const focused = document.activeElement?.closest("section")?.id;
    made.redrawTable();
    for (const name of ["detail", "tradeoffs", "curves", "seeds", "comparison", "betas"]) made.draw(name);
    if (focused) byId(focused).querySelector("button.function[aria-pressed=\"true\"]")?.focus({preventScroll: true});
  };
  return made;
}

const conditionsLabel = (recipe) => {
  const fields = Object.fromEntries(fieldsOf(recipe.text));
  const parts = [
    recipe.name, fields.epochs && `${fields.epochs} epochs`, fields.precision, fields.data?.split(",")[0], fields.conditions,
    fields.data?.endsWith(" rerun") && "rerun", plural(recipe.counts.done ?? 0, "trial")
  ];
  return parts.filter(Boolean).join(" · ");
};

const isLive = () => document.documentElement.dataset.kind === "live";

function drawEmpty(data) {
  const recipe = data.recipes[state.recipe];
  const {running, released} = recipe?.counts ?? {};
  const open = [running && `${plural(running, "trial")} in progress`, released && `${plural(released, "trial")} paused`].filter(Boolean);
  const text = data.studies.length === 0 ? "This database holds no study yet." : `${["No trial has finished yet", ...open].join("; ")}.`;
  const box = byId("empty");
  box.replaceChildren(
      el("h2", {}, text),
      el("p", {},
         data.studies.length === 0 ? (isLive() ? "Run actsearch search into it: this page will follow." :
                                                 "Run actsearch search into it, then make this page again.") :
                                     "What is known of it stands below."));
}

function drawFrame(data) {
  const search = data.studies[0];
  document.title = `${data.name} – actsearch`;
  byId("what").textContent = isLive() ? "live" : "report";
  byId("title").textContent = data.name;
  byId("subtitle").textContent = [
    search && plural(data.studies.length, "study").replace("studys", "studies"), search?.machine, `made ${data.made} UTC`
  ].filter(Boolean).join(" · ");
  const select = byId("recipe");
  select.replaceChildren(
      ...data.recipes.map((recipe, i) => el("option", {value: i, selected: i === state.recipe}, conditionsLabel(recipe))));
  byId("chooser").hidden = data.recipes.length === 0;
  byId("footer").textContent =
      `actsearch ${data.version}, commit ${data.commit}. Charts are drawn by the page's own script (MIT license, as the program).`;
}

/** Draws anew what has the keyboard, and gives it back; what was unfolded and scrolled stays so. */
function keeping(draw) {
  const places = (selector) => SECTIONS.flatMap(([id]) => [...byId(id).querySelectorAll(selector)].map((node, i) => [`${id} ${i}`, node]));
  const focusable = "button, input, select, summary, [tabindex]";
  const focused = places(focusable).find(([, node]) => node === document.activeElement);
  const selection = focused?.[1].type === "search" ? [focused[1].selectionStart, focused[1].selectionEnd] : null;
  const unfolded = new Set(places("details").filter(([, node]) => node.open).map(([place]) => place));
  const scrolled = new Map(places(".scroll").map(([place, node]) => [place, node.scrollLeft]));
  draw();
  for (const [place, node] of places("details")) node.open ||= unfolded.has(place);
  for (const [place, node] of places(".scroll")) node.scrollLeft = scrolled.get(place) ?? 0;
  if (!focused) return;
  const again = places(focusable).find(([place]) => place === focused[0])?.[1];
  again?.focus({preventScroll: true});
  if (selection && again?.type === "search") again.setSelectionRange(...selection);
}

function drawAll(data) {
  current = data;
  const known = data.recipes.findIndex((recipe) => recipe.text === state.recipeText);
  state.recipe = known >= 0 ? known : 0;
  state.recipeText = data.recipes[state.recipe]?.text ?? null;
  drawFrame(data);
  const ranked = data.recipes.length > 0 && lengthOf(data.recipes[state.recipe].ranking) > 0;
  byId("empty").hidden = ranked;
  if (!ranked) drawEmpty(data);
  view = data.recipes.length > 0 ? viewOf(data) : null;
  const shown = ranked ? SECTIONS :
      view             ? SECTIONS.filter(([id]) => ["overview", "running", "race", "curves", "failures", "conditions"].includes(id)) :
                         [];
  for (const [id] of SECTIONS) byId(id).hidden = !shown.some(([one]) => one === id);
  for (const [, , draw] of shown) draw(view);
  byId("nav").replaceChildren(...shown.filter(([id]) => !byId(id).hidden).map(([id, label]) => el("a", {href: `#${id}`}, label)));
}

function startTheme() {
  const root = document.documentElement, button = byId("theme");
  const dark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const say = () => (button.textContent = dark() ? "Light" : "Dark");
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    say();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", say);
  say();
}

/** Draws the document of this text, unless it is the one that is drawn. */
function use(text) {
  if (text === currentText) return;
  currentText = text;
  receivedAt = Date.now();
  const data = JSON.parse(text);
  keeping(() => drawAll(data));
}

/** The server says when there is news; the page then fetches the document anew. */
function listen() {
  const live = byId("live"), problem = byId("problem");
  const say = (kind, text) => {
    live.hidden = false;
    live.dataset.kind = kind;
    live.textContent = text;
  };
  const report = (text) => {
    problem.hidden = text === "";
    problem.textContent = text;
  };
  let fetching = false, again = false;
  const refresh = async () => {
    if (fetching) return void (again = true);
    fetching = true;
    try {
      do {
        again = false;
        const answer = await fetch("/data.json", {cache: "no-store"});
        if (answer.ok) use(await answer.text());
      } while (again);
      say("on", `Live, ${new Date().toLocaleTimeString()}`);
    } catch {
      say("off", "Not connected");  // the stream below says when the server is back
    } finally {
      fetching = false;
    }
  };
  let stream = null;
  const connect = () => {
    stream?.close();
    if (document.hidden) return;  // a browser has few connections to one server: pages that nobody sees leave them to others
    stream = new EventSource("/events");
    stream.addEventListener("news", (event) => {
      report(JSON.parse(event.data).problem);
      refresh();
    });
    stream.addEventListener("error", (event) => {
      say("off", "Not connected; trying again");
      if (event.target === stream && stream.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
    });
  };
  document.addEventListener("visibilitychange", connect);
  connect();
}

function start() {
  startTheme();
  use(byId("data").textContent);
  byId("recipe").addEventListener("change", (event) => {
    Object.assign(state, {recipeText: current.recipes[Number(event.target.value)].text, page: 0, formula: null, shown: {}});
    drawAll(current);
  });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    requestAnimationFrame(() => keeping(() => drawAll(current)));
  });
  if (isLive()) listen();
}
start();
