// What two texts differ in, line by line (Myers), bounded for texts of which nothing is alike.
const EDITS_MAX = 1500; // beyond so many changed lines all between the equal ends counts as changed
const AROUND = 3; // equal lines shown before and after a change

/** [[" " | "-" | "+", line]] from `before` to `after`. */
export function difference(before, after) {
  const [a, b] = [before.split("\n"), after.split("\n")];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const same = (lines) => lines.map((line) => [" ", line]);
  return [...same(a.slice(0, head)), ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)), ...same(tail ? a.slice(-tail) : [])];
}

function middle(a, b) {
  const whole = () => [...a.map((line) => ["-", line]), ...b.map((line) => ["+", line])];
  const most = Math.min(a.length + b.length, EDITS_MAX);
  let ends = new Map([[1, 0]]); // diagonal → how far it goes in `a`
  const trace = [];
  for (let edits = 0; edits <= most; edits++) {
    trace.push(new Map(ends));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const down = diagonal === -edits || (diagonal !== edits && (ends.get(diagonal - 1) ?? -1) < (ends.get(diagonal + 1) ?? -1));
      let x = down ? ends.get(diagonal + 1) ?? 0 : (ends.get(diagonal - 1) ?? 0) + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x++;
      ends.set(diagonal, x);
      if (x >= a.length && x - diagonal >= b.length) return walked(a, b, trace, edits);
    }
  }
  return whole();
}

function walked(a, b, trace, edits) {
  const found = [];
  let [x, y] = [a.length, b.length];
  for (let step = edits; step >= 0; step--) {
    const ends = trace[step];
    const diagonal = x - y;
    const down = diagonal === -step || (diagonal !== step && (ends.get(diagonal - 1) ?? -1) < (ends.get(diagonal + 1) ?? -1));
    const from = down ? diagonal + 1 : diagonal - 1;
    const beforeX = step ? ends.get(from) ?? 0 : 0;
    const beforeY = step ? beforeX - from : 0;
    while (x > beforeX && y > beforeY) {
      found.push([" ", a[--x]]);
      y--;
    }
    if (!step) break;
    if (down) found.push(["+", b[--y]]);
    else found.push(["-", a[--x]]);
  }
  return found.reverse();
}

/** The same without what is equal far from a change: [[sign, line]], and ["…", number of lines left out]. */
export function hunks(lines) {
  const near = new Set();
  lines.forEach(([sign], at) => {
    if (sign !== " ") for (let place = at - AROUND; place <= at + AROUND; place++) near.add(place);
  });
  const shown = [];
  let hidden = 0;
  lines.forEach((line, at) => {
    if (near.has(at)) {
      if (hidden) shown.push(["…", hidden]);
      hidden = 0;
      shown.push(line);
    } else hidden++;
  });
  if (hidden && shown.length) shown.push(["…", hidden]);
  return shown;
}
