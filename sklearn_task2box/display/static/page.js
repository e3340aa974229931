"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const plot = $("plot"), n = data.names.length;
const INSIDE = "#00795A", AROUND = "#C04A00", CHOSEN = "#111111";
const FONTS = "Arial, Helvetica, sans-serif";
const LISTED = 6, FOUND = 50, MOST_LABELS = 150;
const inner = data.names.map(() => []);
data.around.forEach((list, i) => list.forEach((j) => inner[j].push(i)));
inner.forEach((list) => list.sort((a, b) => data.rank[a] - data.rank[b]));
let dims = [0, 1], chosen = null, shown = null;

// -- coordinates: where corners are drawn, and back ------------------------------------
const drawn = data.scales.map((scale) => {
  const at = scale.marks || scale.values;
  return {low: scale.low.map((k) => at[k]), high: scale.high.map((k) => at[k])};
});
function valueAt(scale, mark) {
  if (!scale.marks) return mark;
  const marks = scale.marks, values = scale.values, last = marks.length - 1;
  let low = 0, high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (marks[middle] <= mark) low = middle; else high = middle;
  }
  // As in BoxDisplay: beyond the corners, the extent of all of them is 1.
  if (mark < marks[0]) return values[0] + (mark - marks[0]) * (values[last] - values[0]);
  if (mark > marks[last]) {
    return values[last] + (mark - marks[last]) * (values[last] - values[0]);
  }
  const share = (mark - marks[low]) / (marks[high] - marks[low]);
  return values[low] + share * (values[high] - values[low]);
}
function markOf(scale, value) {
  const marks = scale.marks, values = scale.values, last = values.length - 1;
  let low = 0, high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value) low = middle; else high = middle;
  }
  const extent = values[last] - values[0];
  if (value < values[0]) return marks[0] + (value - values[0]) / extent;
  if (value > values[last]) return marks[last] + (value - values[last]) / extent;
  const share = (value - values[low]) / (values[high] - values[low]);
  return marks[low] + share * (marks[high] - marks[low]);
}
function ticks(scale, range) {
  const found = new Map(), steps = 7, step = (range[1] - range[0]) / steps;
  for (let k = 0; k < steps; k++) {
    const [low, middle, high] = [0.25, 0.5, 0.75].map(
      (part) => valueAt(scale, range[0] + (k + part) * step));
    for (let digits = -15; digits <= 15; digits++) {
      const tick = digits < 0
        ? Math.round(middle / 10 ** -digits) * 10 ** -digits
        : Math.round(middle * 10 ** digits) / 10 ** digits;
      if (low <= tick && tick <= high) { found.set(tick || 0, markOf(scale, tick)); break; }
    }
  }
  const text = (tick) => String(Number(tick.toPrecision(5))).replace("-", "\u2212");
  return {tickmode: "array", tickvals: [...found.values()],
          ticktext: [...found.keys()].map(text)};
}
function whole(k) {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < n; i++) {
    low = Math.min(low, drawn[k].low[i]);
    high = Math.max(high, drawn[k].high[i]);
  }
  const margin = 0.03 * (high - low || 1);
  return [low - margin, high + margin];
}

// -- what is drawn ---------------------------------------------------------------------
function outlines(tasks) {
  const [a, b] = dims.map((k) => drawn[k]), x = [], y = [];
  for (const i of tasks) {
    x.push(a.low[i], a.high[i], a.high[i], a.low[i], a.low[i], null);
    y.push(b.low[i], b.low[i], b.high[i], b.high[i], b.low[i], null);
  }
  return {x, y};
}
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;")
  .replace(/>/g, "&gt;");
const cut = (text, most) => {
  const letters = Array.from(text.replace(/\s+/g, " "));
  return letters.length > most ? letters.slice(0, most - 1).join("") + "\u2026"
    : letters.join("");
};
const fade = (colour, alpha) => "rgba(" + [1, 3, 5].map(
  (k) => parseInt(colour.slice(k, k + 2), 16)).join(",") + "," + alpha + ")";
function traces() {
  const common = {type: "scatter", mode: "lines", hoverinfo: "skip"};
  const base = data.groups.map((group, g) => ({
    ...common, ...outlines(data.members[g]), name: escaped(group.label),
    showlegend: data.groups.length > 1, fill: "toself",
    fillcolor: fade(group.colour, chosen === null ? 0.05 : 0.02),
    opacity: chosen === null ? 1 : 0.3,
    line: {color: group.colour, width: n > 500 ? 0.8 : 1.2, dash: group.dash},
  }));
  const none = chosen === null;
  const marks = [
    [none ? [] : data.around[chosen], AROUND, 2, 0],
    [none ? [] : inner[chosen], INSIDE, 1.6, 0],
    [none ? [] : [chosen], CHOSEN, 2.6, 0.12],
  ].map(([tasks, colour, thick, alpha]) => [tasks, colour,
    tasks.length > 12 ? thick * 0.7 : thick, alpha,
  ]).map(([tasks, colour, width, alpha]) => ({
    // The panel has the key: a legend that grew would move what was just clicked.
    ...common, ...outlines(tasks), showlegend: false,
    fill: alpha ? "toself" : "none", fillcolor: fade(colour, alpha),
    line: {color: colour, width},
  }));
  return [...base, ...marks, {
    type: "scatter", mode: "text", hoverinfo: "skip", showlegend: false, ...labels()}];
}
const pen = document.createElement("canvas").getContext("2d");
function ranges() {
  const layout = plot.layout;
  if (!layout) return dims.map(whole);
  return [layout.xaxis.range, layout.yaxis.range].map((range) => range.map(Number));
}
function frame() {
  const area = plot.querySelector(".nsewdrag");
  if (area) return area.getBoundingClientRect();
  return {left: 0, top: 0, width: plot.clientWidth - 80, height: plot.clientHeight - 80};
}
function labels() {
  pen.font = "11px " + FONTS;
  const [[x0, x1], [y0, y1]] = shown || dims.map(whole);
  const {width, height} = frame(), [a, b] = dims.map((k) => drawn[k]);
  const near = chosen === null ? []
    : [chosen, ...data.around[chosen], ...inner[chosen]];
  const first = new Set(near), few = near.length <= 20;
  const order = Array.from({length: n}, (_, i) => i).filter((i) => !first.has(i))
    .sort((i, j) => (b.high[j] - b.low[j]) * (a.high[j] - a.low[j])
      - (b.high[i] - b.low[i]) * (a.high[i] - a.low[i]));
  const taken = [], x = [], y = [], text = [], positions = [], colours = [];
  // Beside a task that is chosen, names of tasks that have nothing to do with it distract.
  for (const i of chosen === null ? order : near) {
    if (text.length >= MOST_LABELS) break;
    if (hidden(i) && !first.has(i)) continue;
    if (a.high[i] < x0 || a.low[i] > x1 || b.high[i] < y0 || b.low[i] > y1) continue;
    const left = Math.max(a.low[i], x0), top = Math.min(b.high[i], y1);
    const right = Math.min(a.high[i], x1), bottom = Math.max(b.low[i], y0);
    const name = cut(data.names[i], 40), wide = pen.measureText(name).width + 10;
    let px = (left - x0) / (x1 - x0) * width, py = (y1 - top) / (y1 - y0) * height;
    const fits = (right - left) / (x1 - x0) * width >= wide
      && (top - bottom) / (y1 - y0) * height >= 19;
    if (!fits && i !== chosen && !(few && first.has(i))) continue;
    const over = !fits && py > 18;  // above the box that is chosen
    if (over) py -= 19;
    const flip = px + wide > width;
    if (!over) py += 3;
    const spot = [flip ? px - wide : px, py, flip ? px : px + wide, py + 15];
    if (taken.some((t) => t[0] < spot[2] && spot[0] < t[2]
        && t[1] < spot[3] && spot[1] < t[3])) continue;
    taken.push(spot);
    x.push(left + (flip ? -3 : 3) * (x1 - x0) / width);  // clear of the outline
    y.push(top + (over ? 3 : -3) * (y1 - y0) / height);
    text.push(escaped(name));
    positions.push((over ? "top " : "bottom ") + (flip ? "left" : "right"));
    const own = data.groups[data.group[i]].dark;
    colours.push(chosen === null ? own : i === chosen ? CHOSEN
      : data.around[chosen].includes(i) ? AROUND : INSIDE);
  }
  return {x, y, text, textposition: positions,
          textfont: {color: colours, size: 11, family: FONTS}};
}
function axis(k, range) {
  const scale = data.scales[k];
  return {
    title: {text: scale.title}, range, zeroline: false, gridcolor: "#eee",
    linecolor: "#999", ...(scale.bare ? {showticklabels: false, showgrid: false}
      : scale.marks ? ticks(scale, range) : {}),
  };
}
function draw(renew) {
  const current = renew || !plot.layout ? dims.map(whole) : ranges();
  shown = current;
  const layout = {
    autosize: true, dragmode: "pan", hovermode: false, clickmode: "none",
    margin: {l: 60, r: 40, t: 28, b: 48}, modebar: {orientation: "v"},
    font: {family: FONTS},
    xaxis: axis(dims[0], current[0]), yaxis: axis(dims[1], current[1]),
    legend: {orientation: "h", x: 0, y: 1.0, yanchor: "bottom", font: {size: 12}},
  };
  // Groups that were switched off stay so.
  const kept = (plot.data || []).slice(0, data.groups.length).map((t) => t.visible);
  const all = traces();
  kept.forEach((visible, g) => { if (visible) all[g].visible = visible; });
  return Plotly.react(plot, all, layout, {
    responsive: true, scrollZoom: true, displaylogo: false, doubleClick: false,
    modeBarButtons: [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d"]],
  });
}
function follow() {  // labels and ticks of the part that is shown
  const current = ranges();
  if (String(current) === String(shown)) return;
  shown = current;
  const change = {};
  dims.forEach((k, at) => {
    const scale = data.scales[k];
    if (!scale.marks || scale.bare) return;
    for (const [key, value] of Object.entries(ticks(scale, current[at]))) {
      change["xy"[at] + "axis." + key] = value;
    }
  });
  const fresh = labels(), style = {};
  for (const key of ["x", "y", "text", "textposition"]) style[key] = [fresh[key]];
  style["textfont.color"] = [fresh.textfont.color];
  Plotly.update(plot, style, change, [plot.data.length - 1]);
}
function relabel() {
  shown = null;
  follow();
}

// -- pointing --------------------------------------------------------------------------
const hidden = (i) => {
  const trace = (plot.data || [])[data.group[i]];
  return Boolean(trace) && trace.visible === "legendonly";
};
function taskAt(event) {
  const area = frame(), [[x0, x1], [y0, y1]] = ranges();
  const unit = [(x1 - x0) / area.width, (y1 - y0) / area.height];
  const x = x0 + (event.clientX - area.left) * unit[0];
  const y = y1 - (event.clientY - area.top) * unit[1];
  const [a, b] = dims.map((k) => drawn[k]);
  let best = null, least = Infinity;
  for (let i = 0; i < n; i++) {
    const sides = [a.high[i] - a.low[i], b.high[i] - b.low[i]];
    // A box of a few pixels is hard to hit.
    const more = sides.map((side, at) => Math.max(0, 3 * unit[at] - side / 2));
    if (x < a.low[i] - more[0] || x > a.high[i] + more[0]
        || y < b.low[i] - more[1] || y > b.high[i] + more[1] || hidden(i)) continue;
    const size = sides[0] * sides[1];
    if (size < least) { best = i; least = size; }
  }
  return best;
}
function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}
function listed(tasks) {
  const names = tasks.slice(0, LISTED).map((i) => cut(data.names[i], 60)).join(", ");
  return tasks.length > LISTED ? names + " and " + (tasks.length - LISTED) + " more"
    : names || "none";
}
const size = (i) => data.sizes[i] + ", rank " + (data.rank[i] + 1) + " of " + n;
function describe(i) {
  const parts = [element("b", data.names[i])];
  if (data.grouped) parts.push(element("p", data.groups[data.group[i]].label, "quiet"));
  parts.push(element("p", "Volume " + size(i)));
  parts.push(element("p", "Inside: " + listed(data.around[i])));
  parts.push(element("p", "Contains: " + listed(inner[i])));
  return parts;
}
const tip = $("tip");
function hover(event) {
  const inPlot = event.target.classList.contains("nsewdrag") && !event.buttons;
  const i = inPlot ? taskAt(event) : null;
  tip.hidden = i === null;
  if (i === null) return;
  tip.replaceChildren(...describe(i));
  const stage = $("stage").getBoundingClientRect();
  const x = event.clientX - stage.left, y = event.clientY - stage.top;
  const {offsetWidth: width, offsetHeight: height} = tip;
  const left = x + 14 + width > stage.width ? x - width - 14 : x + 14;
  tip.style.left = Math.max(4, left) + "px";
  tip.style.top = Math.max(4, Math.min(y + 14, stage.height - height - 4)) + "px";
}
let pressed = null;
plot.addEventListener("pointermove", hover);
plot.addEventListener("pointerleave", () => { tip.hidden = true; });
plot.addEventListener("pointerdown", (event) => {
  tip.hidden = true;
  pressed = event.target.classList.contains("nsewdrag") && event.button === 0
    ? [event.clientX, event.clientY] : null;
}, true);
window.addEventListener("pointerup", (event) => {
  if (!pressed) return;
  const moved = Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]);
  pressed = null;
  if (moved > 4) return;
  const i = taskAt(event);
  choose(i === chosen ? null : i);
}, true);

// -- choosing --------------------------------------------------------------------------
function choose(i) {
  chosen = i;
  fillPanel();
  return draw(false);
}
function section(title, tasks, colour) {
  const head = element("h3"), key = element("span", "", "key"), list = element("ul");
  key.style.borderColor = colour;
  head.append(key, title + " (" + tasks.length + ")");
  for (const i of tasks) {
    const item = element("li"), button = element("button", data.names[i]);
    button.type = "button";
    button.addEventListener("click", () => choose(i));
    item.append(button);
    list.append(item);
  }
  return [head, list];
}
function fillPanel() {
  const panel = $("panel");
  panel.scrollTop = 0;
  if (chosen === null) {
    panel.replaceChildren(
      element("p", n + (n === 1 ? " task." : " tasks.")),
      element("p", "Point at a box to see what it is. Click it to see what contains it and "
        + "what it contains. Turn the wheel to zoom, drag to move.", "quiet"));
    return;
  }
  const near = element("button", "Zoom to it"), clear = element("button", "Clear");
  near.type = clear.type = "button";
  near.id = "near";
  clear.id = "clear";
  near.addEventListener("click", () => zoomTo(chosen));
  clear.addEventListener("click", () => choose(null));
  const buttons = element("p");
  buttons.append(near, " ", clear);
  const head = [element("h2", data.names[chosen])];
  if (data.grouped) {
    head.push(element("p", data.groups[data.group[chosen]].label, "quiet"));
  }
  panel.replaceChildren(...head, element("p", "Volume " + size(chosen)), buttons,
    ...section("Contained in", data.around[chosen], AROUND),
    ...section("Contains", inner[chosen], INSIDE));
}
function zoomTo(i) {
  const [x, y] = dims.map((k) => {
    const low = drawn[k].low[i], high = drawn[k].high[i];
    const [first, last] = whole(k), side = high - low || 1e-3 * (last - first);
    return [low - side, high + side];
  });
  return Plotly.relayout(plot, {"xaxis.range": x, "yaxis.range": y});
}
const search = $("search"), results = $("results");
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
const keys = data.names.map(plain);
function find() {
  const words = plain(search.value).split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const found = Array.from(keys.keys())
    .filter((i) => words.every((word) => keys[i].includes(word)));
  const whole = words.join(" ");
  const rank = (i) => keys[i] === whole ? 0 : keys[i].startsWith(whole) ? 1 : 2;
  return found.sort((i, j) => rank(i) - rank(j) || data.rank[i] - data.rank[j]);
}
function take(i) {
  results.hidden = true;
  search.value = data.names[i];
  return choose(i);
}
search.addEventListener("input", () => {
  const found = find(), parts = [];
  for (const i of found.slice(0, FOUND)) {
    const button = element("button", data.names[i]);
    button.type = "button";
    button.addEventListener("click", () => take(i));
    parts.push(button);
  }
  if (found.length > FOUND) parts.push(element("p", found.length - FOUND + " more"));
  if (!found.length) parts.push(element("p", "No such name"));
  results.replaceChildren(...parts);
  results.hidden = !search.value.trim();
});
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") { const [i] = find(); if (i !== undefined) take(i); }
});
document.addEventListener("pointerdown", (event) => {
  if (!$("finder").contains(event.target)) results.hidden = true;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (!results.hidden) results.hidden = true;
  else if (chosen !== null) choose(null);
});
$("reset").addEventListener("click", () => draw(true));

// -- start -----------------------------------------------------------------------------
if (data.n_dimensions > 2) {
  const pickers = [$("across"), $("up")];
  pickers.forEach((picker, at) => {
    data.scales.forEach((scale, k) => picker.append(new Option("dimension " + k, k)));
    picker.value = dims[at];
    picker.addEventListener("change", () => {
      const k = Number(picker.value);
      if (dims[1 - at] === k) dims[1 - at] = dims[at];
      dims[at] = k;
      pickers.forEach((other, side) => { other.value = dims[side]; });
      draw(true);
    });
  });
  $("share").textContent = "2 of " + data.n_dimensions
    + " dimensions (inside means inside in all of them)";
  $("choice").hidden = false;
}
fillPanel();
draw(true).then(() => {
  plot.on("plotly_relayout", follow);
  plot.on("plotly_restyle", (change) => { if ("visible" in change[0]) relabel(); });
  new ResizeObserver(() => setTimeout(relabel, 150)).observe(plot);
  relabel();
  document.body.dataset.ready = "yes";
});
})();
