// Charts as SVG: axes, a scatter with its Pareto front, lines, and strips of points with intervals.

const HEIGHT = 300;
const MARGIN = {
  left: 58,
  right: 16,
  top: 14,
  bottom: 42
};

/** Round numbers between low and high, about as many as asked for; whole ones where asked. */
function ticks(low, high, about = 5, whole = false) {
  if (!(high > low)) return [low];
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const round = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= 0.75 * rough) ?? 10);
  const step = whole ? Math.max(1, Math.round(round)) : round;
  const digits = Math.max(0, 1 - Math.floor(Math.log10(step)));
  const result = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i) result.push(Number((i * step).toFixed(digits)));
  return result;
}
const numberOf = (value) => String(value).replace("-", "−");

/** From values to pixels; the domain is widened a little so that nothing lies on the frame. */
function scale([low, high], from, to, {logarithmic = false, padding = 0.04, whole = false} = {}) {
  const f = logarithmic ? Math.log10 : (value) => value;
  let [a, b] = [f(low), f(high)];
  if (!(b > a)) [a, b] = [a - 0.5, b + 0.5];
  const widened = (b - a) * padding;
  [a, b] = [a - widened, b + widened];
  const at = (value) => from + ((f(value) - a) / (b - a)) * (to - from);
  at.domain = logarithmic ? [10 ** a, 10 ** b] : [a, b];
  at.logarithmic = logarithmic;
  at.whole = whole;
  return at;
}
function ticksOf(at, about) {
  const [low, high] = at.domain;
  if (!at.logarithmic) return ticks(low, high, about, at.whole);
  const result = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); ++power) {
    for (const factor of [1, 2, 5]) result.push(Number((factor * 10 ** power).toPrecision(1)));
  }
  const inside = result.filter((value) => value >= low && value <= high);
  return inside.length >= 2 ? inside : ticks(low, high, about);
}

function axes(x, y, width, height, xLabel, yLabel) {
  const bottom = height - MARGIN.bottom;
  const group = svg("g", {class: "axis"});
  for (const value of ticksOf(x, Math.max(2, Math.min(8, width / 80)))) {
    group.append(svg("line", {x1: x(value), x2: x(value), y1: MARGIN.top, y2: bottom}));
    group.append(svg("text", {x: x(value), y: bottom + 16, "text-anchor": "middle"}, numberOf(value)));
  }
  for (const value of ticksOf(y, 5)) {
    group.append(svg("line", {x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value)}));
    group.append(svg("text", {x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end"}, numberOf(value)));
  }
  group.append(svg("text", {class: "label", x: (MARGIN.left + width - MARGIN.right) / 2, y: height - 6, "text-anchor": "middle"}, xLabel));
  const middle = (MARGIN.top + bottom) / 2;
  group.append(svg("text", {class: "label", x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})`}, yLabel));
  return group;
}
const canvas = (width, height, label) =>
    svg("svg", {class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label});

/** Those that no other beats in both: less x and more y. In the order of x. */
function paretoFront(points) {
  let best = -Infinity;
  const sorted = [...points].sort((a, b) => a.x - b.x || b.good - a.good);
  return sorted.filter((point) => point.good > best && ((best = point.good), true));
}

/** Texts beside their points, where they overlap no other text and the fewest dots. */
function placeLabels(candidates, points, width, height) {
  const taken = [];
  const dotsIn = ([left, top, right, bottom]) =>
      points.filter((p) => p.px > left - 3 && p.px < right + 3 && p.py > top - 3 && p.py < bottom + 3).length;
  const group = svg("g", {class: "labels"});
  for (const {px, py, text} of candidates) {
    const length = text.length * 6.8;
    let best = null;
    for (const [dx, dy, anchor] of [
             [10, 4, "start"], [-10, 4, "end"], [0, -11, "middle"], [0, 20, "middle"], [10, -8, "start"], [-10, -8, "end"],
             [10, 17, "start"], [-10, 17, "end"]]) {
      const left = px + dx - (anchor === "end" ? length : anchor === "middle" ? length / 2 : 0);
      const box = [left, py + dy - 10, left + length, py + dy + 3];
      const inside = box[0] > MARGIN.left && box[2] < width - 2 && box[1] > 0 && box[3] < height - MARGIN.bottom;
      const free = taken.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
      const dots = inside && free ? dotsIn(box) : Infinity;
      if (dots < (best?.dots ?? Infinity)) best = {dots, box, x: px + dx, y: py + dy, anchor};
    }
    if (!best) continue;
    taken.push(best.box);
    group.append(svg("text", {x: best.x, y: best.y, "text-anchor": best.anchor}, text));
  }
  return group;
}

function showTip(event, lines) {
  const tip = byId("tip");
  tip.replaceChildren(...lines.map((line) => el("div", {}, line)));
  tip.hidden = false;
  const {width, height} = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - width - 4))}px`;
  tip.style.top = `${event.clientY + 18 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 18}px`;
}
const hideTip = () => (byId("tip").hidden = true);

/**
 * Points {x, y, good, margin, text, name, rank, index, known}: dots, the Pareto front as a line of diamonds, names beside the best of the
 * front and the references (`known`), which have squares; whoever has a name has its margin as a bar. `chosen` is ringed; a click on a
 * point calls `choose` with its index.
 */
function scatter(width, {points, xLabel, yLabel, logarithmic, whole, label, chosen, choose, unit}) {
  const picture = canvas(width, HEIGHT, label);
  const x = scale(extent(points.map((p) => p.x)), MARGIN.left, width - MARGIN.right, {logarithmic, whole});
  const front = paretoFront(points);
  const reach = [...front, ...points.filter((p) => p.known)].flatMap((p) => (isNumber(p.margin) ? [p.y - p.margin, p.y + p.margin] : []));
  const y = scale(extent([...points.map((p) => p.y), ...reach]), HEIGHT - MARGIN.bottom, MARGIN.top);
  picture.append(axes(x, y, width, HEIGHT, xLabel, yLabel));
  for (const point of points) [point.px, point.py] = [x(point.x), y(point.y)];
  const dots = points.map((p) => `M${p.px.toFixed(1)} ${p.py.toFixed(1)}h0`).join("");
  picture.append(svg("path", {class: points.length > 2000 ? "dots many" : "dots", d: dots}));
  const steps = front.map((p, i) => (i === 0 ? `M${p.px} ${p.py}` : `H${p.px}V${p.py}`)).join("");
  picture.append(svg("path", {class: "front", d: steps}));
  for (const p of front) picture.append(svg("path", {class: "diamond", d: `M${p.px} ${p.py - 6}l6 6l-6 6l-6 -6z`}));
  const references = points.filter((point) => point.known);
  for (const p of references) picture.append(svg("rect", {class: "reference", x: p.px - 4.5, y: p.py - 4.5, width: 9, height: 9}));
  const ring = points.find((point) => point.index === chosen);
  if (ring) picture.append(svg("circle", {class: "ring", cx: ring.px, cy: ring.py, r: 9}));
  const named = [...references, ...front.slice(-12).filter((point) => !point.known)];
  const bars = named.filter((p) => isNumber(p.margin))
                   .map((p) => `M${p.px.toFixed(1)} ${y(p.y - p.margin).toFixed(1)}V${y(p.y + p.margin).toFixed(1)}`);
  picture.insertBefore(svg("path", {class: "margin", d: bars.join("")}), picture.querySelector(".front"));
  picture.append(
      placeLabels(named.map((p) => ({...p, text: p.name ?? (p.text.length <= 20 ? p.text : `#${p.rank}`)})), points, width, HEIGHT));
  const nearest = (event) => {
    const box = picture.getBoundingClientRect();
    const [mx, my] = [event.clientX - box.left, event.clientY - box.top];
    let found = null, least = 20 * 20;
    for (const point of points) {
      const distance = (point.px - mx) ** 2 + (point.py - my) ** 2;
      if (distance < least) [found, least] = [point, distance];
    }
    return found;
  };
  picture.addEventListener("pointermove", (event) => {
    const point = nearest(event);
    picture.classList.toggle("pointing", point !== null);
    if (point)
      showTip(event, [
        shortened(point.text, 60),
        `${fixed(point.y, scaleDigits())}${isNumber(point.margin) ? ` ± ${fixed(point.margin, scaleDigits())}` : ""}${
            scoreScale.share ? " %" : ""} · ${short(point.x)} ${unit}`
      ]);
    else
      hideTip();
  });
  picture.addEventListener("pointerleave", hideTip);
  picture.addEventListener("click", (event) => {
    const point = nearest(event);
    if (point) choose(point.index);
  });
  return {picture, front};
}

/** Series {points, style}: each a line with its own colour and dashes. */
function lines(width, {series, xLabel, yLabel, label, whole, height = HEIGHT}) {
  const picture = canvas(width, height, label);
  const all = series.flatMap((one) => one.points).filter((point) => point);
  const x = scale(extent(all.map((p) => p[0])), MARGIN.left, width - MARGIN.right, {padding: 0.02, whole});
  const y = scale(extent(all.map((p) => p[1])), height - MARGIN.bottom, MARGIN.top);
  picture.append(axes(x, y, width, height, xLabel, yLabel));
  for (const {points, style, marks} of series) {
    picture.append(svg("path", {class: `line s${style}`, d: pathOf(points, x, y)}));
    if (!marks) continue;
    const dots = points.filter((p) => p).map((p) => `M${x(p[0]).toFixed(1)} ${y(p[1]).toFixed(1)}h0`).join("");
    picture.append(svg("path", {class: `mark s${style}`, d: dots}));
  }
  return picture;
}

/** Bars {from, to, count} of a histogram. */
function bars(width, {bins, xLabel, yLabel, label, height = 220}) {
  const picture = canvas(width, height, label);
  const x = scale([bins[0].from, bins.at(-1).to], MARGIN.left, width - MARGIN.right, {padding: 0.02});
  const y = scale([0, Math.max(...bins.map((bin) => bin.count))], height - MARGIN.bottom, MARGIN.top, {padding: 0});
  picture.append(axes(x, y, width, height, xLabel, yLabel));
  for (const bin of bins) {
    if (bin.count === 0) continue;
    const bar =
        {class: "bar", x: x(bin.from) + 0.5, width: Math.max(1, x(bin.to) - x(bin.from) - 1), y: y(bin.count), height: y(0) - y(bin.count)};
    picture.append(svg("rect", bar, svg("title", {}, `${short(bin.from)} to ${short(bin.to)}: ${bin.count}`)));
  }
  return picture;
}

const STRIP = 24;
/**
 * One row, or an arrow where its value is off the scale: an interval as a bar with ends, points as rings, a value as an upright tick. `at`
 * is the rows' common scale.
 */
function strip(width, at, {low, high, points = [], value, thick, tick = true}, zero) {
  const picture = svg("svg", {class: "strip", width, height: STRIP, viewBox: `0 0 ${width} ${STRIP}`, "aria-hidden": "true"});
  const middle = STRIP / 2;
  const beyond = (isNumber(value) && (value < at.domain[0] ? -1 : value > at.domain[1] ? 1 : 0)) || 0;
  if (beyond !== 0) {  // an arrow that points to where it lies
    const tip = beyond < 0 ? 2 : width - 2;
    picture.append(
        svg("path", {class: "beyond", d: `M${tip - 20 * beyond} ${middle}H${tip}m${- 6 * beyond} -5l${6 * beyond} 5l${- 6 * beyond} 5`}));
    return picture;
  }
  if (isNumber(zero)) picture.append(svg("line", {class: "zero", x1: at(zero), x2: at(zero), y1: 0, y2: STRIP}));
  if (isNumber(low) && isNumber(high)) {
    const [a, b] = [at(low), at(high)];
    picture.append(svg("path", {class: "interval", d: `M${a} ${middle}H${b}M${a} ${middle - 5}v10M${b} ${middle - 5}v10`}));
  }
  if (thick) picture.append(svg("line", {class: "thick", x1: at(thick[0]), x2: at(thick[1]), y1: middle, y2: middle}));
  for (const point of points) picture.append(svg("circle", {class: "seed", cx: at(point), cy: middle, r: 3.5}));
  if (tick && isNumber(value)) picture.append(svg("line", {class: "value", x1: at(value), x2: at(value), y1: middle - 8, y2: middle + 8}));
  return picture;
}
function stripAxis(width, at) {
  const picture = svg("svg", {class: "strip axis", width, height: 20, viewBox: `0 0 ${width} 20`, "aria-hidden": "true"});
  for (const value of ticks(...at.domain, Math.max(2, Math.min(7, width / 90)))) {
    picture.append(svg("line", {x1: at(value), x2: at(value), y1: 15, y2: 20}));
    picture.append(svg("text", {x: at(value), y: 11, "text-anchor": "middle"}, numberOf(value)));
  }
  return picture;
}
