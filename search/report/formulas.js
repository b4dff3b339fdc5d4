// Functions as they look: typeset, as a small curve, as a plain label. What the digits mean: search/report/forms.h.

const DIGITS = " !#$%&'()*+,-./0123456789:;=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~";
const DIGIT = new Map([...DIGITS].map((character, value) => [character, value]));
const ONE_DIGIT = 80;
const LEVELS = 92 * 91;
const MATHML = "http://www.w3.org/1998/Math/MathML";
const MATHML_TAGS = new Set(["math", "mrow", "mfrac", "msup", "msub", "msqrt", "mi", "mn", "mo"]);

function mathmlElement(tag) {
  const [name, attribute] = tag.split(" ");
  if (!MATHML_TAGS.has(name)) throw new Error(`no MathML element ${name}`);
  const element = document.createElementNS(MATHML, name);
  if (attribute) element.setAttribute("rspace", attribute.match(/^rspace="([0-9.]+em)"$/)[1]);
  return element;
}
/** Long numbers as far as one reads them. */
const readable = (text) => (/^[\d.]{8,}$/.test(text) ? text.slice(0, 6) + "…" : text);

/** The formula as MathML from its pieces; null where it has none. */
function typeset(functions, tags, index) {
  const packed = functions.mathml?.[index];
  if (!packed) return null;
  const open = [document.createDocumentFragment()];
  for (let at = 0; at < packed.length;) {
    let place = DIGIT.get(packed[at++]);
    if (place === ONE_DIGIT) place = DIGIT.get(packed[at++]) * DIGITS.length + DIGIT.get(packed[at++]);
    const tag = tags[place];
    const colon = tag.indexOf(":");
    if (tag === "/") {
      open.pop();
    } else if (colon < 0) {
      const element = mathmlElement(tag);
      open.at(-1).append(element);
      open.push(element);
    } else {
      const leaf = mathmlElement(tag.slice(0, colon));
      leaf.textContent = readable(tag.slice(colon + 1));
      open.at(-1).append(leaf);
    }
  }
  return open[0];
}

/** Points [x, y] of the curve; null where there is a gap. */
function shapePoints(functions, index) {
  const shape = functions.shape?.[index];
  if (!shape) return null;
  const low = functions.low[index], high = functions.high[index];
  const n = shape.length / 2;
  return Array.from({length: n}, (_, i) => {
    const level = DIGITS.length * DIGIT.get(shape[2 * i]) + DIGIT.get(shape[2 * i + 1]);
    return level >= LEVELS ? null : [-5 + (10 * i) / (n - 1), low + ((high - low) * level) / (LEVELS - 1)];
  });
}

/** An SVG path through points, begun anew after each gap. */
function pathOf(points, x, y) {
  let pen = "M";
  let path = "";
  for (const point of points) {
    if (point) path += `${pen}${x(point[0]).toFixed(1)} ${y(point[1]).toFixed(1)}`;
    pen = point ? "L" : "M";
  }
  return path;
}

/** The curve over [-5, 5] with the lines x = 0 and y = 0, scaled to its own range. */
function sparkline(functions, index, width = innerWidth < 640 ? 36 : 64, height = 28) {
  const points = shapePoints(functions, index);
  const frame = {class: "spark", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true"};
  if (!points) return svg("svg", frame);
  const low = functions.low[index], high = functions.high[index] > low ? functions.high[index] : low + 1;
  const x = (value) => 2 + ((value + 5) / 10) * (width - 4);
  const y = (value) => height - 2 - ((value - low) / (high - low)) * (height - 4);
  const axes = `M2 ${y(0).toFixed(1)}H${width - 2}M${width / 2} 2V${height - 2}`;
  return svg("svg", frame, svg("path", {class: "axes", d: axes}), svg("path", {class: "curve", d: pathOf(points, x, y)}));
}

/** A function's name, or its formula as plain text. */
const labelOf = (functions, index) => functions.name?.[index] ?? functions.formula[index];
const shortened = (text, most = 30) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

/** As many characters as are typeset in one line of a list; the page's text can be broken, MathML cannot. */
const mostTypeset = () => (innerWidth < 640 ? 18 : 44);

/** The formula and the function's name: typeset where it is short enough for a list, else as text; `large`: typeset however long it is. */
function formulaNodes(view, index, {large = false} = {}) {
  const {functions, tags} = view.data;
  const name = functions.name?.[index];
  const mathml = typeset(functions, tags, index);
  const fits = mathml && (large || mathml.textContent.length <= mostTypeset());
  return [
    fits ? mathml : el("code", {}, shortened(functions.formula[index], 120)),
    name && el("span", {class: "name"}, shortened(name)),
  ];
}
