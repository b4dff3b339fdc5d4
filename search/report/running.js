// The trials that processes are at work on, and those that were asked for. A trial whose lease runs out without news is one whose process
// is gone: it leaves the list.

let runningTimer = 0;

function drawRunning(view) {
  const section = byId("running");
  clearTimeout(runningTimer);
  const age = isLive() ? (Date.now() - receivedAt) / 1000 : 0;
  const rows = view.running.filter((row) => row.lease > age);
  section.hidden = rows.length === 0;
  if (section.hidden) return;
  const share = (row) => (row.planned > 0 ? Math.min(1, row.epochs / row.planned) : null);
  const bar = (row) => (share(row) === null ? NONE : el("progress", {max: 1, value: share(row), "aria-label": "trained"}));
  const columns = [
    ["Function", (row) => formulaNodes(view, row.function)], ["Seed", (row) => String(row.seed)], ["", bar],
    ["Trained", (row) => (share(row) === null ? plural(row.epochs, "epoch") : `${Math.floor(100 * share(row))} %`), "number"],
    ["For", (row) => duration(row.seconds), "number"]
  ];
  put(section, heading("running", "Running now"),
      el("p", {class: "note"},
         isLive() ? "Told by the searches every five seconds, and by whoever trains what was asked for." :
                    `As of when this page was made, ${view.data.made} UTC.`),
      plainTable(columns, rows));
  if (isLive()) {
    const next = Math.min(...rows.map((row) => row.lease)) - age;
    runningTimer = setTimeout(() => keeping(() => drawRunning(view)), 1000 * Math.max(next, 0) + 100);
  }
}
