// The race: how many trials came to each rung and what became of them, and the functions that it has paused.

/** Without zeros at the end. */
const epochsText = (epochs) => fixed(epochs, 2).replace(/\.?0+$/, "");
const howFar = (view, epochs) => `${epochsText(epochs)}${view.wholeEpochs ? ` of ${view.wholeEpochs}` : ""}`;

/** A study's funnel: a row a rung, with a bar as long as the share of all trials that came there. */
function funnelTable(view, stages) {
  const most = Math.max(1, stages[0].entered);
  const bar = (stage) => {
    const [judged, on] = [stage.judged / most, (stage.epochs === 0 ? stage.judged : stage.went_on) / most];
    return svg(
        "svg", {class: "funnel", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true"},
        svg("rect", {class: "came", x: 50 - 50 * judged, width: 100 * judged, height: 10}),
        svg("rect", {class: "on", x: 50 - 50 * on, width: 100 * on, height: 10}));
  };
  const number = (key) => (stage) => (stage.epochs === 0 && (key === "stopped" || key === "went_on") ? NONE : count(stage[key]));
  const columns = [
    ["After epochs", (stage) => (stage.epochs === 0 ? "end" : epochsText(stage.epochs)), "number"], ["", bar, "share wide"],
    ["Entered", number("entered")], ["Judged", number("judged")], ["Stopped", number("stopped")], ["Went on", number("went_on")],
    ["Failed", number("failed")], stages.some((stage) => stage.under_way > 0) && ["Under way", number("under_way")]
  ];
  return plainTable(columns.filter(Boolean).map(([label, show, kind]) => [label, show, kind ?? "number"]), stages, {kind: "stages"});
}

function pausedList(view) {
  const shown = view.paused.slice(0, view.state.shown.race ?? 15);
  const columns = [
    ["Function", (row) => formulaNodes(view, row.function)],
    [view.wholeEpochs ? "Epochs" : "Epochs trained", (row) => howFar(view, row.epochs), "number"],
    ["Training loss", (row) => fixed(row.train_loss, 4), "number"],
    view.paused.some((row) => row.n > 1) && ["Trials paused", (row) => String(row.n)]
  ];
  const more = () => {
    view.state.shown.race = shown.length + 50;
    drawRace(view);
  };
  return [
    el("h3", {}, `Paused: ${plural(view.paused.length + view.leftOut.paused, "function")}`),
    el("p", {class: "note"},
       "Provisional: these have no finished trial, so they have no accuracy and no rank. Those that came furthest stand first; of those " +
           "that came as far, the one with the lowest training loss."),
    plainTable(columns.filter(Boolean), shown),
    view.paused.length > shown.length &&
        el("button", {type: "button", class: "quiet", on: {click: more}},
           `Show more (${count(view.paused.length - shown.length)} functions)`),
    view.leftOut.paused > 0 && el("p", {class: "note"}, `${plural(view.leftOut.paused, "paused function")} not listed in this page.`)
  ];
}

function drawRace(view) {
  const section = byId("race");
  const {races} = view.recipe;
  section.hidden = races.length === 0 && view.paused.length === 0;
  if (section.hidden) return;
  put(section, heading("race", "Race", view.paused.length > 0 && csvButton("paused", () => pausedCsv(view))),
      races.length > 0 &&
          el("p", {class: "note"},
             "A race pauses each trial after so many epochs (a rung), and only the most promising go on from there. " +
                 "Counts are of trials; the bar is as wide as the share of all that was judged there, its inner part went on."),
      races.map(({study, stages}) => [races.length > 1 && el("h3", {}, `Study ${study}`), funnelTable(view, stages)]).flat(),
      view.paused.length > 0 && pausedList(view));
}

const pausedCsv = (view) =>
    csvText([["status", () => "paused"], ...named(view), ...plainColumns(["epochs", "train_loss", "n"])], marked(view, view.paused));
